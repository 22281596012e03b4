"""Do two datasets that should be apart, as training and validation, share sources or pictures?"""

from __future__ import annotations

import numpy as np

from degradekit.audit.checks.duplicates import alike
from degradekit.audit.facts import SHOWN, Check, Facts, judged, not_run
from degradekit.audit.result import CheckResult, Finding, PairName

__all__ = ["CHECK"]

NAME = ("leakage", "Content shared with the other dataset")


def _run(facts: Facts) -> CheckResult:
    other = facts.against
    if other is None:
        return not_run(NAME, "there is no other dataset: name one with --against")
    sources, index, theirs = facts.all("source"), facts.all("index"), np.unique(other.all("source"))
    shared = np.isin(sources, theirs[theirs != 0])
    findings = []
    if shared.any():
        count = int(shared.sum())
        names = [facts.dataset.read(int(i), ()) for i in index[shared][:SHOWN]]
        findings.append(
            Finding(
                "error",
                f"{count} GTs are cut from {len(np.unique(sources[shared]))} source files that "
                f"{other.dataset.store.uri} is cut from too: split by source",
                count,
                0,
                pairs=tuple(PairName(record.index, record.key, record.variant) for record in names),
                affected=count,
            )
        )
    couples = alike(facts, other)
    if len(couples) and not findings:
        seen = np.unique(couples[:, 0])
        findings.append(
            Finding(
                "error",
                f"{len(seen)} pairs of the sample show a picture of {other.dataset.store.uri}: "
                f"{_example(facts, other, couples)}",
                len(seen),
                0,
                pairs=facts.names(seen),
                affected=len(seen),
            )
        )
    recorded = int((sources != 0).sum())
    return judged(
        NAME,
        findings,
        value=f"{recorded} recorded sources, {len(facts.pairs)} x {len(other.pairs)} perceptual hashes",
        threshold="nothing shared",
        examined=max(recorded, len(facts.pairs)),
        of=facts.total,
        per_pair=False,
    )


def _example(facts: Facts, other: Facts, couples: np.ndarray) -> str:
    i, j = couples[0].tolist()
    return f"{facts.pairs[i].key} is {other.pairs[j].key}"


CHECK = Check(*NAME, _run)
