"""How far is every step of the Real-ESRGAN recipe from the least time that its arithmetic is known to take?

The floors are expected milliseconds a pair over 6,000 draws of the recipe, summed from compiled AVX-512 float32 kernels
for planes already in memory, each measured alone and warm on one core (AMD Zen 4, 3.5 GHz): blurs as separable filters
of the lowest rank whose error is below half a grey level, the unsharp mask's two Gaussians with all 51 taps, JPEG as
DCT, quantisation and inverse DCT without entropy coding, normal noise by Box and Muller from a hash of a few
operations, Poisson noise from a table, resizes by OpenCV. The yardstick took 5.83 ms there: a floor goes to another
machine in proportion to its yardstick, which is right within some 20 %.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

__all__ = ["FLOORS", "floors"]

YARDSTICK_MS = 5.83
"""One 21x21 ``cv2.filter2D`` of 400x400x3 float32 on the core of the floors."""

SMALL = "100x100: the fixed part of a call is most of it, with code and data that other steps have pushed out of L1"
NOISE = (
    "Philox, so that any part of a field can be made again anywhere, takes three quarters of the floor by itself (the "
    "floor's hash a tenth); exact Poisson tables, 256 kB, are read from L2 at random"
)
LIBJPEG = "libjpeg's 13-bit integers bit for bit, from and to interleaved RGB; the floor is a float DCT of planes"
FLOORS: dict[str, tuple[float, str]] = {
    "sharpen": (3.944, ""),
    "blur1": (1.209, ""),
    "resize1": (0.228, ""),
    "noise1": (0.180, NOISE),
    "jpeg1": (0.155, LIBJPEG),
    "blur2": (0.626, ""),
    "resize2": (0.103, ""),
    "noise2": (0.0137, f"{SMALL}; Philox as above"),
    "sinc": (0.123, ""),
    "jpeg2": (0.013, SMALL),
    "resize3": (0.0098, SMALL),
    "u8 <-> f32": (0.039, "bound by memory"),
}
"""Step -> floor in ms a pair, and why the engine is further than 1.5 times from it, where it is."""

CONVERSIONS = ("u8 -> f32", "f32 -> u8")


def floors(steps: list[dict[str, Any]], yardstick_ms: float) -> list[dict[str, Any]]:
    """Set the steps of ``steps.py``, added up by their place in the recipe, against the floors.

    Args:
        steps: Rows of ``steps.py``.
        yardstick_ms: The yardstick on this machine.
    """
    ours: dict[str, float] = defaultdict(float)
    for step in steps:
        name = step["step"]
        ours["u8 <-> f32" if name in CONVERSIONS else name.split(" ")[0].rpartition(".")[2]] += step["ms_per_pair"]
    rows = []
    for place, (there, reason) in FLOORS.items():
        if place in ours:
            floor = there * yardstick_ms / YARDSTICK_MS
            rows.append({"step": place, "ms_per_pair": ours[place], "floor_ms": floor, "ratio": ours[place] / floor})
            if rows[-1]["ratio"] > 1.5:
                rows[-1]["why"] = reason
    return rows
