"""The inside of a camera, backwards and forwards: from a finished picture to raw data and back.

Forwards: white balance, colour matrix, gamma 1 / 2.2, tone curve 3 t^2 - 2 t^3. Backwards: their inverses. The inverse
of the white balance darkens, except near white, where it fades out so that highlights stay white (equation 10 of the
paper). Both curves, each with its gamma, are tables of 8192 steps with straight lines between them; together they give
a sample back within 1e-4.

Source: T. Brooks, B. Mildenhall, T. Xue, J. Chen, D. Sharlet, J. T. Barron, "Unprocessing images for learned raw
denoising", CVPR 2019, arXiv:1811.11127, section 3.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy import float32

from degradekit.jit import inline, kernel
from degradekit.types import Array, FloatImage

__all__ = ["develop", "rgb_to_camera", "to_camera"]

_STEPS = 8192
_GAMMA = 2.2
_RGB_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
# XYZ to camera, as published with the paper for four cameras.
_XYZ_TO_CAMERA = np.array(
    [
        [[1.0234, -0.2969, -0.2266], [-0.5625, 1.6328, -0.0469], [-0.0703, 0.2188, 0.6406]],
        [[0.4913, -0.0541, -0.0202], [-0.6130, 1.3513, 0.2906], [-0.1564, 0.2151, 0.7183]],
        [[0.8380, -0.2630, -0.0639], [-0.2887, 1.0725, 0.2496], [-0.0627, 0.1427, 0.5438]],
        [[0.6596, -0.2079, -0.0562], [-0.4782, 1.3016, 0.1933], [-0.0970, 0.1581, 0.5181]],
    ]
)


def rgb_to_camera(weights: tuple[float, ...]) -> tuple[float, ...]:
    """Colour matrix of a camera between four measured ones.

    Args:
        weights: Share of each camera, 0 or more; their sum does not count.

    Returns:
        3x3 matrix row by row, rounded to 7 digits; every row sums to 1, so that white stays white.

    Example:
        >>> matrix = rgb_to_camera((1, 0, 0, 0))
        >>> [round(sum(matrix[3 * i : 3 * i + 3]), 6) for i in range(3)]
        [1.0, 1.0, 1.0]
    """
    mixed = np.tensordot(np.asarray(weights) / sum(weights), _XYZ_TO_CAMERA, axes=1) @ _RGB_TO_XYZ
    mixed /= mixed.sum(axis=1, keepdims=True)
    return tuple(float(f"{value:.7g}") for value in mixed.ravel())


def to_camera(x: FloatImage, matrix: Array, gains: Array) -> FloatImage:
    """Linear light as the sensor's three colours see it.

    Args:
        x: float32 ``[H, W, 3]``, sRGB-encoded; cut to [0, 1].
        matrix: ``[3, 3]`` from RGB to camera.
        gains: ``[3]`` of the white balance, exposure included; their inverses darken the picture.

    Returns:
        float32 ``[H, W, 3]``.
    """
    out = np.empty(x.shape, np.float32)
    _to_camera(x, _to_linear(), np.asarray(matrix, np.float32), np.asarray(1 / gains, np.float32), out)
    return out


def develop(x: FloatImage, matrix: Array) -> FloatImage:
    """The finished picture of white-balanced camera colours.

    Args:
        x: float32 ``[H, W, 3]``.
        matrix: ``[3, 3]`` from camera to RGB.

    Returns:
        float32 ``[H, W, 3]`` in [0, 1].
    """
    out = np.empty(x.shape, np.float32)
    _develop(x, _to_encoded(), np.asarray(matrix, np.float32), out)
    return out


@lru_cache(maxsize=1)
def _to_linear() -> FloatImage:
    """Inverse tone curve and gamma at k / 8192. Cached, because it is a constant."""
    x = np.linspace(0, 1, _STEPS + 1)
    tone = 0.5 - np.sin(np.arcsin(1 - 2 * x) / 3)
    return np.append(np.maximum(tone, 0) ** _GAMMA, 1.0).astype(np.float32)  # one more, for the line that leaves 1


@lru_cache(maxsize=1)
def _to_encoded() -> FloatImage:
    """Gamma and tone curve at k / 8192. Cached, because it is a constant."""
    x = np.linspace(0, 1, _STEPS + 1) ** (1 / _GAMMA)
    return np.append(x * x * (3 - 2 * x), 1.0).astype(np.float32)


@inline
def _look_up(table: Array, value: float32) -> float32:
    at = min(max(value, float32(0)), float32(1)) * float32(_STEPS)
    step = np.int32(at)
    below: float32 = table[step]
    return float32(below + (at - float32(step)) * (table[step + 1] - below))


@kernel
def _to_camera(x: Array, table: Array, m: Array, inverse: Array, out: Array) -> None:
    h, w, _ = x.shape
    for i in range(h):
        for j in range(w):
            red, green, blue = _look_up(table, x[i, j, 0]), _look_up(table, x[i, j, 1]), _look_up(table, x[i, j, 2])
            r = m[0, 0] * red + m[0, 1] * green + m[0, 2] * blue
            g = m[1, 0] * red + m[1, 1] * green + m[1, 2] * blue
            b = m[2, 0] * red + m[2, 1] * green + m[2, 2] * blue
            bright = max((r + g + b) * float32(1 / 3) - float32(0.9), float32(0)) * float32(10)
            white = min(bright * bright, float32(1))
            out[i, j, 0] = r * max(inverse[0], inverse[0] + white * (float32(1) - inverse[0]))
            out[i, j, 1] = g * max(inverse[1], inverse[1] + white * (float32(1) - inverse[1]))
            out[i, j, 2] = b * max(inverse[2], inverse[2] + white * (float32(1) - inverse[2]))


@kernel
def _develop(x: Array, table: Array, m: Array, out: Array) -> None:
    h, w, _ = x.shape
    for i in range(h):
        for j in range(w):
            r, g, b = x[i, j, 0], x[i, j, 1], x[i, j, 2]
            for c in range(3):
                out[i, j, c] = _look_up(table, m[c, 0] * r + m[c, 1] * g + m[c, 2] * b)
