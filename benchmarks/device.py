"""How fast are pairs degraded on a device of torch, beside the numpy engine, and how equal are they?

The same plans and crops (of the recipe's size, from memory to an LQ) go through ``apply_batch`` in batches and through
``plan.make_lq`` one by one. On ``cpu`` both have one thread and the clock is CPU seconds; on another device the clock
is wall time until the device is done, copies of GTs to it included.

    python benchmarks/device.py --photos FOLDER --save             # torch's CPU, two minutes
    python benchmarks/device.py --photos FOLDER --device cuda      # a GPU
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
from engine import machine, spread
from pool import GT, crops

from degradekit.apply import apply_batch
from degradekit.recipe import load_recipe
from degradekit.types import Geometry

RECIPES = ("bicubic", "classical", "real_esrgan", "bsrgan", "gfpgan")


class Case:
    """Plans of a recipe with their GTs.

    Args:
        name: Of the recipe.
        pool: uint8 ``[N, 400, 400, 3]``.
        pairs: How many.
        device: Where torch works.
        batch: Pairs that go together.
    """

    def __init__(self, name: str, pool: np.ndarray, pairs: int, device: torch.device, batch: int) -> None:
        recipe = load_recipe(name)
        side = (recipe.extract.window_size or (GT, GT))[0]
        edge = max(0, side - GT)
        self.gts = np.pad(pool, ((0, 0), (0, edge), (0, edge), (0, 0)), mode="reflect")[:, :side, :side]
        self.gts = self.gts[np.arange(pairs) % len(pool)]
        self.plans = [recipe.draw(key=f"{i}.png", geometry=Geometry(1, side, side)) for i in range(pairs)]
        self.tensors = torch.from_numpy(self.gts).permute(0, 3, 1, 2).contiguous()
        self.device, self.batch = device, batch

    def by_numpy(self) -> np.ndarray:
        return np.stack([plan.make_lq(gt[None])[0] for plan, gt in zip(self.plans, self.gts, strict=True)])

    def by_torch(self) -> np.ndarray:
        made = []
        for at in range(0, len(self.plans), self.batch):
            part = slice(at, at + self.batch)
            made.append(apply_batch(self.plans[part], self.tensors[part].to(self.device, non_blocking=True)))
        finish(self.device)
        return torch.cat(made).permute(0, 2, 3, 1).cpu().numpy()


def finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def clock(device: torch.device) -> float:
    return time.process_time() if device.type == "cpu" else time.perf_counter()


def seconds(work: Callable[[], object], device: torch.device) -> float:
    start = clock(device)
    work()
    return clock(device) - start


def shares(case: Case) -> dict[str, float]:
    """Part of the time that each op takes; waiting for the device after each makes the whole slower."""
    spent: Counter[str] = Counter()

    def timed(work: Callable[..., list[torch.Tensor]], name: str) -> Callable[..., list[torch.Tensor]]:
        def apply_group(*group: Any) -> list[torch.Tensor]:
            start = clock(case.device)
            out = work(*group)
            finish(case.device)
            spent[name] += clock(case.device) - start
            return out

        return apply_group

    with ExitStack() as patches:
        for kind in {type(step.draw) for plan in case.plans for step in plan.degrade}:
            patches.enter_context(patch.object(kind, "apply_group", timed(kind.apply_group, kind.name)))
        case.by_torch()
    total = sum(spent.values())
    return {name: round(value / total, 3) for name, value in spent.most_common()}


def parity(made: np.ndarray, wanted: np.ndarray) -> dict[str, float | None]:
    """How many LQs are equal, and how far off the worst one is."""
    difference = np.abs(made.astype(int) - wanted)
    errors = (difference**2).mean(axis=(1, 2, 3))
    return {
        "equal": float((errors == 0).mean()),
        "samples_off": float((difference > 0).mean()),
        "largest_levels": int(difference.max()),
        "worst_psnr": 10 * math.log10(255**2 / errors.max()) if errors.max() else None,
    }


def measured(name: str, pool: np.ndarray, args: argparse.Namespace) -> dict[str, Any]:
    device = torch.device(args.device)
    case = Case(name, pool, args.pairs, device, args.batch)
    found = parity(case.by_torch(), case.by_numpy())  # and compiles what has to be
    rates: dict[str, list[float]] = {"numpy": [], "torch": []}
    for _ in range(args.rounds):
        rates["numpy"].append(args.pairs / seconds(case.by_numpy, torch.device("cpu")))
        rates["torch"].append(args.pairs / seconds(case.by_torch, device))
    ratio = statistics.median(t / n for t, n in zip(rates["torch"], rates["numpy"], strict=True))
    return {
        "recipe": name,
        "pairs_per_s": {way: spread(values) for way, values in rates.items()},
        "torch_over_numpy": ratio,
        "parity": found,
        "torch_share_by_op": shares(case),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", default="sample", help="folder of photographs (default: scikit-image's)")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 (default: cpu)")
    parser.add_argument("--batch", type=int, default=16, help="pairs of a batch (default: 16)")
    parser.add_argument("--pairs", type=int, default=48, help="pairs of a round (default: 48)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of both ways in turn (default: 3)")
    parser.add_argument("--recipes", nargs="*", default=list(RECIPES), help=f"default: {' '.join(RECIPES)}")
    parser.add_argument("--save", action="store_true", help="write results/device-DEVICE.json too")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    pool = crops(args.photos)
    device = torch.device(args.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "torch's CPU, one thread"
    result = {
        "question": "pairs per second, decoded GT in memory to LQ: apply_batch beside plan.make_lq on one core",
        "machine": machine(),
        "device": name,
        "torch": torch.__version__,
        "settings": {"batch": args.batch, "pairs": args.pairs, "rounds": args.rounds},
        "rows": [measured(recipe, pool, args) for recipe in args.recipes],
    }
    text = json.dumps(result, indent=1) + "\n"
    if args.save:
        (Path(__file__).parent / "results" / f"device-{device.type}.json").write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
