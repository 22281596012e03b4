"""What is known of every pair of a shard without a pixel: its census, and the hash of its file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import pyarrow as pa

from degradekit.audit.reference import Reference
from degradekit.audit.result import PairName
from degradekit.errors import ShardError
from degradekit.shards.census import Census, CensusTaker, Group, Header, take_census
from degradekit.shards.dataset import Dataset
from degradekit.shards.verify import blob_sha256, verify_shard
from degradekit.types import Array, Record

__all__ = ["PARTS", "Part", "ShardScan", "merge", "scan_shard"]

SHOWN = 24
"""Pairs that are named for one kind of problem in one shard."""
PARTS = 32
"""Neighbouring shards are counted together in so many parts at most."""
NONE = CensusTaker({}).close()


@dataclass(frozen=True, slots=True)
class ShardScan:
    """What one shard says about itself.

    Args:
        number: Which shard.
        rows: Pairs and tombstones.
        damage: One sentence per damaged file, page or value; the rest is empty where the shard cannot be read.
        hashed: Whether the file's SHA-256 was compared.
        counted: Whether its census was there; otherwise it was taken from the records.
        misfits: Pairs whose header is wrong, with what is wrong.
        misfit_count: How many there are.
        census: Without its values.
        counts: Those values, by group, on the axes of the reference.
    """

    number: int
    rows: int = 0
    damage: tuple[str, ...] = ()
    hashed: bool = False
    counted: bool = False
    misfits: tuple[PairName, ...] = ()
    misfit_count: int = 0
    census: Census = NONE
    counts: Mapping[Group, Array] = field(default_factory=dict)


@dataclass(slots=True)
class Part:
    """Parameters of some neighbouring shards, counted together.

    Args:
        numbers: Of the shards that are in it.
        counts: By group, on the axes of the reference.
    """

    numbers: list[int] = field(default_factory=list)
    counts: dict[Group, Array] = field(default_factory=dict)

    def add(self, scan: ShardScan) -> None:
        """Count one shard; a damaged one counts for nothing."""
        if not scan.damage:
            self.numbers.append(scan.number)
            merge(self.counts, scan.counts)


def merge(into: dict[Group, Array], counts: Mapping[Group, Array]) -> None:
    """Add counts to counts."""
    for group, some in counts.items():
        into[group] = into[group] + some if group in into else some


def scan_shard(dataset: Dataset, number: int, *, reference: Reference | None, checksums: bool = True) -> ShardScan:
    """Look at everything of a shard but its pixels.

    Args:
        dataset: From ``open_dataset``.
        number: Which shard.
        reference: Axes to count parameters on; None counts none.
        checksums: Compare the file's SHA-256 with the manifest's; the time of reading the file once.
    """
    row = dataset.shards[number]
    if checksums:
        try:
            damaged = blob_sha256(dataset.store.open(row.file)) != row.sha256
        except (OSError, ShardError) as error:
            return ShardScan(number, row.rows, (f"{row.file} cannot be read: {error}",))
        if damaged:
            problems = verify_shard(dataset, number, pixels=False) or [f"{row.file} is not what was committed."]
            return ShardScan(number, row.rows, tuple(problems))
    try:
        census = dataset.census(number)
        counted = census is not None
        if census is None:
            census = take_census(dataset.shard(number), dataset.dropped)
        misfits = _misfits(dataset, number, census)
    except (ShardError, pa.ArrowException, OSError) as error:
        return ShardScan(number, row.rows, (str(error),))
    wrong = sum(count for header, count in census.headers.items() if _problem(header, dataset.scale))
    lean = replace(census, values={})
    return ShardScan(number, row.rows, (), checksums, counted, tuple(misfits), wrong, lean, _on_axes(census, reference))


def _on_axes(census: Census, reference: Reference | None) -> dict[Group, Array]:
    if reference is None:
        return {}
    # Ops that the recipe cannot draw at a place are counted by the axis of the place, as a word that it does not know.
    known = ((group, reference.axes.get(group), item) for group, item in census.values.items())
    return {group: axis.count(*item) for group, axis, item in known if axis is not None}


def _misfits(dataset: Dataset, number: int, census: Census) -> Iterable[PairName]:
    """The first pairs whose headers are wrong; only where there are any are the headers read."""
    if not any(_problem(header, dataset.scale) for header in census.headers):
        return []
    found = []
    for block in dataset.shard(number).blocks(()):
        for record in block:
            if isinstance(record, Record) and record.index not in dataset.dropped:
                header = (record.gt.shape, record.lq.shape, record.gt.dtype, record.lq.dtype)
                if problem := _problem(header, dataset.scale):
                    found.append(PairName(record.index, record.key, record.variant, note=problem))
    return found[:SHOWN]


def _problem(header: Header, scale: int) -> str:
    """What is wrong with the sizes and kinds of a pair; empty where nothing is."""
    gt, lq, gt_dtype, lq_dtype = header
    if gt[1:3] != (lq[1] * scale, lq[2] * scale):
        return f"GT {gt[1]}x{gt[2]} is not {scale} times LQ {lq[1]}x{lq[2]}"
    if gt[0] != lq[0]:
        return f"GT has {gt[0]} frames, LQ {lq[0]}"
    if gt[3] != lq[3]:
        return f"GT has {gt[3]} channels, LQ {lq[3]}"
    return f"GT is {gt_dtype}, LQ {lq_dtype}" if gt_dtype != lq_dtype else ""
