"""Between sRGB-encoded samples and linear light."""

from __future__ import annotations

import numpy as np

from degradekit.ops.power import power
from degradekit.types import FloatImage

__all__ = ["encoded", "linear"]


def linear(x: FloatImage) -> FloatImage:
    """Decode sRGB: samples in proportion to the light.

    Args:
        x: float32, any shape, encoded. What overshoots [0, 1] goes on along the curve, below 0 mirrored.

    Returns:
        float32 of the same shape; :func:`encoded` gives ``x`` back within 1e-6 for values in [0, 1].

    Source: IEC 61966-2-1:1999, section 5.2.

    Example:
        >>> np.allclose(linear(np.array([0, 0.04, 0.5, 1], np.float32)), [0, 0.003096, 0.214041, 1], atol=1e-6)
        True
    """
    size = np.abs(x)
    curve = power((size + np.float32(0.055)) / np.float32(1.055), 2.4)
    return np.copysign(np.where(size <= np.float32(0.04045), size * np.float32(1 / 12.92), curve), x)


def encoded(x: FloatImage) -> FloatImage:
    """Encode linear light as sRGB.

    Args:
        x: float32, any shape. What overshoots [0, 1] goes on along the curve, below 0 mirrored.

    Returns:
        float32 of the same shape.

    Source: IEC 61966-2-1:1999, section 5.2.

    Example:
        >>> np.allclose(encoded(np.array([-0.214041, 0, 0.5, 1], np.float32)), [-0.5, 0, 0.735357, 1], atol=1e-6)
        True
    """
    size = np.abs(x)
    curve = power(size, 1 / 2.4)
    curve += (curve - np.float32(1)) * np.float32(0.055)  # 1.055 curve - 0.055, exact at 1
    return np.copysign(np.where(size <= np.float32(0.0031308), size * np.float32(12.92), curve), x)
