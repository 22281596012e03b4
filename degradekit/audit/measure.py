"""Everything that is measured on the pixels of one pair, through its partner.

The GT says what the LQ ought to show, so noise, blur and shift are measured against R, the GT reduced to the LQ's size
by an antialiased cubic; blind estimates on small tiles follow the content instead. Luma is Y = 0.299 R + 0.587 G +
0.114 B of sRGB values, 0..255, unless said otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from degradekit.audit import spectrum
from degradekit.audit.clip import CLIP_MEASURES
from degradekit.audit.lattice import grid_phase, jpeg_lattice
from degradekit.audit.shift import measure_shift
from degradekit.ops.resample import resize
from degradekit.types import Array

__all__ = ["MEASURES", "PairMeasures", "as_levels", "measure_pair", "perceptual_hash", "turned_hashes"]

MEASURES: dict[str, str] = {
    "psnr_y": "dB; PSNR of bicubic(LQ) against GT, BT.601 Y 16..235 not rounded, range 255, border of scale px cut",
    "ssim_y": "SSIM of the same planes (Gaussian window 11 px, sigma 1.5)",
    "psnr_r": "dB; PSNR-Y of LQ against R, the reduced GT",
    "shift_x": "GT px; where the LQ looks in the GT, right of where pixel centres say; expected shift taken off",
    "shift_y": "GT px; the same downwards",
    "shift_sigma": "GT px; standard error of both",
    "shift_fit": "correlation of LQ and R once aligned, 0..1",
    "expected_x": "GT px; the shift that the plan records, 0 without a plan",
    "expected_y": "GT px; the same downwards",
    "hash_distance": "bits of 64 in which the perceptual hashes of GT and LQ differ",
    "thumb_ncc": "correlation of GT and LQ as 16x16 thumbnails",
    "remade": "share of LQ values that GT and plan make again, to two levels; NaN where the pair is not in doubt",
    "same": "share of LQ values within one level of R",
    "delta_r": "levels; mean of LQ - R in red",
    "delta_g": "levels; mean of LQ - R in green",
    "delta_b": "levels; mean of LQ - R in blue",
    "swap": "number of the channel order that fits best, 0 for RGB as it is, 1..5 otherwise",
    "swap_gain": "squared error with the channels as they are over that with the best order",
    "tone": "exponent g of LQ ~ R^g that fits best, over pixels of middle brightness",
    "blur": "LQ px; Gaussian sigma that explains how LQ follows R over frequency",
    "noise": "levels of Y; standard deviation of what in LQ does not follow R, from a quarter of the sampling rate on",
    "lq_quality": "libjpeg quality whose table explains the LQ best, NaN where none does",
    "lq_jpeg": "nats; gain of that table over no JPEG",
    "lq_coefficients": "how many DCT coefficients of the LQ that rests on",
    "gt_quality": "libjpeg quality whose table explains the GT best, NaN where none does",
    "gt_jpeg": "nats; gain of that table over no JPEG",
    "gt_detail": "natural log of the GT's power in the outermost octave's upper half over the middle band's",
    "gt_noise_floor": "levels of Y; standard deviation of the GT in its highest frequencies",
    "gt_clipped": "share of GT pixels with a channel at 0 or 255",
    "gt_p5": "5th percentile of the GT's Y, 0..1",
    "gt_p99": "99th percentile of the GT's Y, 0..1",
    "gt_flat": "share of 16x16 blocks of the GT whose variance is below 4",
    "gt_bars": "rows and columns of one colour at the GT's borders over its side",
    "r_std": "levels; standard deviation of Y of R",
    "lq_mean": "levels; mean Y of the LQ",
    "lq_std": "levels; standard deviation of Y of the LQ",
    **CLIP_MEASURES,
}
"""Name of every measured number, with its unit and meaning; of a clip all but the last ones are its middle frame's."""

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_ORDERS = ((0, 1, 2), (2, 1, 0), (1, 0, 2), (0, 2, 1), (1, 2, 0), (2, 0, 1))
ORDER_NAMES = ("RGB", "BGR", "GRB", "RBG", "GBR", "BRG")
_FLIPS = np.stack([np.outer((1, y) * 4, (1, x) * 4) for y in (1, -1) for x in (1, -1)]).astype(np.float32)
RESIDUAL_SIDE = 32
CENTRE = 256
"""Side in px of the central part of a GT that spectra are taken of."""


@dataclass(frozen=True, slots=True)
class PairMeasures:
    """What was measured on one pair.

    Args:
        values: By name, those of ``MEASURES``.
        hash: Perceptual hash of the GT; 0 where it has no features.
        turned: The same of its eight flips and rotations, itself first.
        residual: High frequencies of LQ - R in the middle of the picture, float16 ``[32, 32]`` of norm 1, or empty.
        gt_spectrum: ln of the radial power of the GT, ``[spectrum.BINS]``.
        lq_spectrum: The same of the LQ.
        r_spectrum: The same of R.
        transfer: H(f), how LQ follows R, ``[spectrum.BINS]``.
    """

    values: Mapping[str, float]
    hash: int
    turned: tuple[int, ...]
    residual: Array
    gt_spectrum: Array
    lq_spectrum: Array
    r_spectrum: Array
    transfer: Array


def as_levels(clip: Array) -> Array:
    """The middle frame of a stored clip as float32 RGB ``[H, W, 3]``, 0..255 whatever its depth; grey is repeated."""
    frame = clip[len(clip) // 2]
    levels: Array = frame.astype(np.float32)
    if frame.dtype == np.uint16:
        levels *= np.float32(255 / 65535)
    return np.repeat(levels, 3, axis=2) if levels.shape[2] == 1 else levels[..., :3]


def measure_pair(
    gt: Array, lq: Array, *, scale: int, expected: tuple[float, float] = (0.0, 0.0), quality: bool = True
) -> PairMeasures:
    """Measure one pair.

    Args:
        gt: float32 RGB ``[H, W, 3]`` of levels, see ``as_levels``.
        lq: The same, ``[H / scale, W / scale, 3]``.
        scale: GT side / LQ side.
        expected: Shift (x, y) of the LQ in GT px that its plan records.
        quality: Also PSNR and SSIM, a third of the time.
    """
    h, w = lq.shape[:2]
    r = gt if scale == 1 else _reduced(gt, h, w)
    gt_ends = _ends(gt)
    gt_y, lq_y, r_y = gt @ _LUMA, lq @ _LUMA, r @ _LUMA
    turned, lq_hash = turned_hashes(gt_y), perceptual_hash(lq_y)
    gt_hash = turned[0]
    spectra = _spectra(gt_y, lq_y, r_y)
    values = {
        **(_quality(gt_y, lq_y, scale) if quality else {}),
        "psnr_r": _psnr(float(np.mean((lq_y - r_y) ** 2)) * (219 / 255) ** 2),
        **_shift(r_y, lq_y, scale, expected, spectra.values["blur"]),
        "hash_distance": float((gt_hash ^ lq_hash).bit_count()) if gt_hash and lq_hash else math.nan,
        "thumb_ncc": _correlation(_thumb(gt_y), _thumb(lq_y)),
        "same": float(np.mean(np.abs(lq - r) <= 1.5)),
        **_colour(lq, r),
        **spectra.values,
        **_jpeg(gt_ends, gt_y, lq, lq_y),
        **_exposure(gt_ends, gt_y),
        "r_std": float(r_y.std()),
        "lq_mean": float(lq_y.mean()),
        "lq_std": float(lq_y.std()),
    }
    return PairMeasures(
        {name: values.get(name, math.nan) for name in MEASURES},
        gt_hash,
        turned,
        _residual(lq_y - r_y),
        spectra.gt,
        spectra.lq,
        spectra.r,
        spectra.transfer,
    )


def perceptual_hash(y: Array) -> int:
    """64-bit hash of a picture's coarse structure: signs of its lowest DCT coefficients around their median.

    Args:
        y: Luma 0..255, float32 ``[H, W]``.

    Returns:
        0 for a picture without features, whose hash would be that of every other.

    Source: the "pHash" of Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010.

    Example:
        >>> y = np.random.default_rng(0).random((64, 64)).astype(np.float32) * 255
        >>> perceptual_hash(y) == perceptual_hash(y * 0.5 + 9), perceptual_hash(np.full_like(y, 80))
        (True, 0)
    """
    return _bits(_lowest(y)[None])[0]


def turned_hashes(y: Array) -> tuple[int, ...]:
    """Perceptual hashes of a picture's eight flips and turns: a flip changes signs of its DCT, a turn transposes it.

    Example:
        >>> y = np.random.default_rng(0).random((64, 64)).astype(np.float32) * 255
        >>> turned_hashes(y)[0] == perceptual_hash(y), perceptual_hash(y[:, ::-1].copy()) in turned_hashes(y)
        (True, True)
    """
    low = _lowest(y)
    flips = low * _FLIPS
    return tuple(_bits(np.concatenate([flips, flips.swapaxes(1, 2)])))


def _lowest(y: Array) -> Array:
    low: Array = cv2.dct(cv2.resize(y, (32, 32), interpolation=cv2.INTER_AREA))[:8, :8]
    return low


def _bits(low: Array) -> list[int]:
    """Hashes of some blocks of coefficients ``[n, 8, 8]``."""
    flat = low.reshape(len(low), 64).copy()
    size = np.abs(flat[0, 1:])
    if size.max() < 8 or np.median(size) < 1:
        return [0] * len(low)
    flat[:, 0] = 0
    signs = flat > np.median(flat, axis=1)[:, None]
    return [int.from_bytes(row.tobytes(), "big") for row in np.packbits(signs, axis=1)]


def _reduced(gt: Array, h: int, w: int) -> Array:
    """The GT at the LQ's size, in levels."""
    unit = np.multiply(gt, 1 / 255, dtype=np.float32)
    levels: Array = resize(unit[None], h, w, mode="matlab_bicubic")[0] * np.float32(255)
    return np.clip(levels, 0, 255, out=levels)


def _quality(gt_y: Array, lq_y: Array, scale: int) -> dict[str, float]:
    up = lq_y if scale == 1 else cv2.resize(lq_y, gt_y.shape[::-1], interpolation=cv2.INTER_CUBIC)
    inner = np.s_[scale:-scale, scale:-scale]
    a, b = (16 + np.clip(plane[inner], 0, 255) * np.float32(219 / 255) for plane in (up, gt_y))
    return {"psnr_y": _psnr(float(np.mean((a - b) ** 2))), "ssim_y": _ssim(a, b)}


def _psnr(mse: float) -> float:
    return 10 * math.log10(255**2 / max(mse, 1e-6))


def _ssim(a: Array, b: Array) -> float:
    """Mean SSIM; Wang et al., "Image quality assessment: from error visibility to structural similarity", TIP 2004."""
    if min(a.shape) < 11:
        return math.nan
    window = cv2.getGaussianKernel(11, 1.5, cv2.CV_32F)

    def smooth(x: Array) -> Array:
        out: Array = cv2.sepFilter2D(x, cv2.CV_32F, window, window)[5:-5, 5:-5]
        return out

    mean_a, mean_b = smooth(a), smooth(b)
    product, squares = mean_a * mean_b, mean_a * mean_a + mean_b * mean_b
    covariance, variances = smooth(a * b) - product, smooth(a * a + b * b) - squares
    c1, c2 = np.float32(6.5025), np.float32(58.5225)
    ratio = (2 * product + c1) * (2 * covariance + c2) / ((squares + c1) * (variances + c2))
    return float(ratio.mean())


def _shift(r: Array, lq: Array, scale: int, expected: tuple[float, float], blur: float) -> dict[str, float]:
    found = measure_shift(r, lq, blur)
    values = {"expected_x": expected[0], "expected_y": expected[1]}
    if not found:
        return values
    return values | {
        "shift_x": found["x"] * scale - expected[0],
        "shift_y": found["y"] * scale - expected[1],
        "shift_sigma": found["sigma"] * scale,
        "shift_fit": found["fit"],
    }


def _thumb(y: Array) -> Array:
    thumb: Array = cv2.resize(y, (16, 16), interpolation=cv2.INTER_AREA)
    return thumb


def _correlation(a: Array, b: Array) -> float:
    a, b = a - a.mean(), b - b.mean()
    norm = math.sqrt(float((a * a).sum()) * float((b * b).sum()))
    return float((a * b).sum()) / norm if norm > 16 else math.nan


def _colour(lq: Array, r: Array) -> dict[str, float]:
    """Mean differences, the best order of channels, and the exponent between the two."""
    flat_l, flat_r = lq.reshape(-1, 3), r.reshape(-1, 3)
    delta = flat_l.mean(axis=0) - flat_r.mean(axis=0)
    squares = (flat_l**2).sum(axis=0)[:, None] + (flat_r**2).sum(axis=0)[None, :] - 2 * flat_l.T @ flat_r
    errors = [float(sum(squares[i, order[i]] for i in range(3))) / len(flat_l) for order in _ORDERS]
    best = int(np.argmin(errors))
    middle = (flat_r > 48) & (flat_r < 208)
    tone = math.nan
    if middle.sum() > 100:
        # Means, because noise and blur are as often up as down there: one number, no regression towards the mean.
        tone = math.log(max(float(flat_l[middle].mean()), 1.0) / 255) / math.log(float(flat_r[middle].mean()) / 255)
    return {
        "delta_r": float(delta[0]),
        "delta_g": float(delta[1]),
        "delta_b": float(delta[2]),
        "swap": float(best),
        "swap_gain": (errors[0] + 1) / (max(errors[best], 0) + 1),
        "tone": tone,
    }


class _Spectra(NamedTuple):
    values: dict[str, float]
    gt: Array
    lq: Array
    r: Array
    transfer: Array


def _spectra(gt_y: Array, lq_y: Array, r_y: Array) -> _Spectra:
    centre = spectrum.centre(gt_y, CENTRE)
    gt = spectrum.radial_power(centre)
    pair = spectrum.follow(r_y, lq_y)
    return _Spectra(
        {
            "blur": pair.blur,
            "noise": pair.noise,
            "gt_detail": float(gt[spectrum.OUTER].mean() - gt[spectrum.MIDDLE].mean()),
            "gt_noise_floor": math.exp(float(gt[spectrum.OUTER].min()) / 2),
        },
        gt,
        pair.out,
        pair.source,
        pair.transfer,
    )


def _jpeg(gt_ends: Array, gt_y: Array, lq: Array, lq_y: Array) -> dict[str, float]:
    found = {}
    for name, clipped, y in (("lq", _ends(lq), lq_y), ("gt", gt_ends, gt_y)):
        phase = (0, 0) if name == "lq" else grid_phase(y)
        lattice = jpeg_lattice(y, clipped=clipped, phase=phase, blocks=144)
        if name == "lq":
            found["lq_coefficients"] = float(lattice.rests_on)
        found[f"{name}_jpeg"] = lattice.gain if math.isfinite(lattice.gain) else math.nan
        found[f"{name}_quality"] = float(lattice.quality) if lattice.gain > JPEG_GAIN else math.nan
    return found


JPEG_GAIN = 0.05
"""From this gain on pixels were a JPEG: without one it is -0.26 to -0.20, with one 0.1 to 2.9 (quality 95 to 30)."""


def _ends(image: Array) -> Array:
    """Which pixels have a channel at 0 or 255; channel by channel, because numpy is slow along an axis of three."""
    low = np.minimum(np.minimum(image[..., 0], image[..., 1]), image[..., 2])
    high = np.maximum(np.maximum(image[..., 0], image[..., 1]), image[..., 2])
    ends: Array = (low <= 0) | (high >= 255)
    return ends


def _exposure(ends: Array, y: Array) -> dict[str, float]:
    p5, p99 = np.percentile(y[::2, ::2], [5, 99])
    h, w = (side - side % 16 for side in y.shape)
    blocks, squares = (_block_means(plane[:h, :w]) for plane in (y, y * y))
    return {
        "gt_clipped": float(ends.mean()),
        "gt_p5": float(p5) / 255,
        "gt_p99": float(p99) / 255,
        "gt_flat": float((squares - blocks**2 < 4).mean()) if blocks.size else math.nan,
        "gt_bars": max(_bars(y), _bars(y.T)) / min(y.shape),
    }


def _block_means(plane: Array) -> Array:
    """Means of 16x16 blocks."""
    h, w = plane.shape
    if not h or not w:
        return np.zeros((0, 0), np.float32)
    means: Array = cv2.resize(plane, (w // 16, h // 16), interpolation=cv2.INTER_AREA)
    return means


def _bars(y: Array) -> int:
    """Rows of one black or white at the top and the bottom."""
    flat = (np.ptp(y, axis=1) <= 2) & ((y[:, 0] < 24) | (y[:, 0] > 250))
    if flat.all():
        return 0  # a flat picture is another matter
    return int(np.argmin(flat)) + int(np.argmin(flat[::-1]))


def _residual(difference: Array) -> Array:
    side = RESIDUAL_SIDE
    h, w = difference.shape
    if min(h, w) < side:
        return np.zeros((0, 0), np.float16)
    high = difference - cv2.GaussianBlur(difference, (0, 0), 1.0)
    middle = high[(h - side) // 2 :, (w - side) // 2 :][:side, :side]
    norm = float(np.linalg.norm(middle))
    return (middle / norm if norm > side / 4 else np.zeros((0, 0))).astype(np.float16)
