"""An audit from beginning to end: gathering facts about a dataset and judging them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from degradekit.audit.checks import CHECKS
from degradekit.audit.facts import Check, Facts, not_run
from degradekit.audit.gather import Options, Tick, gather, real_spectra
from degradekit.audit.result import Audit, CheckResult, Provenance
from degradekit.audit.statistics import bound
from degradekit.errors import DegradekitError
from degradekit.shards.dataset import Dataset
from degradekit.shards.manifest import environment

__all__ = ["Options", "audit", "judge"]


def audit(
    dataset: Dataset,
    *,
    against: Dataset | None = None,
    options: Options | None = None,
    tick: Tick = lambda stage, done, total: None,
    command: str = "",
) -> Audit:
    """Audit a dataset.

    Headers, hashes and parameters of all pairs are looked at, and the pixels of a sample that is spread over the
    shards. Ctrl-C ends the gathering: what was gathered is judged, and the audit is marked as partial.

    Args:
        dataset: From ``open_dataset``.
        against: Another one to compare with, and to look for shared content in.
        options: How much is looked at.
        tick: Hears of the progress.
        command: What to write into the result, to run it again.

    Raises:
        ShardError: Not even the manifest can be read.
        SourceError: The folder of real images holds none.
    """
    options = options or Options()
    _check_names(options.only)
    began = time.monotonic()
    real = None if options.real is None else real_spectra(options.real)
    facts = replace(gather(dataset, options, tick), real=real)
    if against is not None and not facts.partial:
        other = gather(against, replace(options, replay=0, checksums="none"), tick)
        facts = replace(facts, against=other, partial=other.partial)
    gathered = time.monotonic()
    results = judge(facts, options.only)
    return Audit(
        _provenance(dataset),
        None if against is None else _provenance(against),
        results,
        facts.sample,
        bound(len(facts.pairs)),
        command,
        environment(),
        {"gather": gathered - began, "judge": time.monotonic() - gathered},
        facts.partial,
    )


def judge(facts: Facts, only: Sequence[str] = ()) -> tuple[CheckResult, ...]:
    """Run the checks.

    Args:
        facts: What was gathered.
        only: Names of those to run; the others are listed as not run.
    """
    return tuple(_judge(check, facts, only) for check in CHECKS)


def _judge(check: Check, facts: Facts, only: Sequence[str]) -> CheckResult:
    name = (check.name, check.title)
    if only and check.name not in only:
        return not_run(name, f"only {', '.join(only)} was asked for")
    result = check.run(facts)
    if facts.partial and result.status == "ok" and result.examined == 0:
        return not_run(name, "the audit was interrupted before it began")
    return result


def _check_names(names: Sequence[str]) -> None:
    known = [check.name for check in CHECKS]
    for name in names:
        if name not in known:
            raise DegradekitError(f"there is no check {name!r}; choose from {', '.join(known)}")


def _provenance(dataset: Dataset) -> Provenance:
    info = dataset.info
    digest = str(info.get("recipe_digest", ""))
    name = "" if not info.get("recipe") else _recipe_name(str(info["recipe"]))
    return Provenance(
        dataset.store.uri,
        dataset.id,
        f"{name} {digest}".strip(),
        int(info.get("seed", 0)),
        dataset.scale,
        cast(dict[str, int], info["counts"]),
        info.get("environment", {}),
    )


def _recipe_name(text: str) -> str:
    line = next((line for line in text.splitlines() if line.startswith("name:")), "")
    return line.partition(":")[2].strip()
