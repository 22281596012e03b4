"""Decoded video frames to 8-bit RGB, by the matrix and range that the stream states, the same on every machine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
from numpy import float32

from degradekit.errors import SourceError
from degradekit.jit import inline, kernel
from degradekit.types import Array

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

__all__ = ["to_rgb"]

_MATRICES = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114)}
"""ITU-T H.273 MatrixCoefficients -> weights of red and blue in luma: BT.709, BT.470BG and BT.601."""
_UNSTATED = 2
_HDR = {14: "BT.2020 10-bit", 15: "BT.2020 12-bit", 16: "PQ (HDR10)", 18: "HLG"}
_BT2020 = 9
_FULL = 2
_PLANAR = re.compile(r"yuv(j?)(420|422|444)p(?:(10|12)le)?$|gray(?:(10|12)le)?$")
_FACTORS = {"420": (2, 2), "422": (1, 2), "444": (1, 1), None: (1, 1)}


def to_rgb(frame: VideoFrame, uri: str) -> Array:
    """Convert one decoded frame.

    Chroma samples are taken to lie in the middle of the pixels that they stand for and interpolated linearly. Where a
    stream does not state its matrix, it is BT.709 from 720 rows on and BT.601 below; where it does not state its range,
    limited. The transfer function is taken for that of sRGB, as players do. 10 and 12 bits are rounded to 8 in RGB.

    Args:
        frame: With planar Y'CbCr, grey or RGB samples of 8 bits, or Y'CbCr or grey of 10 or 12.
        uri: What to call it in errors.

    Returns:
        uint8 ``[H, W, 3]``, upright.

    Raises:
        SourceError: The samples are of another layout, high dynamic range, a wider gamut, or interlaced.
    """
    _check(frame, uri)
    name = frame.format.name
    if name in ("rgb24", "bgr24", "gbrp"):
        rgb: Array = frame.to_ndarray(format="rgb24")
        return _upright(rgb, frame.rotation)
    layout = _PLANAR.match("yuv420p" if name == "nv12" else name)
    if layout is None:
        raise SourceError(f"{uri} has samples of the format {name}; convert it, to yuv420p or yuv444p, say")
    if name == "nv12":
        frame = frame.reformat(format="yuv420p")  # moves samples, computes nothing
    bits = int(layout[3] or layout[4] or 8)
    grey = layout[2] is None
    planes = [_plane(frame, i, bits) for i in range(1 if grey else 3)]
    h, w = planes[0].shape
    y, cb, cr = planes if not grey else (*planes, *[np.full((h, w), 128 << bits - 8, np.uint16)] * 2)
    full = layout[1] == "j" or frame.color_range == _FULL or (grey and frame.color_range == 0)
    out = np.empty((h, w, 3), np.uint8)
    rows, columns = _FACTORS[layout[2]]
    _convert(y, cb, cr, rows, columns, _coefficients(_matrix(frame), full=full, bits=bits), out)
    return _upright(out, frame.rotation)


def _check(frame: VideoFrame, uri: str) -> None:
    if frame.interlaced_frame:
        raise SourceError(f"{uri} is interlaced; deinterlace it, or leave it out")
    if frame.color_trc in _HDR or frame.color_primaries == _BT2020:
        kind = _HDR.get(frame.color_trc, "BT.2020")
        raise SourceError(f"{uri} is {kind} video; convert it to BT.709, or leave it out")


def _matrix(frame: VideoFrame) -> tuple[float, float]:
    stated = _MATRICES.get(int(frame.colorspace))
    if stated is None:
        return _MATRICES[1 if frame.height >= 720 else 6]
    return stated


def _plane(frame: VideoFrame, i: int, bits: int) -> Array:
    plane = frame.planes[i]
    kind = np.dtype(np.uint8 if bits == 8 else "<u2")
    lines = np.frombuffer(memoryview(plane), kind).reshape(plane.height, plane.line_size // kind.itemsize)
    return lines[:, : plane.width].astype(np.uint16)


def _coefficients(matrix: tuple[float, float], *, full: bool, bits: int) -> Array:
    """Middle of chroma, black, gain of luma, gains of Cr in red, Cb and Cr in green, Cb in blue; in 8-bit levels."""
    red, blue = matrix
    green = 1 - red - blue
    scale = 2.0 ** (bits - 8)
    black, luma, chroma = (
        (0.0, (256 * scale - 1), (256 * scale - 1)) if full else (16 * scale, 219 * scale, 224 * scale)
    )
    gains = (2 - 2 * red, -2 * blue * (1 - blue) / green, -2 * red * (1 - red) / green, 2 - 2 * blue)
    return np.array([128 * scale, black, 255 / luma, *(255 * gain / chroma for gain in gains)], np.float32)


def _upright(rgb: Array, rotation: int) -> Array:
    if rotation % 90:
        return rgb
    return np.ascontiguousarray(np.rot90(rgb, rotation // 90 % 4))


@kernel
def _convert(y: Array, cb: Array, cr: Array, rows: int, columns: int, k: Array, out: Array) -> None:
    """Interpolate chroma and apply the matrix, pixel by pixel."""
    h, w = y.shape
    blue, red = np.empty(w, np.float32), np.empty(w, np.float32)
    for i in range(h):
        near = i // rows
        far = near if rows == 1 else min(max(near + 2 * (i & 1) - 1, 0), cb.shape[0] - 1)
        _row(cb, near, far, rows, columns, k[0], blue)
        _row(cr, near, far, rows, columns, k[0], red)
        for j in range(w):
            luma = (float32(y[i, j]) - k[1]) * k[2]
            out[i, j, 0] = _level(luma + red[j] * k[3])
            out[i, j, 1] = _level(luma + blue[j] * k[4] + red[j] * k[5])
            out[i, j, 2] = _level(luma + blue[j] * k[6])


@inline
def _row(plane: Array, near: int, far: int, rows: int, columns: int, middle: float32, out: Array) -> None:
    """One row of a colour difference at full width: 3/4 of the nearest samples, 1/4 of the next."""
    last = plane.shape[1] - 1
    for j in range(out.size):
        a = j // columns
        b = a if columns == 1 else min(max(a + 2 * (j & 1) - 1, 0), last)
        here = float32(3) * float32(plane[near, a]) + float32(plane[far, a])
        there = float32(3) * float32(plane[near, b]) + float32(plane[far, b])
        out[j] = (float32(3) * here + there) * float32(0.0625) - middle


@inline
def _level(v: float32) -> int:
    return int(min(max(v, float32(0)), float32(255)) + float32(0.5))
