import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from degradekit_models.archs import build
from degradekit_models.errors import ModelError
from degradekit_models.restore.tiles import Tiling, run_tiled


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 50),
    st.integers(1, 50),
    st.integers(0, 20),
    st.integers(0, 9),
    st.integers(1, 5),
    st.sampled_from([1, 2, 4]),
    st.sampled_from([1, 2, 4]),
)
def test_weights_add_up_to_one_and_tiles_fit(h, w, size, overlap, batch, scale, multiple):
    x = torch.rand(1, 2, h, w, generator=torch.Generator().manual_seed(h * 51 + w))
    sizes = set()

    def enlarge(t):
        assert t.shape[-2] % multiple == t.shape[-1] % multiple == 0
        assert len(t) <= batch
        sizes.add(t.shape[-2:])
        return F.interpolate(t, scale_factor=scale, mode="nearest")

    out = run_tiled(enlarge, x, Tiling(size, overlap, batch), scale=scale, multiple=multiple)
    torch.testing.assert_close(out, F.interpolate(x, scale_factor=scale, mode="nearest"))
    assert len(sizes) == 1  # so that tiles can share a batch


@torch.no_grad()
@pytest.mark.parametrize("batch", [1, 3])
def test_tiles_equal_the_whole_where_half_the_margin_covers_the_receptive_field(batch):
    torch.manual_seed(0)
    net = build("srvgg_animevideov3", num_feat=8, num_conv=2).eval()  # four 3 x 3 convolutions: radius 4
    for parameter in net.parameters():
        parameter.mul_(2)
    x = torch.rand(1, 3, 41, 57)
    tiled = run_tiled(net, x, Tiling(12, overlap=8, batch=batch), scale=4)
    assert (tiled - net(x)).abs().max() < 1 / 255 / 100


@torch.no_grad()
def test_a_margin_that_is_too_small_leaves_no_edge_on_gradients():
    torch.manual_seed(1)
    net = build("msrresnet_x2", num_feat=8, num_block=4).eval()  # radius 10
    for name, parameter in net.named_parameters():
        if name.startswith("body"):
            parameter.mul_(16)
    ramp = torch.linspace(0.1, 0.9, 96)
    x = ramp.expand(1, 3, 48, 96).contiguous()
    whole = net(x)

    def step_at_cuts(overlap):
        """How far neighbouring columns of the error differ at most."""
        error = run_tiled(net, x, Tiling(24, overlap), scale=2) - whole
        return error.diff(dim=-1).abs().max().item(), error.abs().max().item()

    hard, error = step_at_cuts(0)
    soft, _ = step_at_cuts(8)
    assert error > 2 / 255, "the cuts matter to this network"
    assert hard > 10 * soft
    assert soft < 1 / 255


@torch.no_grad()
def test_clips_are_cut_in_space_alone():
    x = torch.rand(2, 3, 1, 20, 30)
    out = run_tiled(lambda t: t.flip(1), x, Tiling(8, 2, batch=2))
    torch.testing.assert_close(out, x.flip(1))
    out = run_tiled(lambda t: t[:, 1], x, Tiling(8, 2), multiple=16)
    torch.testing.assert_close(out, x[:, 1])


def test_impossible_cuts_are_refused():
    for arguments in ((-1, 0, 1), (8, -1, 1), (8, 0, 0)):
        with pytest.raises(ModelError, match="batch is 1 or more"):
            Tiling(*arguments)
