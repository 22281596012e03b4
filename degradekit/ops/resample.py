"""Resizing as one small matrix for each axis, with explicit sizes and pixel centres that stay aligned.

Output pixel i of n looks at the input position x = (i + 1/2) m / n - 1/2, for m input pixels: both images cover the
same rectangle, whatever their sizes. A mode says which weights the pixels around x get; the rows of the matrix sum to
1, so a constant stays constant. The matrix of an axis whose size stays is the identity.

====================  =================================================  ==========================================
mode                  weight of a pixel at distance d from x             the same as
====================  =================================================  ==========================================
``nearest``           1 for the pixel that contains x + 1/2              torch ``nearest-exact``
``area``              share of the output pixel that it covers           OpenCV ``INTER_AREA`` when shrinking
``box``               1 for |d| < 1/2                                    antialiased: Pillow
``bilinear``          1 - |d|                                            torch, OpenCV; antialiased: torch, Pillow
``hermite``           2 |d|^3 - 3 d^2 + 1                                ImageMagick
``bicubic``           Keys' cubic, a = -3/4; antialiased a = -1/2        torch, OpenCV; antialiased: torch, Pillow
``catmull_rom``       Keys' cubic, a = -1/2                              ImageMagick
``mitchell``          Mitchell and Netravali's cubic, B = C = 1/3        ImageMagick
``b_spline``          cubic B-spline (B = 1, C = 0)                      ImageMagick
``gaussian``          exp(-2 d^2), |d| < 2                               ImageMagick
``lanczos2``          sinc(d) sinc(d/2), |d| < 2                         ImageMagick
``lanczos``           sinc(d) sinc(d/3), |d| < 3                         antialiased: Pillow
``matlab_bicubic``    Keys' cubic, a = -1/2, always antialiased          MATLAB ``imresize``
====================  =================================================  ==========================================

Antialiasing widens the weights by m / n when an axis shrinks; ``nearest`` and ``area`` have nothing to widen. Outside
the image, antialiased weights leave pixels out, ``matlab_bicubic`` mirrors with the edge pixel repeated, and all others
repeat the edge pixel. Weights are computed in float64 and applied as float32.

``b_spline`` and ``gaussian`` blur even where the size grows, ``mitchell`` a little; ``hermite``, ``box`` and
``bilinear`` never overshoot.

Source: R. Keys, "Cubic convolution interpolation for digital image processing", IEEE TASSP 29, 1981 (a);
D. P. Mitchell, A. N. Netravali, "Reconstruction filters in computer graphics", SIGGRAPH 1988 (B, C);
C. Duchon, "Lanczos filtering in one and two dimensions", J. Applied Meteorology 18, 1979; the others are those of
ImageMagick's ``-filter``.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy import float32, uint32

from degradekit.jit import inline, kernel
from degradekit.ops.quads import load, store, weigh, weigh_and_add
from degradekit.types import Array, FloatImage

__all__ = ["MODES", "Mode", "axis_weights", "resize", "rows_first"]

Mode: TypeAlias = Literal[
    "nearest",
    "area",
    "box",
    "bilinear",
    "hermite",
    "bicubic",
    "catmull_rom",
    "mitchell",
    "b_spline",
    "gaussian",
    "lanczos2",
    "lanczos",
    "matlab_bicubic",
]
MODES: tuple[Mode, ...] = get_args(Mode)

_BOX, _TRIANGLE, _HERMITE, _CUBIC_75, _CUBIC_50, _MITCHELL, _B_SPLINE, _GAUSSIAN, _LANCZOS2, _LANCZOS3 = range(10)
_SHAPES = {
    "box": _BOX,
    "bilinear": _TRIANGLE,
    "hermite": _HERMITE,
    "bicubic": _CUBIC_75,
    "catmull_rom": _CUBIC_50,
    "mitchell": _MITCHELL,
    "b_spline": _B_SPLINE,
    "gaussian": _GAUSSIAN,
    "lanczos2": _LANCZOS2,
    "lanczos": _LANCZOS3,
    "matlab_bicubic": _CUBIC_50,
}
_REPEAT, _MIRROR, _OMIT = range(3)


def resize(
    x: FloatImage, h: int, w: int, *, mode: Mode, antialias: bool = False, step: float | None = None
) -> FloatImage:
    """Resample every frame to ``h`` x ``w`` pixels.

    Args:
        x: float32 ``[T, H, W, C]``, any range.
        h: New height in px.
        w: New width in px.
        mode: See the table of this module.
        antialias: Widen the weights by the factor of shrinking; fewer aliases, more blur.
        step: Input pixels from one output pixel to the next, on both axes, from the top left corner; what fits the
            sizes unless given. ``nearest`` and ``area`` take no notice.

    Returns:
        float32 ``[T, h, w, C]``, ``x`` itself when the size stays and no step is given. Weights that can be negative
        (the bicubic ones, ``mitchell`` and both Lanczos) overshoot at edges; nothing is clipped.

    Example:
        >>> ramp = np.arange(8, dtype=np.float32).reshape(1, 1, 8, 1)
        >>> resize(ramp, 1, 4, mode="bilinear").ravel().tolist()
        [0.5, 2.5, 4.5, 6.5]
        >>> resize(ramp, 1, 2, mode="area").ravel().tolist()
        [1.5, 5.5]
    """
    t, height, width, c = x.shape
    if (h, w) == (height, width) and step is None:
        return x
    first_y, weights_y = axis_weights(height, h, mode, antialias=antialias, step=step)
    first_x, weights_x = axis_weights(width, w, mode, antialias=antialias, step=step)
    out = np.empty((t, h, w, c), np.float32)
    for frame, target in zip(x, out, strict=True):
        _resample(frame.reshape(height, width * c), first_y, weights_y, first_x, weights_x, c, target.reshape(h, w * c))
    return out


def axis_weights(
    m: int, n: int, mode: Mode, *, antialias: bool = False, step: float | None = None
) -> tuple[Array, Array]:
    """The matrix that resamples an axis, as the non-zero part of its rows.

    Args:
        m: Pixels before.
        n: Pixels after.
        mode: See the table of this module.
        antialias: Widen the weights when shrinking.
        step: Input pixels from one output pixel to the next; m / n unless given.

    Returns:
        ``first``, uint32 ``[n]``, and ``weights``, float32 ``[n, K]``: output i is the sum over k of
        ``weights[i, k]`` times input ``first[i] + k``.

    Example:
        >>> first, weights = axis_weights(4, 2, "bicubic")
        >>> first.tolist(), weights[0].tolist()
        ([0, 0], [0.5, 0.59375, -0.09375, 0.0])
    """
    if m == n and step is None:
        return np.arange(n, dtype=np.uint32), np.ones((n, 1), np.float32)
    if mode == "nearest":
        return ((2 * np.arange(n) + 1) * m // (2 * n)).astype(np.uint32), np.ones((n, 1), np.float32)
    if mode == "area":
        return _area(m, n)
    step = m / n if step is None else step
    shape, border, stretch = _SHAPES[mode], _REPEAT, 1.0
    if mode == "matlab_bicubic":
        border, stretch = _MIRROR, max(step, 1.0)
    elif antialias:
        shape = _CUBIC_50 if mode == "bicubic" else shape
        border, stretch = _OMIT, max(step, 1.0)
    return _sampled(m, n, step, shape, stretch, border)


@kernel
def _area(m: int, n: int) -> tuple[Array, Array]:
    """Overlaps of output pixel [i m, (i + 1) m) with input pixels [j n, (j + 1) n), in whole numbers."""
    size = 1
    for i in range(n):
        size = max(size, ((i + 1) * m + n - 1) // n - i * m // n)
    first, weights = np.empty(n, np.uint32), np.empty((n, size), np.float32)
    for i in range(n):
        start = min(i * m // n, m - size)
        first[i] = start
        for k in range(size):
            j = start + k
            weights[i, k] = max(0, min((i + 1) * m, (j + 1) * n) - max(i * m, j * n)) / m
    return first, weights


@kernel
def _sampled(m: int, n: int, step: float, shape: int, stretch: float, border: int) -> tuple[Array, Array]:
    """Weights of a continuous shape, widened by ``stretch`` and sampled at the pixels; rows divided by their sums."""
    reach = _support(shape) * stretch
    taps = math.ceil(2.0 * reach)
    size = min(taps, m)
    scale = 1.0 / stretch
    first, weights = np.empty(n, np.uint32), np.empty((n, size), np.float32)
    row = np.empty(size, np.float64)
    for i in range(n):
        centre = (i + 0.5) * step - 0.5
        left = math.floor(centre - reach) + 1
        start = min(max(left, 0), m - size)
        row[:] = 0.0
        total = 0.0
        for j in range(left, left + taps):
            inside = min(max(j, 0), m - 1)
            if j != inside:
                if border == _OMIT:
                    continue
                if border == _MIRROR:
                    inside = j % (2 * m)
                    inside = min(inside, 2 * m - 1 - inside)
            weight = _weight(shape, abs(j - centre) * scale)
            row[inside - start] += weight
            total += weight
        first[i] = start
        for k in range(size):
            weights[i, k] = row[k] / total
    return first, weights


@inline
def _support(shape: int) -> float:
    if shape == _BOX:
        return 0.5
    if shape in (_TRIANGLE, _HERMITE):
        return 1.0
    return 3.0 if shape == _LANCZOS3 else 2.0


@inline
def _weight(shape: int, d: float) -> float:
    """Weight at distance ``d`` >= 0."""
    if shape == _BOX:
        return 1.0 if d <= 0.5 else 0.0  # of two pixels at 1/2 only the right one is asked for
    if d >= _support(shape):
        return 0.0
    if shape == _TRIANGLE:
        return 1.0 - d
    if shape == _HERMITE:
        return (2.0 * d - 3.0) * d * d + 1.0
    if shape == _GAUSSIAN:
        return math.exp(-2.0 * d * d)
    if shape in (_LANCZOS2, _LANCZOS3):
        lobes = _support(shape)
        return 1.0 if d == 0.0 else lobes * math.sin(math.pi * d) * math.sin(math.pi * d / lobes) / (math.pi * d) ** 2
    return _cubic(shape, d)


@inline
def _cubic(shape: int, d: float) -> float:
    """Mitchell and Netravali's cubic at ``d`` < 2; Keys' cubic is b = 0, c = -a."""
    b = 1.0 if shape == _B_SPLINE else 1.0 / 3.0 if shape == _MITCHELL else 0.0
    c = 0.0 if shape == _B_SPLINE else 1.0 / 3.0 if shape == _MITCHELL else 0.75 if shape == _CUBIC_75 else 0.5
    if d < 1.0:
        return (((12.0 - 9.0 * b - 6.0 * c) * d - (18.0 - 12.0 * b - 6.0 * c)) * d * d + (6.0 - 2.0 * b)) / 6.0
    return (((-(b + 6.0 * c) * d + (6.0 * b + 30.0 * c)) * d - (12.0 * b + 48.0 * c)) * d + (8.0 * b + 24.0 * c)) / 6.0


@kernel
def _resample(x: Array, first_y: Array, weights_y: Array, first_x: Array, weights_x: Array, c: int, out: Array) -> None:
    """Both axes in one pass over the rows, the cheaper order of the two."""
    taps_y, taps_x = weights_y.shape[1], weights_x.shape[1]
    line = np.zeros((1, x.shape[1] + 1), np.float32)  # pixels are loaded and stored with one float more
    if rows_first(x.shape, out.shape, taps_y, taps_x):
        result = np.empty((1, out.shape[1] + 1), np.float32)
        for y in range(out.shape[0]):
            _down(x, first_y[y], weights_y, y, line, 0)
            _along(line, 0, first_x, weights_x, c, result, 0)
            for i in range(out.shape[1]):
                out[y, i] = result[0, i]
    else:
        lines = np.empty((taps_y, out.shape[1] + 1), np.float32)  # input row r, resampled, is line r modulo taps_y
        ready = uint32(0)
        for y in range(out.shape[0]):
            ready = max(ready, first_y[y])
            while ready < first_y[y] + taps_y:
                for i in range(x.shape[1]):
                    line[0, i] = x[ready, i]
                _along(line, 0, first_x, weights_x, c, lines, ready % taps_y)
                ready = uint32(ready + 1)
            _down(lines, first_y[y], weights_y, y, out, y)


@inline
def rows_first(before: tuple[int, int], after: tuple[int, int], taps_y: int, taps_x: int) -> bool:
    """Whether it is cheaper to resample columns of rows before rows, for arrays of these shapes."""
    # Measured costs of a tap and output float: 1 down a column, where rows are vectors; 5 along a row, pixel by pixel.
    along = 5 * taps_x + 5
    return after[0] * (before[1] * taps_y + after[1] * along) <= after[1] * (before[0] * along + after[0] * taps_y)


@inline
def _down(x: Array, first: int, weights: Array, row: int, out: Array, y: int) -> None:
    """Weighted sum of rows; the rows of ``x`` may be a ring."""
    rows, taps, n = x.shape[0], weights.shape[1], min(x.shape[1], out.shape[1])
    if taps == 1:
        r0, w0 = first % rows, weights[row, 0]
        for i in range(n):
            out[y, i] = w0 * x[r0, i]
        return
    for k in range(0, taps - 1, 2):
        r0, r1 = (first + k) % rows, (first + k + 1) % rows
        w0, w1 = weights[row, k], weights[row, k + 1]
        if k == 0:
            for i in range(n):
                out[y, i] = w0 * x[r0, i] + w1 * x[r1, i]
        else:
            for i in range(n):
                out[y, i] += w0 * x[r0, i] + w1 * x[r1, i]
    if taps % 2 == 1:
        r0, w0 = (first + taps - 1) % rows, weights[row, taps - 1]
        for i in range(n):
            out[y, i] += w0 * x[r0, i]


@inline
def _along(x: Array, row: int, first: Array, weights: Array, c: int, out: Array, y: int) -> None:
    """Weighted sums along a row of interleaved channels; rows of ``x`` and ``out`` end in a spare float."""
    n, taps = weights.shape
    if c != 3:
        for i in range(n):
            for j in range(c):
                s, total = uint32(c * first[i] + j), float32(0.0)
                for k in range(taps):
                    total += weights[i, k] * x[row, s + c * k]
                out[y, c * i + j] = total
    elif taps == 2:
        for i in range(n):
            s = 3 * first[i]
            pixel = weigh(load(x, row, s), weights[i, 0])
            store(out, y, 3 * i, weigh_and_add(pixel, load(x, row, s + 3), weights[i, 1]))
    elif taps == 4:
        for i in range(n):
            s = 3 * first[i]
            pixel = weigh(load(x, row, s), weights[i, 0])
            pixel = weigh_and_add(pixel, load(x, row, s + 3), weights[i, 1])
            pixel = weigh_and_add(pixel, load(x, row, s + 6), weights[i, 2])
            store(out, y, 3 * i, weigh_and_add(pixel, load(x, row, s + 9), weights[i, 3]))
    else:
        for i in range(n):
            s = 3 * first[i]
            pixel = weigh(load(x, row, s), weights[i, 0])
            for k in range(1, taps):
                pixel = weigh_and_add(pixel, load(x, row, s + 3 * k), weights[i, k])
            store(out, y, 3 * i, pixel)
