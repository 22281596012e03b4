"""Streams in torch: tensors from :class:`degradekit.PairStream` by torch's own loaders.

``PairLoader`` is a ``DataLoader`` that counts what the trainer received, so that its state is exact whatever its
workers had prepared; Lightning saves and loads it by itself. ``PairDataset`` goes into any other loader: a plain
``DataLoader``, or torchdata's ``StatefulDataLoader``, which keeps the state of its workers. A stream makes its own
batches, so every loader takes ``batch_size=None``.

LQs of a stream with ``lq="device"`` are made in the training process: ``PairLoader(device=...)`` does it, and after any
other loader :class:`degradekit.degrader.Degrader`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from degradekit.errors import StreamError
from degradekit.stream import Batch, PairStream

try:
    import torch
    from torch.utils.data import DataLoader, IterableDataset, get_worker_info
except ImportError as error:
    raise ImportError("degradekit.loader needs torch: pip install 'degradekit[models]'") from error

__all__ = ["PairDataset", "PairLoader", "to_tensors"]

Layout = Literal["contiguous", "channels_last"]


def to_tensors(batch: Batch, *, layout: Layout = "contiguous") -> Batch:
    """Images as tensors ``[N, C, H, W]``, of clips ``[N, T, C, H, W]``; everything else stays.

    Args:
        batch: From a stream.
        layout: How images lie in memory: ``channels_last`` shares it with the arrays, ``contiguous`` copies.

    Example:
        >>> batch = {"gt": np.zeros((2, 8, 6, 3), np.uint8), "key": ["a", "b"], "position": np.array([0, 1])}
        >>> to_tensors(batch)["gt"].shape, to_tensors(batch, layout="channels_last")["gt"].stride()
        (torch.Size([2, 3, 8, 6]), (144, 1, 18, 3))
    """
    out = dict(batch)
    for role in ("lq", "gt"):
        if role in out:
            out[role] = torch.from_numpy(out[role]).movedim(-1, -3)
            if layout == "contiguous":
                out[role] = out[role].contiguous()
    for name in ("index", "variant", "part", "position"):
        if name in out:
            out[name] = torch.from_numpy(np.ascontiguousarray(out[name]))
    return out


class PairDataset(IterableDataset[Batch]):
    """A stream as torch's iterable dataset of ready batches of tensors.

    Each iteration is what is left of the stream's epoch; in a worker process, the worker's share of it. With workers a
    plain loader iterates copies of the stream, so the stream itself does not move on: call ``set_epoch`` before each
    epoch, and save ``stream.state_dict(after=batch)``. ``PairLoader`` does both.

    Args:
        stream: The stream.
        layout: See :func:`to_tensors`.
    """

    def __init__(self, stream: PairStream, *, layout: Layout = "contiguous") -> None:
        self.stream = stream
        self.layout = layout
        self._resumed: _Share | None = None
        self._share: _Share | None = None
        take_rank(stream)

    def __len__(self) -> int:
        """Batches of a whole epoch on this rank."""
        take_rank(self.stream)
        return len(self.stream)

    def set_epoch(self, epoch: int) -> None:
        """See ``PairStream.set_epoch``."""
        self.stream.set_epoch(epoch)

    def __iter__(self) -> Iterator[Batch]:
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        share = _Share(worker, workers, 0, self.stream.state_dict())
        if self._resumed is not None:
            share, self._resumed = self._resumed, None
            if (share.worker, share.workers) != (worker, workers):
                raise StreamError(
                    f"worker {worker} of {workers} was given the state of worker {share.worker} of {share.workers}: "
                    "give as many workers as before, or save stream.state_dict(after=batch), which suits any number."
                )
            self.stream.load_state_dict(share.start)
        self._share = share
        return self._batches(share, counted=info is None)

    def _batches(self, share: _Share, *, counted: bool) -> Iterator[Batch]:
        epoch = self.stream.epoch
        for batch in self.stream.batches(share.worker, share.workers, after=share.made):
            self._share = share = replace(share, made=share.made + 1)
            if counted:
                self.stream.received(batch)
            yield to_tensors(batch, layout=self.layout)
        self.stream.set_epoch(epoch + 1)

    def state_dict(self) -> dict[str, Any]:
        """For torchdata, in the process that iterates: how much of its share it has made."""
        return asdict(self._share or _Share(0, 1, 0, self.stream.state_dict()))

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """For torchdata: go on with this process's share at the next iteration."""
        self._resumed = _Share(**state)


@dataclass(frozen=True, slots=True)
class _Share:
    """How much of which worker's share of an epoch has been made.

    Args:
        worker: Which worker.
        workers: Of how many.
        made: Batches it has made.
        start: State of the stream when the iteration began.
    """

    worker: int
    workers: int
    made: int
    start: Mapping[str, Any]


class PairLoader(DataLoader[Batch]):
    """A ``DataLoader`` of a stream whose state is what the trainer has received.

    Iterate it once for each epoch; an epoch that was left goes on at the next iteration, ``set_epoch`` begins another.
    ``state_dict`` and ``load_state_dict`` are those of the stream: any number of workers and ranks may go on.

    Args:
        stream: The stream.
        num_workers: Processes that read and decode; 0 does it in this one.
        layout: See :func:`to_tensors`.
        device: Where the LQs of a stream with ``lq="device"`` are made; see :class:`degradekit.degrader.Degrader`.
        options: Of ``DataLoader``: ``pin_memory``, ``prefetch_factor``, ``multiprocessing_context``, ...

    Example:
        >>> from degradekit.shards.dataset import Dataset
        >>> def epochs(dataset: Dataset) -> Iterator[Batch]:
        ...     loader = PairLoader(PairStream(dataset, batch_size=16, crop=128, flip=True), num_workers=2)
        ...     for epoch in range(3):
        ...         yield from loader
    """

    def __init__(
        self,
        stream: PairStream,
        *,
        num_workers: int = 0,
        layout: Layout = "contiguous",
        device: torch.device | str | None = None,
        **options: Any,
    ) -> None:
        refused = {"batch_size", "shuffle", "sampler", "batch_sampler", "drop_last", "persistent_workers", "collate_fn"}
        if given := sorted(refused & {name for name, value in options.items() if value}):
            raise StreamError(
                f"PairLoader takes no {', '.join(given)}: batches, their order and their size are the stream's, and "
                "workers start with each epoch."
            )
        if stream.deferred and device is None:
            raise StreamError(
                "lq='device' leaves LQs to a device: give PairLoader device='cuda', or the stream lq='plan'."
            )
        self.stream = stream
        self._finish: Callable[[Batch], Batch] = _as_it_is
        if device is not None:
            from degradekit.degrader import Degrader  # loads every op, 1.2 s

            self._finish = Degrader(stream, device)
        dataset = PairDataset(stream, layout=layout)
        super().__init__(dataset, batch_size=None, num_workers=num_workers, collate_fn=_as_it_is, **options)

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        """What is left of the epoch."""
        take_rank(self.stream)
        epoch, clock = self.stream.epoch, self.stream.clock
        clock.workers = self.num_workers
        for batch in clock.timed(super().__iter__()):
            if self.num_workers:
                self.stream.received(batch)
            yield self._finish(batch)
        self.stream.set_epoch(epoch + 1)

    def state_dict(self) -> dict[str, Any]:
        """See ``PairStream.state_dict``."""
        return self.stream.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See ``PairStream.load_state_dict``."""
        self.stream.load_state_dict(state)

    def set_epoch(self, epoch: int) -> None:
        """See ``PairStream.set_epoch``."""
        self.stream.set_epoch(epoch)


def _as_it_is(batch: Any) -> Any:
    return batch


def take_rank(stream: PairStream) -> None:
    """Take rank and number of ranks from torch's process group, where there is one and the stream was not told."""
    if torch.distributed.is_available() and torch.distributed.is_initialized() and not stream.ranked:
        stream.rank, stream.world_size = torch.distributed.get_rank(), torch.distributed.get_world_size()
