"""DiffJPEG: the published layer's numbers, and how it differs from a JPEG file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from degradekit.errors import OpError
from degradekit.ops.diffjpeg import DiffJpegDraw
from degradekit.ops.jpeg import JpegDraw

GOLDEN = Path(__file__).parents[2] / "golden" / "diffjpeg.npz"


@pytest.mark.parametrize("quality", [10, 30, 60, 95])
def test_equals_the_published_layer(quality: int) -> None:
    with np.load(GOLDEN) as golden:
        x = golden["in_bhwc_u8"].astype(np.float32) / np.float32(255)
        want = golden[f"q{quality}"]
    y = np.moveaxis(DiffJpegDraw(quality).apply(x), 3, 1)
    np.testing.assert_allclose(y[..., ::3, ::3], want, atol=5e-7)


def test_quality_counts_in_fractions_and_per_frame() -> None:
    x = np.random.default_rng(0).random((2, 20, 33, 3), np.float32)
    a, b = DiffJpegDraw(49.9).apply(x), DiffJpegDraw(50.1).apply(x)
    assert (a != b).any()
    np.testing.assert_array_equal(DiffJpegDraw((49.9, 50.1)).apply(x), np.stack([a[0], b[1]]))


def test_flat_whole_blocks_pass_and_overshoot_is_cut() -> None:
    x = np.full((1, 16, 32, 3), 0.5, np.float32)
    x[:, :, 16:] = 1.7
    y = DiffJpegDraw(90).apply(x)
    np.testing.assert_allclose(y[:, :, :16], 0.5, atol=0.01)
    np.testing.assert_array_equal(y[:, :, 16:], 1)


def test_the_luma_table_is_transposed() -> None:
    stripes = np.zeros((1, 32, 32, 3), np.float32)
    stripes[:] = 0.5 + 0.1 * np.cos(2 * np.pi * (np.arange(32) + 0.5) * 3 / 16)[:, None]  # frequency 3 of a block
    both = [stripes, np.ascontiguousarray(stripes.swapaxes(1, 2))]
    lost = [[float(np.abs(draw.apply(x) - x).mean()) for x in both] for draw in (DiffJpegDraw(8), JpegDraw(8, "4:4:4"))]
    assert lost[0][0] != pytest.approx(lost[0][1], rel=0.1)
    assert (lost[0][0] < lost[0][1]) != (lost[1][0] < lost[1][1])


def test_needs_colour() -> None:
    with pytest.raises(OpError, match="diffjpeg works on RGB, the clip has 1 channels"):
        DiffJpegDraw(50).apply(np.zeros((1, 16, 16, 1), np.float32))
