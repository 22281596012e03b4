"""Where does a pair's time go, and how far is every step from the library call that does its heavy part?

Every step of the same plans is timed twice on the same picture, in alternating order: our ``apply``, and one library
call (``library_call``) that leaves out whatever surrounds the heavy part. CPU seconds of one thread.

    python benchmarks/steps.py --photos FOLDER --draws 600
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from degradekit import load_recipe
from degradekit.apply import quantise, to_float
from degradekit.graph import Step, place
from degradekit.plan import Plan
from degradekit.types import Geometry

sys.path.insert(0, str(Path(__file__).parent))
from pool import GT, crops

BLOCKS = 6
MODES = {"area": cv2.INTER_AREA, "bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}
BORDER = cv2.BORDER_REFLECT_101
NOISE = np.random.Generator(np.random.SFC64(0))
NO_LIBRARY = "draw the plan"


@dataclass
class Sums:
    """Seconds of one step, by block of draws."""

    calls: int = 0
    ours: list[float] = field(default_factory=lambda: [0.0] * BLOCKS)
    library: list[float] = field(default_factory=lambda: [0.0] * BLOCKS)


class Profile:
    """Times of every step, ours and the library's."""

    def __init__(self) -> None:
        self.sums: dict[str, Sums] = defaultdict(Sums)
        self.block = 0

    def timed(self, name: str, ours: Callable[[], Any], library: Callable[[], Any]) -> Any:
        sums = self.sums[name]
        sums.calls += 1
        if sums.calls % 2:
            sums.library[self.block] += _seconds(library)[0]
        seconds, result = _seconds(ours)
        sums.ours[self.block] += seconds
        if not sums.calls % 2:
            sums.library[self.block] += _seconds(library)[0]
        return result

    def pair(self, plan: Plan, hr: np.ndarray) -> None:
        gt = self.timed("target (flip)", lambda: plan.make_gt(hr), lambda: cv2.flip(hr[0], 1))
        x = gt
        for step in plan.degrade:
            if x.dtype == np.uint8 and not step.draw.reads_levels:
                x = self.timed("u8 -> f32", lambda x=x: to_float(x), lambda x=x: x * np.float32(1 / 255))
            library = library_call(step, to_float(x) if x.dtype == np.uint8 else x)
            x = self.timed(named(step), lambda step=step, x=x: step.draw.apply(x), library)
        last = x
        self.timed("f32 -> u8", lambda: quantise(last, gt.dtype), lambda: cv2.convertScaleAbs(last[0], alpha=255))

    def rows(self, draws: int) -> list[dict[str, Any]]:
        """Dearest first. ``library_ms`` and the ratio are absent where no library does the work."""
        rows = []
        for name, sums in self.sums.items():
            ours = sum(sums.ours)
            row = {
                "step": name,
                "share_of_pairs": sums.calls / draws,
                "ms_per_pair": 1e3 * ours / draws,
                "ms_per_call": 1e3 * ours / sums.calls,
            }
            if name != NO_LIBRARY:
                ratios = [a / b for a, b in zip(sums.ours, sums.library, strict=True) if b]
                row["library_ms_per_call"] = 1e3 * sum(sums.library) / sums.calls
                row["ratio"] = {"mean": ours / sum(sums.library), "min": min(ratios), "max": max(ratios)}
            rows.append(row)
        return sorted(rows, key=lambda row: -row["ms_per_pair"])


def named(step: Step) -> str:
    """``blur1 gaussian_blur``: the place in the recipe and the op that ran there; isotropic Gaussians apart."""
    round_ = step.draw.name == "gaussian_blur" and is_isotropic(step.draw)
    return f"{place(step.at).rpartition('/')[2]} {step.draw.name}{' iso' if round_ else ''}"


def is_isotropic(draw: Any) -> bool:
    return bool(draw.sigma_x == draw.sigma_y)


def library_call(step: Step, x: np.ndarray) -> Callable[[], Any]:
    """The cheapest single library call for the step's heavy part, with the step's own size and parameters."""
    frame, draw = x[0], step.draw
    match draw.name:
        case "unsharp_mask":
            taps = cv2.getGaussianKernel(51, 8.0, cv2.CV_32F)
            return lambda: [cv2.sepFilter2D(frame, -1, taps, taps, borderType=BORDER) for _ in range(2)]
        case "gaussian_blur" if is_isotropic(draw):
            taps = cv2.getGaussianKernel(draw.size, 1.0, cv2.CV_32F)
            return lambda: cv2.sepFilter2D(frame, -1, taps, taps, borderType=BORDER)
        case "gaussian_blur" | "generalized_blur" | "plateau_blur" | "sinc":
            kernel = np.full((draw.size, draw.size), 1 / draw.size**2, np.float32)
            kernel[0, 0] *= 2  # not separable: OpenCV is not to notice that it could be
            return lambda: cv2.filter2D(frame, -1, kernel, borderType=BORDER)
        case "resize":
            size = draw.out_geometry(Geometry(*x.shape)).size[::-1]
            return lambda: cv2.resize(frame, size, interpolation=MODES[draw.mode])
        case "gaussian_noise":
            noise = np.empty_like(frame)
            return lambda: cv2.randn(noise, 0, 1)
        case "poisson_noise":
            rate = np.clip(frame, 0, 1) * 255
            return lambda: NOISE.poisson(rate)
        case "jpeg":
            pixels = quantise(frame, np.dtype(np.uint8))
            quality = [cv2.IMWRITE_JPEG_QUALITY, int(draw.quality)]
            return lambda: cv2.imdecode(cv2.imencode(".jpg", pixels, quality)[1], cv2.IMREAD_COLOR)
    raise NotImplementedError(f"no library call is known for {draw.name}")


def profile(pool: np.ndarray, draws: int) -> list[dict[str, Any]]:
    """Profile ``draws`` pairs after a tenth as many that only warm up."""
    recipe, geometry = load_recipe("real_esrgan"), Geometry(1, GT, GT)
    result = Profile()
    for i in range(-(draws // 10), draws):
        if i == 0:
            result = Profile()
        result.block = max(i, 0) * BLOCKS // draws
        plan = result.timed(NO_LIBRARY, lambda i=i: recipe.draw(key=f"profile/{i}", geometry=geometry), lambda: None)
        result.pair(plan, pool[i % len(pool)][None])
    return result.rows(draws)


def _seconds(run: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    result = run()
    return time.process_time() - start, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", default="sample", help="folder of photographs (default: scikit-image's)")
    parser.add_argument("--draws", type=int, default=600, help="pairs to profile (default: 600)")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)), help="core to run on")
    args = parser.parse_args()
    os.sched_setaffinity(0, {args.core})
    cv2.setNumThreads(1)
    print(json.dumps(profile(crops(args.photos), args.draws), indent=1))


if __name__ == "__main__":
    main()
