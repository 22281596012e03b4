"""Chroma subsampling: what stays, what is averaged, and that nothing moves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from degradekit.ops.chroma_subsampling import LAYOUTS, ChromaSubsamplingDraw
from degradekit.ops.colour import to_ycbcr

X = np.random.default_rng(0).uniform(0.35, 0.65, (2, 16, 24, 3)).astype(np.float32)
SUBSAMPLED = sorted(set(LAYOUTS) - {"4:4:4"})


def test_4_4_4_is_the_identity() -> None:
    assert ChromaSubsamplingDraw("4:4:4", "bt601", "box", "linear").apply(X) is X


@pytest.mark.parametrize("layout", SUBSAMPLED)
@pytest.mark.parametrize("down", ["box", "triangle"])
@pytest.mark.parametrize("up", ["nearest", "linear"])
def test_luma_stays_and_flat_colour_stays(layout: str, down: str, up: str) -> None:
    draw = ChromaSubsamplingDraw(layout, "bt709", down, up)
    np.testing.assert_allclose(to_ycbcr(draw.apply(X), "bt709")[0], to_ycbcr(X, "bt709")[0], atol=2e-6)
    flat = np.broadcast_to(np.float32([0.8, 0.3, 0.4]), (1, 9, 7, 3))
    np.testing.assert_allclose(draw.apply(flat), flat, atol=1e-6)


@pytest.mark.parametrize("layout", SUBSAMPLED)
def test_box_and_nearest_give_every_block_its_mean(layout: str) -> None:
    rows, columns = LAYOUTS[layout]
    y = ChromaSubsamplingDraw(layout, "bt601", "box", "nearest").apply(X)
    for plane, before in zip(to_ycbcr(y, "bt601")[1:], to_ycbcr(X, "bt601")[1:], strict=True):
        blocks = before.reshape(2, 16 // rows, rows, 24 // columns, columns).mean(axis=(2, 4))
        np.testing.assert_allclose(plane, blocks.repeat(rows, 1).repeat(columns, 2), atol=2e-6)


@pytest.mark.parametrize(("down", "up"), [("box", "linear"), ("triangle", "linear")])
@pytest.mark.parametrize("layout", SUBSAMPLED)
def test_a_colour_ramp_stays_where_it_is(layout: str, down: str, up: str) -> None:
    """No chroma shift: away from the edges a linear ramp comes back exactly."""
    ramp = np.linspace(-0.1, 0.1, 32)
    x = np.full((1, 32, 32, 3), 0.5)
    x[..., 0] += ramp[:, None] + ramp
    x[..., 2] -= ramp[:, None] - ramp
    y = ChromaSubsamplingDraw(layout, "bt601", down, up).apply(x.astype(np.float32))
    np.testing.assert_allclose(y[:, 8:-8, 8:-8], x[:, 8:-8, 8:-8], atol=2e-6)


@pytest.mark.parametrize(
    ("down", "want"),
    [
        ("box", [0, 0, 0, 4, 12, 12, 4, 0]),
        ("triangle", [0, 1, 3, 6, 10, 9, 3, 0]),
    ],
)
def test_an_impulse_of_colour_spreads_by_the_stated_weights(down: str, want: list[int]) -> None:
    """Box: half of it in its sample, then 3:1 to both sides. Triangle: 1 3 3 1 of 8 first."""
    x = np.full((1, 1, 8, 3), 0.5, np.float32)
    x[0, 0, 4, 0] += 0.25
    cr = to_ycbcr(ChromaSubsamplingDraw("4:2:2", "bt601", down, "linear").apply(x), "bt601")[2].ravel()
    np.testing.assert_allclose(cr / to_ycbcr(x, "bt601")[2].max() * 32, want, atol=1e-4)


@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from(sorted(LAYOUTS)), st.sampled_from(["box", "triangle"]))
def test_any_size_works_and_stays_in_range(h: int, w: int, layout: str, down: str) -> None:
    x = np.random.default_rng(h * 10 + w).random((1, h, w, 3), np.float32)
    for up in ("nearest", "linear"):
        y = ChromaSubsamplingDraw(layout, "bt601", down, up).apply(x)
        assert y.shape == x.shape
        assert y.min() >= 0 and y.max() <= 1
