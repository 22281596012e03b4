"""Alignment of faces as in FFHQ: eyes and mouth of every face come to lie at the same places.

With e the vector from the left eye to the right one, m that from the middle of the eyes to the middle of the mouth and
v' = (-v_y, v_x) a vector turned by a quarter, the square that is cut out has the half sides x and x',

    x = (e - m') / |e - m'| max(2 |e|, 1.8 |m|)

and its centre a tenth of m below the middle of the eyes.

Source: T. Karras, T. Aila, S. Laine, J. Lehtinen, "Progressive Growing of GANs for Improved Quality, Stability, and
Variation", ICLR 2018, arXiv:1710.10196, appendix C; as used for FFHQ in T. Karras, S. Laine, T. Aila, "A Style-Based
Generator Architecture for Generative Adversarial Networks", arXiv:1812.04948, whose script also gives the padding.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from degradekit.errors import SourceError
from degradekit.source.landmarks import Points
from degradekit.types import Affine, Array

__all__ = ["align_face", "face_square", "move_points"]

FINEST = 4
"""Samples of each direction that a pixel of the aligned face is the mean of, at most, as in FFHQ."""
REACH = 0.3
"""Width of the border that fades, in sides of the square."""


def face_square(points: Points, size: int) -> Affine:
    """Where the pixels of an aligned face look in the picture.

    Args:
        points: Five or 68 landmarks.
        size: Side of the aligned face in px.

    Returns:
        (a, b, c, d, e, f): its pixel (u, v) shows the point (a u + b v + c, d u + e v + f).

    Raises:
        SourceError: The landmarks are one point.
    """
    at = np.array(points)
    if len(at) == 5:
        left, right, mouth = at[0], at[1], (at[3] + at[4]) / 2
    else:
        left, right, mouth = at[36:42].mean(axis=0), at[42:48].mean(axis=0), (at[48] + at[54]) / 2
    eyes = (left + right) / 2
    across, down = right - left, mouth - eyes
    x = across - _turned(down)
    length = float(np.hypot(*x))
    if length == 0:
        raise SourceError("the landmarks of this face are one point; correct or remove them")
    x *= max(2 * float(np.hypot(*across)), 1.8 * float(np.hypot(*down))) / length
    y = _turned(x)
    corner = eyes + 0.1 * down - x - y
    step_u, step_v = 2 * x / size, 2 * y / size
    start = corner + (step_u + step_v) / 2
    return (*map(float, (step_u[0], step_v[0], start[0], step_u[1], step_v[1], start[1])),)  # type: ignore[return-value]


def align_face(picture: Array, points: Points, size: int) -> tuple[Array, Points]:
    """Turn, scale and cut one face.

    What lies outside the picture is continued by reflection, and fades into a blur and then into the median colour.

    Args:
        picture: uint8 or uint16 ``[H, W, 3]``.
        points: Five or 68 landmarks in it.
        size: Side of the aligned face in px.

    Returns:
        ``[size, size, 3]`` of the same dtype, and the landmarks in it.

    Raises:
        SourceError: The landmarks are one point, or lie outside the picture.

    Example:
        >>> face = ((100.0, 100.0), (140.0, 100.0), (120.0, 125.0), (105.0, 145.0), (135.0, 145.0))
        >>> aligned, moved = align_face(np.zeros((240, 240, 3), np.uint8), face, 512)
        >>> aligned.shape, [round(n, 1) for n in moved[0] + moved[1]]
        ((512, 512, 3), [192.3, 241.3, 318.7, 241.3])
    """
    grid = face_square(points, size)
    a, b, c, d, e, f = grid
    side = math.hypot(a, d) * size
    corners = np.array([(a * u + b * v + c, d * u + e * v + f) for u in (0, size - 1) for v in (0, size - 1)])
    border = max(round(side * 0.1), 3)
    part, left, top = _part(picture, corners, border=border, side=side)
    coarse = max(int(side / size / 2), 1)
    h, w = (n - n % coarse for n in part.shape[:2])
    if coarse > 1:
        part = cv2.resize(part[:h, :w], (w // coarse, h // coarse), interpolation=cv2.INTER_AREA)
    fine = min(max(math.ceil(side / coarse / size), 1), FINEST)
    # From a sample of the fine grid to the aligned face, to the part of the picture, and to that at its coarse size.
    shift = 0.5 / fine - 0.5
    start = (a + b) * shift + c - left, (d + e) * shift + f - top
    to_part = np.array([[a / fine, b / fine, start[0] + 0.5], [d / fine, e / fine, start[1] + 0.5]]) / coarse
    to_part[:, 2] -= 0.5
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(part, to_part, (size * fine,) * 2, flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    if fine > 1:
        warped = cv2.resize(warped, (size, size), interpolation=cv2.INTER_AREA)
    top = np.iinfo(picture.dtype).max
    return np.clip(np.rint(warped), 0, top).astype(picture.dtype), move_points(points, grid)


def move_points(points: Points, grid: Affine) -> Points:
    """Where points of a picture lie in another one, whose pixel (u, v) shows the point (a u + b v + c, d u + e v + f).

    Example:
        >>> move_points(((10.0, 4.0),), (2.0, 0.0, 0.5, 0.0, 2.0, 0.5))
        ((4.75, 1.75),)
    """
    a, b, c, d, e, f = grid
    determinant = a * e - b * d
    return tuple(
        ((e * (x - c) - b * (y - f)) / determinant, (a * (y - f) - d * (x - c)) / determinant) for x, y in points
    )


def _turned(v: Array) -> Array:
    return np.array([-v[1], v[0]])


def _part(picture: Array, corners: Array, *, border: int, side: float) -> tuple[Array, int, int]:
    """What of the picture is around the corners (x, y), as float32, and the place of its top left pixel (x, y)."""
    h, w = picture.shape[:2]
    low = np.floor(corners.min(axis=0)).astype(int)
    high = np.ceil(corners.max(axis=0)).astype(int) + 1
    reaches_out = min(low) < 0 or high[0] > w or high[1] > h
    (x0, y0), (x1, y1) = (low - border).tolist(), (high + border).tolist()
    inside = picture[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)].astype(np.float32)
    if not inside.size:
        raise SourceError("the landmarks lie outside the picture; correct or remove them")
    if not reaches_out:
        return inside, max(x0, 0), max(y0, 0)
    return _extended(inside, (max(-y0, 0), max(y1 - h, 0)), (max(-x0, 0), max(x1 - w, 0)), side), x0, y0


def _extended(inside: Array, rows: tuple[int, int], columns: tuple[int, int], side: float) -> Array:
    """Add so many rows before and after, and columns; what is added fades."""
    part = np.pad(inside, (rows, columns, (0, 0)), mode="reflect")
    reach = round(side * REACH)
    below, beside = (_outside(*ends, n, reach) for ends, n in zip((rows, columns), part.shape[:2], strict=True))
    outside = np.maximum(below[:, None], beside[None, :])[..., None]
    blurred = cv2.GaussianBlur(part, (0, 0), side * 0.02)
    part += (blurred - part) * np.clip(3 * outside + 1, 0, 1)
    part += (np.median(part, axis=(0, 1)) - part) * np.clip(outside, 0, 1)
    return part.astype(np.float32)


def _outside(before: int, after: int, n: int, reach: int) -> Array:
    """How far outside every one of ``n`` samples is, in reaches: 0 at the first that was added, -1 far inside."""
    x = np.arange(n, dtype=np.float32)
    outside = np.full(n, -1, np.float32)
    if before:
        outside = np.maximum(outside, (before - x) / max(before, reach))
    if after:
        outside = np.maximum(outside, (x - (n - 1 - after)) / max(after, reach))
    return outside
