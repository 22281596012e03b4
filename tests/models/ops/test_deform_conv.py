import sys

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from degradekit_models.errors import ModelError
from degradekit_models.ops.deform_conv import DCNv2Pack, _torchvision_ops, deform_conv2d, deform_conv2d_torch

NAMES = ("x", "offset", "mask", "weight", "bias")


def _case(g, case):
    spec = g.meta["cases"][case]
    settings = {k: spec[k] for k in ("stride", "padding", "dilation")}
    return [g.tensor(f"in_{case}_{name}").requires_grad_() for name in NAMES], settings


@pytest.mark.parametrize("case", ["dcn0", "dcn1", "dcn2", "dcn3"])
def test_value_and_gradients_equal_the_reference(golden, case):
    g = golden("ops")
    tensors, settings = _case(g, case)
    out = deform_conv2d(*tensors, **settings)
    assert_close(out, g.tensor(case), rtol=0, atol=2e-5)
    grads = torch.autograd.grad(out, tensors, g.tensor(f"in_{case}_grad_out"))
    for name, grad in zip(NAMES, grads, strict=True):
        reference = g.tensor(f"{case}__grad_{name}")
        error = ((grad - reference).abs().max() / reference.abs().max()).item()
        assert error < 2e-5, (name, error)


@pytest.mark.parametrize("case", ["dcn0", "dcn1", "dcn2", "dcn3"])
def test_compiled_kernel_agrees(golden, case):
    kernels = pytest.importorskip("torchvision.ops", exc_type=(ImportError, RuntimeError))
    tensors, settings = _case(golden("ops"), case)
    x, offset, mask, weight, bias = tensors
    mine = deform_conv2d_torch(*tensors, **settings)
    theirs = kernels.deform_conv2d(x, offset, weight, bias, mask=mask, **settings)
    assert_close(mine, theirs, rtol=0, atol=2e-5)


def test_gradients_hold_in_float64():
    torch.manual_seed(0)
    offset = torch.rand(1, 2 * 2 * 9, 3, 3, dtype=torch.float64) * 2 - 1
    tensors = [
        torch.rand(1, 4, 5, 6, dtype=torch.float64),
        offset,
        torch.rand(1, 2 * 9, 3, 3, dtype=torch.float64),
        torch.rand(2, 2, 3, 3, dtype=torch.float64),
        torch.rand(2, dtype=torch.float64),
    ]
    for t in tensors:
        t.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda *a: deform_conv2d_torch(*a, stride=2, padding=1), tensors, eps=1e-7, atol=1e-5
    )


def test_zero_offsets_are_a_plain_convolution_at_any_width():
    torch.manual_seed(0)
    x, weight = torch.rand(2, 4, 7, 11), torch.rand(6, 4, 3, 3)
    mask = torch.ones(2, 9, 7, 11)
    offset = torch.zeros(2, 18, 7, 11, requires_grad=True)
    out = deform_conv2d_torch(x, offset, mask, weight, padding=1)
    assert_close(out, F.conv2d(x, weight, padding=1))
    # The kink at whole pixels: the derivative is the one towards the right and below, at every tap.
    column = torch.autograd.grad(out[0, 0, 3, 5], offset)[0][0, 1::2, 3, 5]
    step = F.pad(x[0], (1, 2, 1, 1))[:, :, 1:] - F.pad(x[0], (1, 2, 1, 1))[:, :, :-1]
    expected = (weight[0] * step[:, 3:6, 5:8]).sum(0).flatten()
    assert_close(column, expected, rtol=1e-4, atol=1e-5)


def test_pack_equals_the_reference(golden, seeded):
    g = golden("ops")
    pack = DCNv2Pack(16, 16, 3, padding=1, deformable_groups=8)
    seeded(pack, [{"match": r"conv_offset\.weight", "kind": "fan_in", "gain": 2.0}])
    got = pack(g.tensor("in_dcnpack_x"), g.tensor("in_dcnpack_feat"))
    assert_close(got, g.tensor("dcnpack"), rtol=0, atol=2e-5)


def test_pack_starts_as_half_a_convolution():
    pack = DCNv2Pack(4, 4, 3, padding=1, deformable_groups=2)
    x = torch.rand(1, 4, 6, 6)
    half = 0.5 * F.conv2d(x, pack.weight, padding=1)
    assert_close(pack(x, torch.rand_like(x)), half)


def test_half_precision_positions_are_not_rounded():
    x = torch.arange(3000.0).view(1, 1, 1, 3000)
    still, full = torch.zeros(1, 2, 1, 3000), torch.ones(1, 1, 1, 3000)
    got = deform_conv2d_torch(x, still.bfloat16(), full, torch.ones(1, 1, 1, 1))
    assert torch.equal(got, x)


def test_a_torchvision_of_another_torch_is_reported_and_not_used(tmp_path, monkeypatch):
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [n for n in sys.modules if n.partition(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)
    _torchvision_ops.cache_clear()
    with pytest.warns(RuntimeWarning, match="nms does not exist"):
        assert _torchvision_ops() is None
    _torchvision_ops.cache_clear()


def test_shapes_that_do_not_fit_are_refused():
    x, weight = torch.rand(1, 4, 5, 5), torch.rand(2, 4, 3, 3)
    with pytest.raises(ModelError, match="offset"):
        deform_conv2d(x, torch.zeros(1, 20, 5, 5), torch.ones(1, 9, 5, 5), weight)
