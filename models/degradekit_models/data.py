"""Pairs from degradekit's public stream as batches for training; the only module that imports degradekit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import torch
from torch import Tensor

from degradekit.errors import DegradekitError
from degradekit.loader import PairLoader
from degradekit.stream import PairStream
from degradekit_models.errors import ModelError

__all__ = ["Batch", "TrainingData", "ValidationPair", "validation_pairs"]


class Batch(NamedTuple):
    """Micro-batch of a step.

    Args:
        lq: float32 ``[N,3,h,w]`` in [0, 1], of clips ``[N,T,3,h,w]``; empty where only GTs were asked for.
        gt: Likewise.
        keys: Names of the pairs.
        landmarks: Of each face, where they were asked for: float32 ``[5 or 68,2]``, (x, y) in px of its GT.
    """

    lq: Tensor
    gt: Tensor
    keys: tuple[str, ...]
    landmarks: tuple[Tensor, ...] = ()


class ValidationPair(NamedTuple):
    """One whole pair, uint8 RGB ``[T,H,W,3]``, and where it stands in its dataset."""

    key: str
    lq: Any
    gt: Any
    number: int = 0


class TrainingData:
    """An endless stream of micro-batches whose state is what was received.

    Args:
        places: Datasets; folders or URIs.
        weights: Proportions; None takes each pair once in an epoch.
        source: Folder of GT images that become pairs on the way, instead of datasets.
        recipe: By which recipe.
        micro_batch: Pairs of a micro-batch on this rank.
        crop: Side of a GT crop in px, or None.
        flip: Mirror half of the pairs.
        rotate: Turn by quarters.
        clip: Frames, or None.
        mirror: Append clips backwards.
        roles: Images of a pair: ``lq``, ``gt``.
        landmarks: Give the landmarks of faces as well.
        seed: Keys order and augmentation.
        workers: Processes that read and decode.
        rank: Whose share of every batch this is.
        ranks: Among how many.
        device: Where LQs are made, of stored or new plans; None reads them, or makes them in the workers.

    Raises:
        ModelError: There is no such dataset, or it does not fit the arguments.
    """

    def __init__(  # noqa: PLR0913 - one name for each thing that a config sets
        self,
        places: Sequence[str],
        *,
        micro_batch: int,
        weights: Sequence[float] | None = None,
        source: str | None = None,
        recipe: str | None = None,
        crop: int | None = None,
        flip: bool = False,
        rotate: bool = False,
        clip: int | None = None,
        mirror: bool = False,
        roles: Sequence[str] = ("lq", "gt"),
        landmarks: bool = False,
        seed: int = 0,
        workers: int = 0,
        rank: int = 0,
        ranks: int = 1,
        device: torch.device | None = None,
    ) -> None:
        options: dict[str, Any] = {
            "weights": weights, "source": source, "recipe": recipe, "batch_size": micro_batch, "crop": crop,
            "flip": flip, "rotate": rotate, "clip": clip, "shuffle_seed": seed, "drop_last": True,
            "variants": "rotate", "rank": rank, "world_size": ranks,
            "roles": roles, "columns": ("gt_landmarks",) if landmarks else (),
            "lq": "stored" if device is None else "device",
        }  # fmt: skip
        try:
            self.stream = PairStream(list(places) or None, **options)
            self.loader = PairLoader(self.stream, num_workers=workers, device=device)
            if len(self.stream) == 0:  # fewer pairs than a batch: an epoch is as many passes as fill one
                options["epoch_size"] = self.stream.global_batch
                self.stream = PairStream(list(places) or None, **options)
                self.loader = PairLoader(self.stream, num_workers=workers, device=device)
        except DegradekitError as error:
            raise ModelError(str(error)) from error
        self._mirror = mirror

    @property
    def scale(self) -> int:
        """GT side / LQ side."""
        return self.stream.scale

    def __iter__(self) -> Iterator[Batch]:
        while True:
            try:
                for batch in self.loader:
                    gt = self._images(batch["gt"])
                    lq = self._images(batch["lq"]) if "lq" in batch else gt.new_empty(len(gt), 0)
                    yield Batch(lq, gt, tuple(batch["key"]), _landmarks(batch))
            except DegradekitError as error:
                raise ModelError(str(error)) from error

    def _images(self, images: Tensor) -> Tensor:
        top = 65535 if images.dtype == torch.uint16 else 255
        x = images.to(torch.float32) / top
        return torch.cat((x, x.flip(1)), dim=1) if self._mirror else x

    def state_dict(self) -> dict[str, Any]:
        """Where the stream stands, in terms of what was received."""
        return self.loader.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there.

        Raises:
            ModelError: The state is of other datasets, or of another order.
        """
        try:
            self.loader.load_state_dict(state)
        except DegradekitError as error:
            raise ModelError(str(error)) from error


def _landmarks(batch: Mapping[str, Any]) -> tuple[Tensor, ...]:
    found = batch.get("gt_landmarks", ())
    if None in found:
        raise ModelError(
            f"{batch['key'][found.index(None)]} has no landmarks: build the faces by a recipe with extract.faces, or "
            "train without components."
        )
    return tuple(torch.tensor(points, dtype=torch.float32) for points in found)


def validation_pairs(place: str, count: int, *, rank: int = 0, ranks: int = 1) -> Iterator[ValidationPair]:
    """The first pairs of a dataset in its stored order, whole.

    Args:
        place: Folder or URI.
        count: How many at most, on all ranks together.
        rank: Whose share of them.
        ranks: Among how many.

    Raises:
        ModelError: There is no such dataset.
    """
    try:
        stream = PairStream(place, batch_size=1, shuffle=False, rank=rank, world_size=ranks)
        for batch in islice(stream, -(-count // ranks)):
            for i, number in enumerate(batch["position"].tolist()):
                if number < count:
                    lq, gt = (x[i] if x.ndim == 5 else x[i : i + 1] for x in (batch["lq"], batch["gt"]))
                    yield ValidationPair(batch["key"][i], lq, gt, number)
    except DegradekitError as error:
        raise ModelError(str(error)) from error
