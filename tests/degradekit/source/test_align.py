"""Alignment of faces: canonical places, the pixels that go with them, and what lies outside the picture."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from degradekit.errors import SourceError
from degradekit.source.align import align_face, face_square, move_points
from degradekit.source.landmarks import Points
from degradekit.types import Array

FACE: Points = ((-20.0, -15.0), (20.0, -15.0), (1.0, 8.0), (-14.0, 27.0), (14.0, 27.0))
"""Around (0, 0): |e| = 40, |m| = 42."""


def placed(scale: float, angle: float, x: float, y: float) -> Points:
    """The face under a similarity transform."""
    c, s = scale * math.cos(angle), scale * math.sin(angle)
    return tuple((c * px - s * py + x, s * px + c * py + y) for px, py in FACE)


def with_dots(points: Points, h: int, w: int, sigma: float) -> Array:
    """A dark picture with a smooth dot at every point."""
    ys, xs = np.mgrid[:h, :w]
    dots = sum(np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / (2 * sigma * sigma)) for x, y in points)
    grey = np.clip(np.rint(20000 * np.asarray(dots)), 0, 65535).astype(np.uint16)
    return np.repeat(grey[..., None], 3, axis=2)


def centre_near(picture: Array, x: float, y: float, reach: int) -> tuple[float, float]:
    """Centre of gravity around a place."""
    x0, y0 = round(x), round(y)
    part = picture[y0 - reach : y0 + reach + 1, x0 - reach : x0 + reach + 1, 0].astype(float)
    ys, xs = np.mgrid[: part.shape[0], : part.shape[1]]
    return float((part * xs).sum() / part.sum()) + x0 - reach, float((part * ys).sum() / part.sum()) + y0 - reach


def test_an_upright_face_lies_where_the_formula_puts_it() -> None:
    """Half side max(2 40, 1.8 42) = 80 px, centre 4.2 px below the eyes' middle (0, -15)."""
    a, b, c, d, e, f = face_square(FACE, 512)
    assert (a, e) == pytest.approx((160 / 512, 160 / 512))
    assert (b, d) == pytest.approx((0, 0), abs=1e-12)
    assert (c, f) == pytest.approx((-80 + 80 / 512, -10.8 - 80 + 80 / 512))


@given(st.floats(0.1, 20), st.floats(-math.pi, math.pi), st.floats(-500, 500), st.floats(-500, 500))
def test_every_similar_face_comes_to_lie_at_the_same_places(scale: float, angle: float, x: float, y: float) -> None:
    points = placed(scale, angle, x, y)
    canonical = move_points(FACE, face_square(FACE, 512))
    np.testing.assert_allclose(move_points(points, face_square(points, 512)), canonical, atol=1e-6)


@pytest.mark.parametrize(("scale", "angle"), [(0.8, 0.0), (1.3, 0.4), (2.6, -1.1), (3.1, math.pi / 2)])
@pytest.mark.parametrize("size", [64, 256])
def test_the_pixels_go_where_the_landmarks_go(scale: float, angle: float, size: int) -> None:
    """From enlarging 2 times to shrinking 8 times."""
    points = placed(scale, angle, 301.3, 288.7)
    aligned, moved = align_face(with_dots(points, 600, 620, 3 * scale), points, size)
    assert aligned.shape == (size, size, 3)
    assert aligned.dtype == np.uint16
    width = 3 * size / 160
    for x, y in moved[:2]:
        assert centre_near(aligned, x, y, math.ceil(3 * width)) == pytest.approx((x, y), abs=0.1)


def test_68_landmarks_are_aligned_by_eyes_and_mouth() -> None:
    points = [(float(i), 500.0 - i) for i in range(68)]
    for first, (x, y) in ((36, FACE[0]), (42, FACE[1])):
        for i in range(6):
            points[first + i] = (x + math.cos(i * math.pi / 3), y + math.sin(i * math.pi / 3))
    points[48], points[54] = FACE[3], FACE[4]
    assert face_square(tuple(points), 512) == pytest.approx(face_square(FACE, 512))


def test_a_face_of_its_final_size_keeps_its_pixels() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (300, 300, 3), np.uint8)
    points = tuple((x + 150, y + 150) for x, y in FACE)
    a, _, c, _, _, f = face_square(points, 160)
    assert a == 1
    points = tuple((x - c % 1, y - f % 1) for x, y in points)  # the square begins at whole pixels
    x0, y0 = math.floor(c), math.floor(f)
    aligned, _ = align_face(picture, points, 160)
    np.testing.assert_array_equal(aligned, picture[y0 : y0 + 160, x0 : x0 + 160])


def test_outside_the_picture_it_fades_into_one_colour() -> None:
    picture = (100 + 20 * np.random.default_rng(0).random((200, 200, 3))).astype(np.uint8)
    points = placed(1.5, 0.0, 190.0, 100.0)  # a square of 240 px, half of which lies right of the picture
    aligned, moved = align_face(picture, points, 240)
    x0 = round(points[0][0] - moved[0][0])
    assert aligned[:, : 200 - x0 - 30].std() > 3  # of 5.8, by interpolation between pixels
    assert aligned[20:-20, 200 - x0 + 20 :].std() < 1.5
    np.testing.assert_allclose(aligned[100, -5:].mean(), np.median(picture), atol=1)


def test_landmarks_that_make_no_square_are_refused() -> None:
    picture = np.zeros((50, 50, 3), np.uint8)
    with pytest.raises(SourceError, match="are one point"):
        align_face(picture, ((3.0, 3.0),) * 5, 64)
    with pytest.raises(SourceError, match="outside the picture"):
        align_face(picture, placed(1.0, 0.0, 900.0, 900.0), 64)
