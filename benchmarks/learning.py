"""What ``learn.py`` and ``learn_data.py`` share: split photographs, datasets of both halves, training, scores."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
import torch
from lightning.fabric import Fabric
from PIL import Image

from degradekit.cli import main as degradekit
from degradekit.source import list_images
from degradekit.splits import split_of
from degradekit_models.checkpoints import load_checkpoint
from degradekit_models.data import ValidationPair, validation_pairs
from degradekit_models.metrics import gmsd, gradient_energy, high_frequency_power, psnr, ssim
from degradekit_models.train import loop
from degradekit_models.train.config import parse_config
from degradekit_models.train.progress import Reporter
from degradekit_models.train.validate import restorer

RATIOS = {"train": 0.75, "held_out": 0.25}
BORDER = 4
"""Pixels that no measure looks at, on each side: the scale."""
BICUBIC = """\
extends: bicubic
name: bicubic_crops
extract: {mode: random, size: 400, per_image: 1, small: pad}
target: {flip: {op: flip, horizontal: 0.5}}
"""
"""Bicubic pairs of the very GTs that the other recipes get."""

Upscaler = Callable[[ValidationPair], Any]


def one_thread() -> None:
    """Everything on one core, so that CPU seconds mean the same everywhere."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def split_photos(photos: str, work: Path) -> dict[str, int]:
    """Links to the photographs in ``work/train`` and ``work/held_out``, a photograph in one of them; how many there."""
    counts = dict.fromkeys(RATIOS, 0)
    for image in list_images(photos).images:
        name = split_of(image.key, RATIOS)
        link = work / name / image.key
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(Path(image.uri).resolve())
        counts[name] += 1
    return counts


def build(recipe: str, source: Path, out: Path, *, per_image: int, variants: int = 1, seed: int = 0) -> float:
    """A dataset; the wall seconds that it took."""
    words = ["--per-image", str(per_image), "--variants", str(variants), "--seed", str(seed), "--executor", "inline"]
    began = time.perf_counter()
    if code := degradekit(["build", recipe, "--source", str(source), "--out", str(out), *words]):
        raise SystemExit(f"building {out} failed with {code}")
    return time.perf_counter() - began


@dataclass(frozen=True)
class Trained:
    """A finished run: its weights, what every step said, and what it cost."""

    weights: Path
    curve: list[dict[str, float]]
    seconds: float
    cpu_seconds: float
    waited: float

    def mean(self, term: str, first: float, last: float) -> float:
        """Mean of a term of the loss over a part of the steps, both ends as shares of the run."""
        values = [line[term] for line in self.curve if term in line]
        return fmean(values[int(first * len(values)) : max(int(last * len(values)), 1)])


class Clocked(Reporter):
    """A reporter that adds up what steps took, and how long they waited for their pairs."""

    def __init__(self, out: Path) -> None:
        super().__init__(out, every=200)
        self.seconds = self.waited = 0.0

    def step(self, step: int, losses: Mapping[str, float], *, rate: float, seconds: float, waited: float) -> None:
        """A step is done."""
        self.seconds += seconds
        self.waited += waited
        super().step(step, losses, rate=rate, seconds=seconds, waited=waited)


def run(config: str, out: Path, shards: Path, *, data: Any = None, resume: bool = False, **options: Any) -> Trained:
    """Train by the package's own loop on the CPU; ``data`` stands in for the stream of ``shards`` where it is given."""
    job = loop.Run(out=out, data={str(shards): None}, resume=resume, **options)
    clock, began = Clocked(out), time.process_time()
    with patch.object(loop, "TrainingData", loop.TrainingData if data is None else lambda *_, **__: data):
        loop.train(parse_config(config), job, Fabric(accelerator="cpu", devices=1), clock)
    curve = [json.loads(line) for line in (out / "curve.jsonl").read_text().splitlines()]
    cpu = time.process_time() - began
    return Trained(out / "generator.pth", curve, clock.seconds, cpu, clock.waited)


def network(weights: Path) -> Upscaler:
    """A trained network, its averaged weights where there are some."""
    restore = restorer(load_checkpoint(weights), "cpu")
    return lambda pair: restore(pair.lq)[0]


def bicubic(pair: ValidationPair) -> Any:
    """Pillow's cubic enlargement (a = -0.5), which knows nothing of degradations."""
    h, w = pair.gt.shape[1:3]
    return np.asarray(Image.fromarray(pair.lq[0]).resize((w, h), Image.Resampling.BICUBIC))


def scores(upscale: Upscaler, held_out: Path) -> list[dict[str, float]]:
    """Measures of every pair; sharpness is compared with the GT's in decibels, 0 where it is as sharp."""
    rows = []
    for pair in validation_pairs(str(held_out), sys.maxsize):
        out, gt = upscale(pair), pair.gt[0]
        row = {name: measure(out, gt, crop=BORDER) for name, measure in PAIRED.items()}
        row |= {name: _decibels(measure(out, crop=BORDER), measure(gt, crop=BORDER)) for name, measure in SHARP.items()}
        rows.append(row)
    return rows


PAIRED = {"psnr": psnr, "ssim": ssim, "gmsd": gmsd}
SHARP = {"gradient_db": gradient_energy, "high_frequency_db": high_frequency_power}


def _decibels(value: float, reference: float) -> float:
    return float(10 * np.log10((value + 1e-3) / (reference + 1e-3)))


def means(rows: list[dict[str, float]]) -> dict[str, float]:
    """Of every measure."""
    return {name: fmean(row[name] for row in rows) for name in rows[0]} | {"pairs": len(rows)}


def sheet(pairs: Iterable[ValidationPair], upscalers: Mapping[str, Upscaler], out: Path, *, side: int = 200) -> None:
    """A picture: a row for each pair, a column for each way to enlarge its middle and one for the GT."""
    rows = []
    for pair in pairs:
        gt = pair.gt[0]
        y, x = ((length - side) // 2 for length in gt.shape[:2])
        rows.append([picture[y : y + side, x : x + side] for picture in (*(up(pair) for up in upscalers.values()), gt)])
    head = np.full((24, side * len(rows[0]), 3), 255, np.uint8)
    for column, name in enumerate([*upscalers, "GT"]):
        cv2.putText(head, name, (column * side + 6, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    Image.fromarray(np.concatenate([head, *(np.concatenate(row, axis=1) for row in rows)])).save(out, quality=92)
