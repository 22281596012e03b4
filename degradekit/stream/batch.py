"""Making batches: pairs are read in order by one thread and decoded side by side into arrays made for them."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from degradekit.errors import ShardError, StreamError
from degradekit.stream.course import Drawn
from degradekit.stream.fetch import Fetched, Lost, Outcome
from degradekit.stream.order import Ints
from degradekit.stream.pairs import Pairs, Reader
from degradekit.stream.pixels import Augment, View, place, place_points, views
from degradekit.types import Array, EncodedImage

__all__ = ["Batch", "Maker", "OnCorrupt"]

Batch: TypeAlias = dict[str, Any]
"""One batch; see :class:`degradekit.stream.PairStream`."""

RECORDED: Mapping[str, str] = {"plan": "plan", "gt_landmarks": "meta", "lq_landmarks": "meta"}
"""What ``columns`` may name besides typed columns, and the part of a record that has it."""

OnCorrupt: TypeAlias = Literal["raise", "skip"]


@dataclass(frozen=True, slots=True)
class Maker:
    """Turns positions into batches in one process.

    Args:
        pairs: The datasets of the stream.
        readers: A reader for each.
        augment: What is done to both images of a pair.
        roles: Which images: ``gt``, ``lq``.
        columns: Typed columns to give beside them, and names of `RECORDED`.
        dtype: ``stored``, or ``float32`` in [0, 1].
        on_corrupt: What to do with a pair that cannot be had.
        seed: Keys the views.
        pool: Threads that decode; None decodes in this one.
    """

    pairs: tuple[Pairs, ...]
    readers: tuple[Reader, ...]
    augment: Augment
    roles: tuple[str, ...]
    columns: tuple[str, ...]
    dtype: Literal["stored", "float32"]
    on_corrupt: OnCorrupt
    seed: int
    pool: Executor | None
    slabs: Slabs = field(default_factory=lambda: Slabs())  # noqa: PLW0108 - it is defined below

    def make(self, epoch: int, positions: Ints, drawn: Drawn) -> Batch:
        """Make one batch.

        Raises:
            StreamError: A pair cannot be had and ``on_corrupt`` is ``raise``, none can, or their sizes differ.
        """
        began = time.perf_counter()
        parts, indices = drawn.part.tolist(), drawn.indices.tolist()
        got: list[Outcome] = [self.readers[part].fetch(index) for part, index in zip(parts, indices, strict=True)]
        read = time.perf_counter()
        seen = views(self.augment, positions, seed=self.seed, epoch=epoch)
        images = self._decode(got, parts, seen)
        lost = [
            {"key": pair.key, "index": indices[at], "dataset": self.pairs[parts[at]].uri, "reason": pair.reason}
            for at, pair in enumerate(got)
            if isinstance(pair, Lost)
        ]
        bad = [pair for pair in got if isinstance(pair, Lost) and not pair.asked]
        if (bad and self.on_corrupt == "raise") or len(lost) == len(got):
            raise StreamError(_complaint(lost, len(got)))
        good = [pair for pair in got if isinstance(pair, Fetched)]
        kept = slice(None) if not lost else [at for at, pair in enumerate(got) if isinstance(pair, Fetched)]
        batch: Batch = {role: array[kept] for role, array in images.items()}
        batch |= {
            "key": [pair.key for pair in good],
            "index": drawn.indices[kept],
            "variant": np.array([pair.variant for pair in good], np.int64),
            "part": drawn.part[kept],
            "position": positions[kept],
            "epoch": epoch,
        }
        for name in self.columns:
            found = zip(got, parts, seen, strict=True)
            batch[name] = [self._column(name, pair, *where) for pair, *where in found if isinstance(pair, Fetched)]
        batch["lost"] = lost
        batch["seconds"] = (read - began, time.perf_counter() - read)
        return batch

    def _column(self, name: str, pair: Fetched, part: int, view: View) -> Any:
        match RECORDED.get(name):
            case None:
                return pair.columns.get(name)
            case "plan":
                return pair.plan
        role, told = name.partition("_")[0], pair.meta.get(name)
        image = pair.gt if role == "gt" else pair.lq
        if told is None or image is None:
            return None
        side, unit = self._sides(role, part)
        points = tuple((float(x), float(y)) for x, y in json.loads(str(told)))
        return place_points(points, image.shape[1:3], view, side=side, unit=unit)

    def _decode(self, got: list[Outcome], parts: Sequence[int], seen: Sequence[View]) -> dict[str, Array]:
        """Decode into one array for each role; a pair that fails becomes ``Lost`` and its slots keep what was there."""
        first = next((at for at, pair in enumerate(got) if isinstance(pair, Fetched)), None)
        if first is None:
            return {}
        images = {role: self._slots(got[first], role, parts[first], seen[first], len(got)) for role in self.roles}

        def fill(at: int) -> None:
            pair = got[at]
            if isinstance(pair, Lost):
                return
            try:
                for role, array in images.items():
                    side, unit = self._sides(role, parts[at])
                    place(_image(pair, role), array[at], seen[at], self.augment, side=side, unit=unit)
            except ShardError as error:
                got[at] = Lost(pair.key, str(error))

        for _ in (self.pool.map if self.pool else map)(fill, range(len(got))):
            pass
        if self.augment.clip is None:
            images = {role: array[:, 0] if array.shape[1] == 1 else array for role, array in images.items()}
        if self.dtype == "stored":
            return images
        from degradekit.apply import to_float  # loads every op, 1.2 s, for one of its kernels

        return {role: to_float(array) for role, array in images.items()}

    def _slots(self, pair: Outcome, role: str, part: int, view: View, count: int) -> Array:
        """An empty array for a batch, of the size that the first pair's image will have."""
        assert isinstance(pair, Fetched)
        image = _image(pair, role)
        t, h, w, c = image.shape
        side, _ = self._sides(role, part)
        h, w = (side, side) if side else (w, h) if view.turns % 2 else (h, w)
        return self.slabs.take((count, self.augment.clip or t, h, w, c), np.dtype(image.dtype))

    def _sides(self, role: str, part: int) -> tuple[int, int]:
        """Side of the crop in pixels of an image, and its pixels for one of the LQ."""
        scale, crop = self.pairs[part].scale, self.augment.crop or 0
        return (crop, scale) if role == "gt" else (crop // scale, 1)


class Slabs:
    """Memory for batches, used again once nobody holds an array of it: fresh pages cost 25 us a pair of 256 px.

    Example:
        >>> slabs = Slabs()
        >>> kept = slabs.take((4, 2), np.dtype(np.uint8))
        >>> here = slabs.take((4, 2), np.dtype(np.uint8)).ctypes.data
        >>> here == slabs.take((2, 2), np.dtype(np.uint16)).ctypes.data != kept.ctypes.data
        True
    """

    MOST = 16
    """Slabs that are looked through; a trainer that holds more batches gets fresh memory."""

    def __init__(self) -> None:
        self._slabs: list[npt.NDArray[np.uint8]] = []

    def take(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """An array with any content."""
        size = math.prod(shape) * dtype.itemsize
        for slab, holders in zip(self._slabs, _holders(self._slabs), strict=True):
            if len(slab) == size and holders == NOBODY:
                return slab.view(dtype).reshape(shape)
        self._slabs = [np.empty(size, np.uint8), *self._slabs[: self.MOST - 1]]
        return self._slabs[0].view(dtype).reshape(shape)


def _holders(slabs: Sequence[npt.NDArray[np.uint8]]) -> list[int]:
    """References to each; every view of an array, and every tensor made of one, holds one more."""
    return [sys.getrefcount(slab) for slab in slabs]


NOBODY = _holders([np.empty(1, np.uint8)])[0]
"""What is counted where only the list holds an array; measured, because interpreters count differently."""


def _image(pair: Fetched, role: str) -> EncodedImage:
    image = pair.gt if role == "gt" else pair.lq
    assert image is not None
    return image


def _complaint(lost: Sequence[dict[str, Any]], count: int) -> str:
    one = lost[0]
    what = f"{one['dataset']}: sample {one['key']!r} (index {one['index']}) cannot be had: {one['reason']}"
    if len(lost) == count > 1:
        return f"a whole batch of {count} is lost; the first: {what}"
    return f"{what} Rebuild it, leave it out with skip=[{one['key']!r}], or count and go on with on_corrupt='skip'."
