"""Show one pair of a dataset and how it was made, or list its samples."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from degradekit.cli.options import at_least

if TYPE_CHECKING:
    from degradekit.shards.dataset import Dataset
    from degradekit.types import EncodedImage, Record

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this verb."""
    parser.add_argument("dataset", help="dataset folder or URI")
    parser.add_argument("--key", metavar="K", help="sample key as it is printed, such as cat.png#r0")
    parser.add_argument("--variant", type=at_least(0), default=0, metavar="V", help="which LQ of the GT (default 0)")
    parser.add_argument("--json", action="store_true", help="print canonical JSON")
    parser.add_argument("--save", metavar="FOLDER", help="write gt.png, lq.png and plan.json there")
    parser.add_argument(
        "--limit", type=at_least(1), default=20, metavar="N", help="without --key: list N samples (default 20)"
    )


def run(args: argparse.Namespace) -> int:
    """Print the pair, or a list of keys."""
    from degradekit.canonical import canonical_json
    from degradekit.describe import describe_record, record_json
    from degradekit.pick import find
    from degradekit.shards.dataset import open_dataset
    from degradekit.types import Record

    dataset = open_dataset(args.dataset)
    if args.key is None:
        _list(dataset, args.limit, as_json=args.json)
        return 0
    index = find(dataset, args.key, args.variant)[0]
    number, row = dataset.locate(index)
    record = dataset.read(index)
    if not isinstance(record, Record):
        print(f"{record.key}, variant {record.variant} could not be made: {record.step}: {record.reason}")
        return 1
    if args.json:
        print(canonical_json(record_json(record) | {"shard": number, "row": row}))
    else:
        title, *rest = describe_record(record)
        variants = f" of 0..{dataset.info['variants'] - 1}" if dataset.info["variants"] > 1 else ""
        print("\n".join([f"{title}{variants} (index {index}: shard {number}, row {row})", *rest]))
    if args.save is not None:
        _save(record, Path(args.save))
    return 0


def _list(dataset: Dataset, limit: int, *, as_json: bool) -> None:
    from degradekit.canonical import canonical_json
    from degradekit.table import align

    rows: list[dict[str, Any]] = []
    for shard in dataset.shards:
        table = dataset.shard(shard.number).table([]).slice(0, limit - len(rows))
        rows += table.select(["index", "key", "variant", "status"]).to_pylist()
        if len(rows) >= limit:
            break
    if as_json:
        print(canonical_json(rows))
        return
    print("\n".join(align([[str(value) for value in row.values()] for row in rows], indent="")))
    if len(rows) < len(dataset):
        print(f"... {len(dataset) - len(rows)} more; see them with --limit, one of them with --key")


def _save(record: Record, folder: Path) -> None:
    from degradekit.errors import DegradekitError

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, image in (("gt", record.gt), ("lq", record.lq)):
            _save_png(image, folder / name)
        if record.plan:
            (folder / "plan.json").write_text(record.plan + "\n", encoding="utf-8")
    except OSError as error:
        raise DegradekitError(f"--save {folder}: {error.strerror}; choose a folder that can be written") from error


def _save_png(image: EncodedImage, stem: Path) -> None:
    """One PNG, or one for each frame of a clip."""
    from degradekit.codecs import decode, encode

    clip = decode(image)
    for t in range(clip.shape[0]):
        name = stem.name if clip.shape[0] == 1 else f"{stem.name}-{t:03d}"
        stem.with_name(f"{name}.png").write_bytes(bytes(encode(clip[t : t + 1], "png").data))
