"""The loop: batches in, checkpoints and curves out."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from lightning.fabric import Fabric

from degradekit_models.data import Batch, TrainingData
from degradekit_models.errors import ModelError
from degradekit_models.train.checkpoint import LAST, load_state, save_state
from degradekit_models.train.config import Config
from degradekit_models.train.progress import Reporter
from degradekit_models.train.scheme import Pairs, Scheme
from degradekit_models.train.schemes import make_scheme
from degradekit_models.train.validate import Score

__all__ = ["Run", "train"]


@dataclass(frozen=True, slots=True)
class Run:
    """Where a run reads and writes, and how it is run.

    Args:
        out: Folder of checkpoints, weights and curves.
        data: Datasets with their weights; empty with ``source``.
        source: Folder of GT images that become pairs on the way.
        recipe: By which recipe.
        validation: Datasets to validate on; the first decides what is best.
        resume: Go on from ``last.ckpt`` where there is one.
        workers: Processes that read and decode.
        degrade_on: ``workers``, or ``device``: LQs are made of GTs and plans where the network trains.
        allow_random_init: See `make_scheme`.
        overfit_one_batch: Train on the first batch again and again.
        stop_after: Steps of this call at most; the run can be resumed.
        keep: Write checkpoints and weights.
    """

    out: Path
    data: Mapping[str, float | None] = field(default_factory=dict)
    source: str | None = None
    recipe: str | None = None
    validation: Sequence[str] = ()
    resume: bool = False
    workers: int = 0
    degrade_on: Literal["workers", "device"] = "workers"
    allow_random_init: bool = False
    overfit_one_batch: bool = False
    stop_after: int | None = None
    keep: bool = True


def train(config: Config, run: Run, fabric: Fabric, reporter: Reporter) -> Scheme:
    """Train, from the beginning or from the last checkpoint.

    Everything random is a function of the config's seed and the step, so a run that was cut off anywhere goes on bit
    for bit from its last checkpoint (on one kind of device, with deterministic kernels).

    Args:
        config: What is trained.
        run: On what, and where to.
        fabric: Launched; devices, precision, ranks.
        reporter: Is told what happens.

    Raises:
        ModelError: Something does not fit, or a loss is not finite.
    """
    torch.manual_seed(config.seed)
    last = run.out / LAST
    if run.keep and last.exists() and not run.resume:
        raise ModelError(f"{run.out} holds a run already: go on with --resume auto, or choose another --out.")
    data = _data(config, run, fabric)
    scheme = make_scheme(config, fabric, allow_random_init=run.allow_random_init)
    begin, best = 0, float("-inf")
    if run.keep and last.exists():
        state = load_state(last)
        if state["config"] != _digest(config):
            raise ModelError(f"{last} is of another config: give the one it began with, or choose another --out.")
        scheme.load_state_dict(state["scheme"])
        data.load_state_dict(json.loads(state["stream"]))
        begin, best = int(state["step"]), float(state["best"])
    reporter.begin(begin, config.iterations)
    try:
        _loop(config, run, fabric, reporter, scheme, data, begin=begin, best=best)
    finally:
        reporter.end()
    return scheme


def _loop(
    config: Config,
    run: Run,
    fabric: Fabric,
    reporter: Reporter,
    scheme: Scheme,
    data: TrainingData,
    *,
    begin: int,
    best: float,
) -> None:
    """From one step to the last; ``best`` is the best PSNR so far."""
    end = config.iterations if run.stop_after is None else min(config.iterations, begin + run.stop_after)
    batches = _steps(data, config.data.accumulate, once=run.overfit_one_batch)
    for step in range(begin, end):
        torch.manual_seed(_step_seed(config.seed, step, fabric.global_rank))
        asked = time.perf_counter()
        batch = next(batches)
        waited = time.perf_counter() - asked
        pairs = [Pairs(fabric.to_device(part.lq), fabric.to_device(part.gt), part.landmarks) for part in batch]
        try:
            losses = scheme.step(pairs, step)
        except ModelError as error:
            keys = ", ".join(key for part in batch for key in part.keys[:4])
            raise ModelError(
                f"step {step}: {error}; its pairs begin with {keys}; the last checkpoint is in {run.out}."
            ) from error
        reporter.step(step, losses, rate=scheme.rate, seconds=time.perf_counter() - asked, waited=waited)
        done = step + 1
        scores: dict[str, Score] = {}
        if done % config.validation.every == 0 or done == config.iterations:
            pictures = run.out / "pictures" / f"{done:08d}" if run.keep else None
            scores = scheme.validate(run.validation, pictures, scale=data.scale)
            reporter.scores(done, scores)
        first = next(iter(scores.values()), None)
        better = first is not None and first.psnr > best
        best = max(best, first.psnr) if first is not None else best
        if run.keep and (done % config.save_every == 0 or done == end or better):
            _save(config, run, fabric, scheme, data, step=done, best=best, better=better)


def _data(config: Config, run: Run, fabric: Fabric) -> TrainingData:
    parts = fabric.world_size * config.data.accumulate
    if config.data.batch_size % parts:
        raise ModelError(
            f"data.batch_size {config.data.batch_size} cannot be shared by {fabric.world_size} ranks with "
            f"{config.data.accumulate} micro-batches each."
        )
    if run.validation and "lq" not in config.roles:
        raise ModelError(f"the scheme {config.scheme} restores nothing that could be compared: leave out --validate.")
    given = [weight for weight in run.data.values() if weight is not None]
    if given and len(given) != len(run.data):
        raise ModelError("give a weight to every dataset (--data FOLDER:0.3), or to none.")
    return TrainingData(
        tuple(run.data), weights=given or None, source=run.source, recipe=run.recipe,
        micro_batch=config.data.batch_size // parts, crop=config.data.crop, flip=config.data.flip,
        rotate=config.data.rotate, clip=config.data.clip, mirror=config.data.mirror, roles=config.roles,
        landmarks=config.landmarks, seed=config.seed, workers=run.workers,
        rank=fabric.global_rank, ranks=fabric.world_size,
        device=fabric.device if run.degrade_on == "device" else None,
    )  # fmt: skip


def _steps(data: TrainingData, parts: int, *, once: bool) -> Iterator[list[Batch]]:
    """The micro-batches of each step."""
    stream = iter(data)
    first = [next(stream) for _ in range(parts)]
    yield first
    while True:
        yield first if once else [next(stream) for _ in range(parts)]


def _step_seed(seed: int, step: int, rank: int) -> int:
    """Seed of everything that a step draws on a rank."""
    return int.from_bytes(hashlib.blake2b(f"{seed}/{step}/{rank}".encode(), digest_size=8).digest())


def _digest(config: Config) -> str:
    return hashlib.sha256(config.model_dump_json().encode()).hexdigest()


def _save(
    config: Config,
    run: Run,
    fabric: Fabric,
    scheme: Scheme,
    data: TrainingData,
    *,
    step: int,
    best: float,
    better: bool,
) -> None:
    """Write the run's state, and the generator's weights as restoration tools read them."""
    if fabric.global_rank == 0:
        weights = {"params": scheme.generator.bare.state_dict()}
        if scheme.average is not None:
            weights["params_ema"] = scheme.average.state_dict()
        save_state(run.out / "generator.pth", weights)
        if better:
            save_state(run.out / "best.pth", weights)
        state = {
            "step": step,
            "best": best,
            "config": _digest(config),
            "scheme": scheme.state_dict(),
            "stream": json.dumps(data.state_dict()),
        }
        save_state(run.out / LAST, state)
    fabric.barrier()
