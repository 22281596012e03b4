"""How fast do pairs come off the disk, GT 256x256 and LQ 64x64, shuffled, one core: this loader and the peers.

The same pairs are stored in every format. Every peer is a process of its own, pinned to one core; all rows run in turn,
again and again, in one run, and ratios are taken round by round. Time is CPU seconds of the peer's process.

    python benchmarks/stream.py --setup-peers            # once: makes .venv-stream
    python benchmarks/stream.py --photos FOLDER --save   # about four minutes
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from children import ONE_THREAD, Child, NotRunning
from engine import machine
from stream_table import markdown

from degradekit.codecs import encode
from degradekit.interop import export
from degradekit.recipe import load_recipe
from degradekit.shards.commit import commit
from degradekit.shards.dataset import Dataset, open_dataset
from degradekit.shards.manifest import BuildFacts, finish
from degradekit.source import list_images, read_image
from degradekit.storage import open_store
from degradekit.types import Array, EncodedImage, Record

HERE = Path(__file__).parent
ENVIRONMENT = HERE.parent / ".venv-stream"
OURS = "degradekit"
GT, SHARD = 256, 512
STORED = {"qoi": ("qoi", "parquet"), "delta": ("delta+zstd", "parquet"), "delta-lmdb": ("delta+zstd", "lmdb")}
STORED |= {"lz4": ("raw+lz4", "parquet")}
EXPORTED = ("basicsr", "mds", "webdataset", "huggingface", "folders")
ROWS: dict[str, dict[str, str]] = {
    OURS: {
        "QOI": "qoi",
        "delta+zstd": "delta",
        "delta+zstd, LMDB": "delta-lmdb",
        "raw+lz4": "lz4",
        "bytes": "delta",
        "bytes, unverified": "delta",
        "bytes, LMDB": "delta-lmdb",
    },
    "lmdb": {"PNG": "basicsr", "bytes": "basicsr"},
    "mosaic": {"PNG": "mds", "PNG, by index": "mds", "bytes": "mds", "bytes, by index": "mds"},
    "litdata": {"PNG": "litdata", "bytes": "litdata"},
    "webdataset": {"PNG": "webdataset", "bytes": "webdataset"},
    "huggingface": {
        "PNG": "huggingface-cache",
        "PNG, streaming": "huggingface",
        "bytes": "huggingface-cache",
        "bytes, streaming": "huggingface",
    },
}
"""Peer -> row -> folder that it reads. A row that begins with ``bytes`` decodes nothing."""


def setup_peers() -> None:
    """Make the peers' environment; mosaicml-streaming without the cloud libraries and text models that it names."""
    venv.create(ENVIRONMENT, with_pip=True)
    pip = [str(ENVIRONMENT / "bin" / "python"), "-m", "pip", "install"]
    constraints = ["--constraint", str(HERE / "peers" / "stream_constraints.txt")]
    libraries = ["torch", "webdataset", "datasets", "lmdb", "opencv-python-headless", "pillow"]
    subprocess.run([*pip, *constraints, *libraries], check=True)
    more = ["lightning-utilities", "tifffile", "obstore", "boto3", "requests"]
    subprocess.run([*pip, *constraints, *more, "brotli", "python-snappy", "zstd", "catalogue"], check=True)
    subprocess.run([*pip, *constraints, "--no-deps", "litdata", "mosaicml-streaming"], check=True)


def crops(photos: str, count: int) -> Iterator[Array]:
    """uint8 RGB crops ``[256, 256, 3]`` at places that a seed decides, the pictures in turn."""
    pictures = [read_image(ref.uri) for ref in list_images(photos).images]
    pictures = [image for image in pictures if image.dtype == np.uint8 and min(image.shape[:2]) >= GT]
    rng = np.random.default_rng(0)
    for i in range(count):
        image = pictures[i % len(pictures)]
        y, x = (int(rng.integers(side - GT + 1)) for side in image.shape[:2])
        yield np.ascontiguousarray(image[y : y + GT, x : x + GT])


def pairs(photos: str, count: int) -> list[tuple[Array, Array, str]]:
    """Pairs as a Real-ESRGAN build makes them, with their plans."""
    recipe = load_recipe("real_esrgan")
    made = [recipe.degrade(crop, key=f"{i}.png") for i, crop in enumerate(crops(photos, count))]
    return [(pair.gt, pair.lq, pair.plan.to_json()) for pair in made]


def opencv_png(image: Array) -> EncodedImage:
    """What the peers' own tools store: OpenCV's PNG with its default settings."""
    data = cv2.imencode(".png", image[..., ::-1])[1].tobytes()
    return EncodedImage(data, "png", (1, *image.shape), "uint8")  # type: ignore[arg-type]


def store(folder: Path, made: list[tuple[Array, Array, str]], codec: str, format: str) -> Dataset:
    """Write the pairs as one of our datasets; ``opencv`` stands for its PNGs."""
    put = opencv_png if codec == "opencv" else lambda image: encode(image[None], codec)
    place = open_store(folder)
    for number in range(-(-len(made) // SHARD)):
        some = list(enumerate(made))[number * SHARD :][:SHARD]
        records = (Record(i, f"{i}.png", 0, put(gt), put(lq), plan, {}) for i, (gt, lq, plan) in some)
        commit(place, number, records, format=format, schema={})
    facts = {"shard_size": SHARD, "variants": 1, "samples": len(made), "schema": {}}
    finish(place, BuildFacts("", "", 0, 4, format=format, codec=codec, **facts))
    return open_dataset(folder)


def prepare(folder: Path, photos: str, count: int) -> None:
    """Store the same pairs for everybody."""
    made = pairs(photos, count)
    base = store(folder / "base", made, "opencv", "parquet")
    for name in EXPORTED:
        export(base, name, folder / name)
    for name, (codec, format) in STORED.items():
        store(folder / name, made, codec, format)
    python = ENVIRONMENT / "bin" / "python"
    if python.exists():
        command = [str(python), str(HERE / "peers/stream_litdata_peer.py"), str(folder)]
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def size(folder: Path, files: str = "*") -> int:
    """Bytes that the files of a folder take."""
    return sum(path.stat().st_size for path in folder.rglob(files) if path.is_file())


def measure(
    children: dict[str, Child], rows: list[tuple[str, str]], rounds: int, count: int
) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Run all rows in turn, ``rounds`` times; every second round backwards. The first, warming up, is not kept."""
    times: dict[tuple[str, str], list[dict[str, Any]]] = {row: [] for row in rows}
    for i in range(rounds + 1):
        for peer, name in rows[:: 1 if i % 2 == 0 else -1]:
            times[peer, name].append(children[peer].run(name, first=0, calls=count if i else count // 4, seed=0))
        print(f"round {i} of {rounds}", file=sys.stderr)
    return {row: answers[1:] for row, answers in times.items()}


def summary(times: dict[tuple[str, str], list[dict[str, Any]]], folder: Path, count: int) -> list[dict[str, Any]]:
    """Medians with their range; of rows that decode also how many times as fast as the fastest peer, round by round."""
    ms = {row: [1e3 * answer["cpu"] / answer["pairs"] for answer in answers] for row, answers in times.items()}
    decoding = [row for row in ms if not row[1].startswith("bytes")]
    best = min((row for row in decoding if row[0] != OURS), key=lambda row: statistics.median(ms[row]), default=None)
    lines = []
    for row, values in ms.items():
        line: dict[str, Any] = {"peer": row[0], "row": row[1], "ms_per_pair": spread(values)}
        line["pairs_per_s"] = 1e3 / statistics.median(values)
        line["core_share"] = sum(a["cpu"] for a in times[row]) / sum(a["wall"] for a in times[row])
        line["anonymous_mb"] = max(answer["mb"] for answer in times[row])
        line["kb_per_pair"] = size(folder / ROWS[row[0]][row[1]]) / count / 1e3
        if best and row in decoding:
            line["times_the_fastest_peer"] = spread([a / b for a, b in zip(ms[best], values, strict=True)])
        lines.append(line)
    return lines


def spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def limits() -> dict[str, Any]:
    """``stream_limits.py`` in a process of its own."""
    environment = {**os.environ, **dict.fromkeys(ONE_THREAD, "1")}
    command = [sys.executable, str(HERE / "stream_limits.py")]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return dict(json.loads(done.stdout))


def run(args: argparse.Namespace) -> dict[str, Any]:
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    os.environ["HF_HUB_OFFLINE"] = "1"
    children: dict[str, Child] = {}
    missing: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        prepare(folder, args.photos, args.pairs)
        try:
            for peer, rows in ROWS.items():
                python = Path(sys.executable) if peer == OURS else ENVIRONMENT / "bin" / "python"
                try:
                    child = Child(f"stream_{peer}", python, folder, args.core)
                    children[peer] = child
                    for name in rows:
                        child.run(name, first=0, calls=16, seed=0)
                except NotRunning as reason:
                    if peer == OURS:
                        raise
                    missing[peer] = str(reason)
                    children.pop(peer, None)
            rows_ = [(peer, name) for peer in children for name in ROWS[peer]]
            lines = summary(measure(children, rows_, args.rounds, args.pairs), folder, args.pairs)
        finally:
            for child in children.values():
                child.close()
        images = {name: size(folder / name) / args.pairs / 1e3 for name in ("base", *STORED)}
    return {
        "question": "CPU milliseconds of one core for one shuffled pair, GT 256x256 and LQ 64x64, from local files",
        "machine": machine(),
        "settings": {"rounds": args.rounds, "pairs": args.pairs},
        "versions": {peer: child.versions for peer, child in children.items()},
        "missing": missing,
        "rows": lines,
        "kb_per_pair": images,
        "limits": limits() if args.limits else {},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", default="sample", help="folder of photographs (default: scikit-image's)")
    parser.add_argument("--pairs", type=int, default=1024, help="pairs stored and read in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--no-limits", dest="limits", action="store_false", help="only the table of rows")
    parser.add_argument("--save", action="store_true", help="write results/stream.json and results/stream.md")
    parser.add_argument("--setup-peers", action="store_true", help="make .venv-stream and stop")
    args = parser.parse_args()
    if args.setup_peers:
        setup_peers()
        return
    result = run(args)
    text = markdown(result)
    print(text)
    if args.save:
        (HERE / "results" / "stream.json").write_text(json.dumps(result, indent=1) + "\n")
        (HERE / "results" / "stream.md").write_text(text)


if __name__ == "__main__":
    main()
