"""LQs made where the network trains: workers read or cut GTs and draw plans, the device does the arithmetic."""

from __future__ import annotations

import torch
from torch import Tensor

from degradekit.apply import apply_batch, need_torch_forms
from degradekit.errors import OpError, StreamError
from degradekit.graph import leaves
from degradekit.ops.device.numbers import from_levels
from degradekit.plan import Plan
from degradekit.recipe import Recipe
from degradekit.replay import stored_recipe
from degradekit.source import Points
from degradekit.stream import Batch, PairStream
from degradekit.stream.made import MadePairs
from degradekit.stream.pairs import Pairs, StoredPairs
from degradekit.stream.pixels import View, place_points, window

__all__ = ["Degrader"]


class Degrader:
    """Finishes batches of a stream with ``lq="device"``.

    A batch comes with whole GTs and plans. Its LQs are made from them on the device, each by its own plan, and then
    both images are cut, mirrored and turned as the position in the stream says: the pair that CPU workers would have
    given, up to the parity of the recipe's ops (:class:`degradekit.ops.base.Parity`). The device needs float64.

    Args:
        stream: Where the batches come from.
        device: Where to work: ``cuda``, ``cuda:1``, ``cpu``.

    Raises:
        StreamError: The stream has another ``lq``, a dataset has no plans, or an op of its recipe has no torch form.

    Example:
        >>> from degradekit.loader import to_tensors
        >>> stream = PairStream(source="sample", recipe="classical", batch_size=2, crop=64, lq="device")
        >>> batch = Degrader(stream, "cpu")(to_tensors(next(iter(stream))))
        >>> batch["lq"].shape, batch["gt"].shape
        (torch.Size([2, 3, 16, 16]), torch.Size([2, 3, 64, 64]))
    """

    def __init__(self, stream: PairStream, device: torch.device | str) -> None:
        if not stream.deferred:
            raise StreamError(
                "a device makes the LQs of a stream with lq='device'; give the stream that, or no device."
            )
        self.stream = stream
        self.device = torch.device(device)
        for pairs in stream.pairs:
            _check(pairs)

    def __call__(self, batch: Batch) -> Batch:
        """The batch with its LQs and with both images cut, on the device.

        Args:
            batch: Of the stream, with tensors (:func:`degradekit.loader.to_tensors`).
        """
        gts = batch["gt"].to(self.device, non_blocking=True)
        scales = [self.stream.pairs[part].scale for part in batch["part"].tolist()]
        plans = [Plan.from_json(text) for text in batch["plan"]]
        if not plans:  # a rank that got nothing
            h, w = (side // self.stream.scale for side in gts.shape[-2:])
            lqs = gts.new_empty((*gts.shape[:-2], h, w))
        else:
            lqs = apply_batch(plans, gts)
        out = dict(batch)
        if "plan" not in self.stream.columns:
            del out["plan"]
        views = self.stream.views(batch)
        if "gt_landmarks" in out:
            out["gt_landmarks"] = self._moved(out["gt_landmarks"], gts.shape[-2:], views, scales)
        for role, images in (("lq", lqs), ("gt", gts)):
            shown = self._shown(images, views, scales, role)
            out[role] = from_levels(shown) if self.stream.dtype == "float32" else shown
        return out

    def _moved(
        self, faces: list[Points | None], size: tuple[int, int], views: list[View], scales: list[int]
    ) -> list[Points | None]:
        """Landmarks in what the views show of the GTs."""
        side = self.stream.augment.crop or 0
        return [
            None if points is None else place_points(points, size, view, side=side, unit=scale)
            for points, view, scale in zip(faces, views, scales, strict=True)
        ]

    def _shown(self, images: Tensor, views: list[View], scales: list[int], role: str) -> Tensor:
        """What the views show of each image, as ``stream.pixels`` cuts it."""
        augment = self.stream.augment
        if augment.idle:
            return images
        bits = images.view(torch.int16) if images.dtype == torch.uint16 else images  # which torch cannot mirror
        clips = bits if bits.ndim == 5 else bits[:, None]
        if not views:  # a rank that got nothing: the shapes of the others
            side = (augment.crop or 0) // (1 if role == "gt" else self.stream.scale) or None
            together = clips[:, : augment.clip, :, :side, :side]
        else:
            together = torch.stack(self._cuts(clips, views, scales, role))
        return (together if images.ndim == 5 else together[:, 0]).view(images.dtype)

    def _cuts(self, clips: Tensor, views: list[View], scales: list[int], role: str) -> list[Tensor]:
        augment, cut = self.stream.augment, []
        for clip, view, scale in zip(clips, views, scales, strict=True):
            t, _, h, w = clip.shape
            side, unit = (augment.crop or 0, scale) if role == "gt" else ((augment.crop or 0) // scale, 1)
            frames, rows, columns = window((t, h, w), view, augment, side=side, unit=unit)
            shown = clip[frames, :, rows, columns]
            cut.append(torch.rot90(shown.flip(-1) if view.flip else shown, view.turns, (-2, -1)))
        return cut


def _check(pairs: Pairs) -> None:
    """Refuse before the first batch what would fail in one."""
    recipe: Recipe | None = None
    if isinstance(pairs, MadePairs):
        recipe = pairs.plan.recipe
    elif isinstance(pairs, StoredPairs):
        if not pairs.dataset.info["recipe"]:
            raise StreamError(f"{pairs.uri} was imported and has no plans to make LQs from; give lq='stored'.")
        recipe = stored_recipe(pairs.dataset)
    if recipe is not None:  # of one that means something else today, the plans themselves will say it
        try:
            need_torch_forms((at, op.draws) for at, op in leaves(recipe.to_lq))
        except OpError as error:
            raise StreamError(f"{pairs.uri}: {error}") from error
