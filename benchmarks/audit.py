"""How fast is an audit, and does it stay silent where nothing is wrong?

Builds healthy datasets from photographs, one for each seed, audits them, and prints what was found:

    python benchmarks/audit.py --photos FOLDER --pairs 5000 --workers 2
    python benchmarks/audit.py --photos FOLDER --pairs 5000 --seeds 20 --recipe real_esrgan

``pair_ms`` is the process time of measuring one decoded pair on one core; ``audit_s`` is the wall time of
everything, ``audit_cpu_s`` its processor time, which other work on the machine does not stretch as much.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import tempfile
import time
from pathlib import Path

import cv2

from degradekit.audit.gather import Options
from degradekit.audit.look import choose
from degradekit.audit.measure import as_levels, measure_pair
from degradekit.audit.run import audit
from degradekit.cli import main as degradekit
from degradekit.codecs import decode
from degradekit.recipe import recipe_names
from degradekit.shards.dataset import Dataset, open_dataset
from degradekit.types import Record

TIMED = 60
ROUNDS = 5


def build(recipe: str, args: argparse.Namespace, seed: int, out: Path) -> Dataset:
    """A dataset of ``args.pairs`` pairs of ``args.size`` px; random crops make up for few photographs."""
    text = recipe_names()[recipe].read_text(encoding="utf-8")
    crop = f"extract: {{mode: random, size: {args.size}, per_image: 1, small: pad}}"
    file = out.with_suffix(".yaml")
    file.write_text(re.sub(r"(?m)^extract:.*$", crop, text), encoding="utf-8")
    photos = sum(1 for path in Path(args.photos).rglob("*") if path.is_file())
    words = ["--per-image", str(-(-args.pairs // photos)), "--limit", str(args.pairs), "--seed", str(seed)]
    code = degradekit(["build", str(file), "--source", args.photos, "--out", str(out), "--executor", "inline", *words])
    if code:
        raise SystemExit(f"the build failed with {code}")
    return open_dataset(out)


def pair_ms(dataset: Dataset) -> float:
    """Process time of measuring a decoded pair: the best of some rounds, in ms."""
    cv2.setNumThreads(1)
    pairs = []
    for number, rows in choose(dataset, TIMED).items():
        for row in rows:
            record = dataset.shard(number).read(row, ("gt", "lq"))
            if isinstance(record, Record):
                pairs.append((as_levels(decode(record.gt)), as_levels(decode(record.lq))))
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for gt, lq in pairs:
            measure_pair(gt, lq, scale=dataset.scale)
        rounds.append((time.process_time() - start) / len(pairs))
    return 1000 * min(rounds)


def spent() -> float:
    """Processor seconds of this process and of the children that have ended."""
    who = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in who)


def main() -> None:
    """Build, audit, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", required=True)
    parser.add_argument("--recipe", default="classical")
    parser.add_argument("--pairs", type=int, default=5000)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--sample", type=int, default=5000)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    for seed in range(args.seeds):
        with tempfile.TemporaryDirectory() as folder:
            dataset = build(args.recipe, args, seed, Path(folder) / "data")
            start, before = time.monotonic(), spent()
            found = audit(dataset, options=Options(args.sample, workers=args.workers))
            seconds = time.monotonic() - start
            processor = spent() - before
            milliseconds = pair_ms(dataset)
            result = {
                "recipe": args.recipe,
                "seed": seed,
                "pairs": len(dataset),
                "looked_at": len(found.sample),
                "audit_s": round(seconds, 1),
                "audit_cpu_s": round(processor, 1),
                "pair_ms": round(milliseconds, 2),
                "pairs_per_s_and_core": round(1000 / milliseconds, 1),
                "findings": {r.name: [f.message for f in r.findings] for r in found.results if r.findings},
            }
            print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
