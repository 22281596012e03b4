import pytest
import torch
from torch.testing import assert_close

from degradekit_models.errors import ModelError
from degradekit_models.ops.flow_warp import flow_warp, resize_flow


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_equals_the_reference(golden, mode, padding):
    g = golden("ops")
    flow = g.tensor("in_flow_warp_flow" + ("_nearest" if mode == "nearest" else ""))
    got = flow_warp(g.tensor("in_flow_warp_x"), flow, interp_mode=mode, padding_mode=padding)
    assert_close(got, g.tensor(f"flow_warp_{mode}_{padding}"), rtol=0, atol=2e-5)


def test_gradients_equal_the_reference(golden):
    g = golden("ops")
    x = g.tensor("in_flow_warp_x").requires_grad_()
    flow = g.tensor("in_flow_warp_flow").requires_grad_()
    grad_x, grad_flow = torch.autograd.grad(flow_warp(x, flow), (x, flow), g.tensor("in_flow_warp_grad_out"))
    assert_close(grad_x, g.tensor("flow_warp__grad_x"), rtol=0, atol=5e-5)
    assert_close(grad_flow, g.tensor("flow_warp__grad_flow"), rtol=0, atol=5e-5)


@pytest.mark.parametrize("align_corners", [True, False])
def test_zero_flow_is_identity_in_the_convention_of_the_grid(align_corners):
    x = torch.rand(1, 2, 1, 5)  # one row: the smallest image
    if align_corners:
        assert_close(flow_warp(x, torch.zeros(1, 1, 5, 2), padding_mode="border"), x)
    wide = torch.rand(1, 2, 6, 5)
    whole = flow_warp(wide, torch.zeros(1, 6, 5, 2), align_corners=True)
    assert_close(whole, wide)


def test_a_flow_of_another_size_is_refused():
    with pytest.raises(ModelError, match=r"\(1, 4, 5, 2\)"):
        flow_warp(torch.rand(1, 3, 4, 5), torch.zeros(1, 2, 4, 5))


def test_resize_equals_the_reference(golden):
    g = golden("ops")
    flow = g.tensor("in_resize_flow")
    assert_close(resize_flow(flow, (4, 15)), g.tensor("resize_flow_ratio"))
    assert_close(resize_flow(flow, (13, 7)), g.tensor("resize_flow_shape"))
    assert_close(resize_flow(flow, (13, 7), align_corners=True), g.tensor("resize_flow_shape_ac"))


def test_half_precision_keeps_coordinates_exact():
    ramp = (torch.arange(3000) % 7).half().expand(1, 1, 2, 3000)
    flow = torch.zeros(1, 2, 3000, 2).half()
    flow[..., 0] = 1
    out = flow_warp(ramp, flow, padding_mode="border")
    assert out.dtype == torch.float16
    assert (out[..., :-1] - ramp[..., 1:]).abs().max() < 0.01
