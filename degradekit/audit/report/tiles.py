"""Pictures of the report: a crop of the GT, the same place of the LQ, and the evidence drawn on them, all lossless."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import cv2
import numpy as np

from degradekit.audit.clip import looked_at
from degradekit.audit.result import Audit
from degradekit.codecs import decode
from degradekit.errors import DegradekitError
from degradekit.page.encode import data_uri
from degradekit.preview.view import busiest, eight_bit
from degradekit.shards.dataset import Dataset
from degradekit.types import Array, Record

__all__ = ["DRAWINGS", "Pixels", "Tile", "evidence_words", "tile"]

EMPTY = np.zeros((0, 0, 3), np.uint8)


@dataclass(frozen=True, slots=True)
class Pixels:
    """A pair's pictures, uint8 RGB ``[H, W, 3]``.

    Args:
        gt: The whole GT; of a clip the middle frame, which is the one that is measured.
        lq: The whole LQ.
        window: (y, x, h, w) of the part of the GT that is shown, on whole pixels of the LQ.
        scale: GT side / LQ side.
        measured: Numbers that were measured.
        film: Some frames of GT and LQ, ``[T, H, W, 3]`` each; one of an image.
    """

    gt: Array
    lq: Array
    window: tuple[int, int, int, int]
    scale: int
    measured: Mapping[str, float]
    film: tuple[Array, Array]

    @property
    def gt_crop(self) -> Array:
        """The part of the GT that is shown."""
        y, x, h, w = self.window
        return self.gt[y : y + h, x : x + w]

    @property
    def lq_crop(self) -> Array:
        """The same part of the LQ."""
        y, x, h, w = (value // self.scale for value in self.window)
        return self.lq[y : y + h, x : x + w]


@dataclass(frozen=True, slots=True)
class Tile:
    """One pair as the report shows it.

    Args:
        index: Dataset index.
        key: Sample key.
        variant: Which LQ of the GT.
        checks: Checks that point at it.
        gt: Crop of the GT, uint8 ``[h, w, 3]``.
        lq: The same place of the LQ.
        crop: (y, x) of the crop in the GT.
        sizes: (h, w) of the whole GT and of the whole LQ.
        recorded: Parameters that were drawn.
        measured: Numbers that were measured.
        drawn: Data URI of the evidence of each check that points at it.
        problem: Why there is no picture; empty if there is.
    """

    index: int
    key: str
    variant: int
    checks: tuple[str, ...]
    gt: Array = field(default_factory=EMPTY.copy)
    lq: Array = field(default_factory=EMPTY.copy)
    crop: tuple[int, int] = (0, 0)
    sizes: tuple[tuple[int, ...], tuple[int, ...]] = ((0, 0), (0, 0))
    recorded: Mapping[str, Any] = field(default_factory=dict)
    measured: Mapping[str, float] = field(default_factory=dict)
    drawn: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""

    @property
    def anchor(self) -> str:
        """What a link to this pair ends in."""
        return f"{self.key}:{self.variant}"

    @property
    def enlarged(self) -> Array:
        """The LQ at the GT's size."""
        return _enlarged(self.lq, self.gt)

    def facts(self) -> dict[str, Any]:
        """What the inspector needs besides the pictures."""
        return {
            "index": self.index,
            "key": self.key,
            "variant": self.variant,
            "checks": list(self.checks),
            "crop": list(self.crop),
            "size": [list(size) for size in self.sizes],
            "recorded": {name: _plain(value) for name, value in self.recorded.items() if _known(value)},
            "measured": {name: _plain(value) for name, value in self.measured.items() if _known(value)},
        }


def tile(dataset: Dataset, audit: Audit, index: int, checks: Sequence[str], *, side: int) -> Tile:
    """Read a pair, cut out its busiest part and draw the evidence.

    Args:
        dataset: Where it is.
        audit: What was measured on it.
        index: Which pair.
        checks: Checks that point at it.
        side: Side of the GT crop in px, rounded down to whole pixels of the LQ.
    """
    sample = audit.sample
    at = int(np.searchsorted(sample.index, index))  # indices rise
    known = at < len(sample) and int(sample.index[at]) == index
    measured = {name: float(values[at]) for name, values in sample.values.items()} if known else {}
    named = tuple(checks)
    try:
        record = dataset.read(index, ("gt", "lq", "columns"))
        if not isinstance(record, Record):
            problem = f"{record.step}: {record.reason}"
            return Tile(index, record.key, record.variant, named, measured=measured, problem=problem)
        clips = decode(record.gt), decode(record.lq)
    except DegradekitError as error:
        name = (sample.key[at], int(sample.variant[at])) if known else (f"index {index}", 0)
        return Tile(index, *name, named, measured=measured, problem=str(error))
    gt, lq = (eight_bit(clip[len(clip) // 2][None])[0] for clip in clips)
    scale = max(1, round(gt.shape[0] / lq.shape[0]))
    film = tuple(eight_bit(clip[looked_at(len(clip))]) for clip in clips)
    pixels = Pixels(gt, lq, _window(gt, side, scale), scale, measured, (film[0], film[1]))
    return Tile(
        index,
        record.key,
        record.variant,
        named,
        gt=pixels.gt_crop,
        lq=pixels.lq_crop,
        crop=pixels.window[:2],
        sizes=(gt.shape[:2], lq.shape[:2]),
        recorded=record.columns,
        measured=measured,
        drawn={check: data_uri(_drawing(check)[1](pixels)[None]) for check in named},
    )


def evidence_words(check: str) -> str:
    """What the evidence of a check shows."""
    return _drawing(check)[0]


def _window(gt: Array, side: int, scale: int) -> tuple[int, int, int, int]:
    """(y, x, h, w) of the busiest part, on whole pixels of the LQ."""
    view, size = busiest(gt[None], side), gt.shape[:2]
    h, w = (max(scale, min(side, length) // scale * scale) for length in size)
    top, left = (round(share * length) // scale * scale for share, length in zip(view[:2], size, strict=True))
    return max(0, min(top, size[0] - h)), max(0, min(left, size[1] - w)), h, w


Drawing: TypeAlias = Callable[[Pixels], Array]


def _enlarged(lq: Array, gt: Array) -> Array:
    h, w = gt.shape[:2]
    return np.asarray(cv2.resize(lq, (w, h), interpolation=cv2.INTER_CUBIC))


def _difference(pixels: Pixels) -> Array:
    gt = pixels.gt_crop
    away = np.abs(gt.astype(np.int16) - _enlarged(pixels.lq_crop, gt).astype(np.int16))
    shown: Array = np.clip(away * 4, 0, 255).astype(np.uint8)
    return shown


def _arrow(pixels: Pixels) -> Array:
    """The difference, and over it the measured shift."""
    picture = np.ascontiguousarray(_difference(pixels))
    dx, dy = (pixels.measured.get(name, math.nan) for name in ("shift_x", "shift_y"))
    if math.isfinite(dx) and math.isfinite(dy):
        h, w = picture.shape[:2]
        end = (round(w / 2 + 16 * dx), round(h / 2 + 16 * dy))
        for colour, width in (((0, 0, 0), 4), ((255, 176, 0), 2)):
            cv2.arrowedLine(picture, (w // 2, h // 2), end, colour, width, cv2.LINE_AA, tipLength=0.25)
    return picture


def _clipped(pixels: Pixels) -> Array:
    """The whole GT in grey, reduced; where pixels are clipped it turns blue (black) or red (white)."""
    picture = np.repeat(pixels.gt.mean(axis=2, keepdims=True, dtype=np.float32), 3, axis=2)
    picture[(pixels.gt == 0).any(axis=2)] = (40, 120, 255)
    picture[(pixels.gt == 255).any(axis=2)] = (255, 60, 40)
    return _reduced(picture, pixels.window[2])


def _grid(pixels: Pixels) -> Array:
    """Local contrast raised, and the 8 px grid that a JPEG of the whole picture has."""
    grey = pixels.gt_crop.astype(np.float32)
    raised: Array = np.clip((grey - cv2.blur(grey, (15, 15))) * 4 + 128, 0, 255).astype(np.uint8)
    y, x = pixels.window[:2]
    blue = np.array((0, 70, 127), np.uint8)
    raised[-y % 8 :: 8] = raised[-y % 8 :: 8] // 2 + blue
    raised[:, -x % 8 :: 8] = raised[:, -x % 8 :: 8] // 2 + blue
    return raised


def _side_by_side(pixels: Pixels) -> Array:
    """Do they show one scene?"""
    both = np.concatenate((pixels.gt, _enlarged(pixels.lq, pixels.gt)), axis=1)
    return _reduced(both.astype(np.float32), 2 * pixels.window[3])


def _film(pixels: Pixels) -> Array:
    """Frames of the GT from left to right, and under them those of the LQ."""
    side = pixels.window[3]
    rows = [
        np.concatenate([_reduced(frame.astype(np.float32), side) for frame in clip], axis=1) for clip in pixels.film
    ]
    width = min(row.shape[1] for row in rows)
    large = [cv2.resize(row, (width, row.shape[0] * width // row.shape[1])) for row in rows]
    return np.concatenate(large)


def _reduced(picture: Array, side: int) -> Array:
    h, w = picture.shape[:2]
    factor = min(1.0, side / max(h, w))
    size = (max(1, round(w * factor)), max(1, round(h * factor)))
    small: Array = np.rint(cv2.resize(picture, size, interpolation=cv2.INTER_AREA)).clip(0, 255).astype(np.uint8)
    return small


DIFFERENCE: tuple[str, Drawing] = ("the difference of GT and enlarged LQ, 4 times as strong", _difference)
PARTNERS: tuple[str, Drawing] = ("GT and LQ whole, side by side", _side_by_side)
DRAWINGS: dict[str, tuple[str, Drawing]] = {
    "alignment": ("the difference of GT and enlarged LQ, and the shift as an arrow 16 times as long", _arrow),
    "duplicates": PARTNERS,
    "leakage": PARTNERS,
    "exposure": ("the whole GT; clipped to black is blue, clipped to white is red", _clipped),
    "frames": ("frames of the GT, and under them those of the LQ", _film),
    "ground_truth": ("the GT with its local contrast raised and the 8 px grid of JPEG", _grid),
    "partner": PARTNERS,
}
"""What the evidence of a check shows, in words and drawn; the others have the difference."""


def _drawing(check: str) -> tuple[str, Drawing]:
    return DRAWINGS.get(check, DIFFERENCE)


def _known(value: Any) -> bool:
    return not (value == "" or (isinstance(value, float) and not math.isfinite(value)))


def _plain(value: Any) -> Any:
    return float(f"{value:.5g}") if isinstance(value, float) else value
