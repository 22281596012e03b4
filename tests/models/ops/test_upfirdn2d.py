import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from degradekit_models.errors import ModelError
from degradekit_models.ops.upfirdn2d import resample_kernel, upfirdn2d


def _literal(x, kernel, up, down, pad):
    """The definition, one output sample at a time."""
    n, c, h, w = x.shape
    big = torch.zeros(n, c, h * up, w * up, dtype=x.dtype)
    big[:, :, ::up, ::up] = x
    big = F.pad(big, (pad[0], pad[1], pad[0], pad[1]))
    kh, kw = kernel.shape
    rows = range(0, big.shape[2] - kh + 1, down)
    cols = range(0, big.shape[3] - kw + 1, down)
    flipped = kernel.flip((0, 1))
    return torch.stack(
        [torch.stack([(big[:, :, i : i + kh, j : j + kw] * flipped).sum((2, 3)) for j in cols], -1) for i in rows],
        -2,
    )


@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(st.integers(2, 7), st.integers(2, 7)),
    kernel_size=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    up=st.integers(1, 3),
    down=st.integers(1, 3),
    pad=st.tuples(st.integers(-1, 4), st.integers(0, 4)),
)
def test_equals_the_definition(size, kernel_size, up, down, pad):
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(2, 2, *size, generator=generator, dtype=torch.float64)
    kernel = torch.rand(*kernel_size, generator=generator, dtype=torch.float64)
    if any(s * up + sum(pad) < k for s, k in zip(size, kernel_size, strict=True)):
        with pytest.raises(ModelError, match="smaller than the kernel"):
            upfirdn2d(x, kernel, up=up, down=down, pad=pad)
    else:
        assert_close(upfirdn2d(x, kernel, up=up, down=down, pad=pad), _literal(x, kernel, up, down, pad))


def test_one_tap_is_identity():
    x = torch.rand(1, 3, 5, 4)
    assert torch.equal(upfirdn2d(x, torch.ones(1, 1)), x)


def test_resample_kernel_keeps_the_mean():
    kernel = resample_kernel((1, 3, 3, 1))
    assert kernel.sum() == 1
    assert torch.equal(kernel, kernel.T)
    flat = torch.full((1, 1, 8, 8), 0.25)
    assert_close(upfirdn2d(flat, kernel, down=2, pad=(1, 1))[..., 1:-1, 1:-1], torch.full((1, 1, 2, 2), 0.25))
