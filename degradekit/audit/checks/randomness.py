"""Was every pair drawn anew, or do numbers and noise repeat?"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from degradekit.audit.facts import SHOWN, Check, Facts, judged
from degradekit.audit.result import CheckResult, Finding, Histogram, PairName
from degradekit.types import Array

__all__ = ["CHECK"]

NAME = ("randomness", "Frozen or reused randomness")
TIMES, LEAST = 10.0, 5
"""Repetitions of all continuous parameters that are a finding: ten times what chance gives, and five."""
CORRELATION, COUPLES = 0.5, 3
"""Correlation of the noise in 32x32 px of two pairs, and how many: chance gives up to 0.35, the same noise 0.6 to 1."""
ALIKE = 8
"""Perceptual hashes of two pictures differ in more bits than this."""
BLOCK = 512


def _run(facts: Facts) -> CheckResult:
    findings = []
    draws, index = facts.all("draws"), facts.all("index")
    if facts.reference is not None and len(draws):
        findings += _repeated(facts, draws, index)
    findings += _fields(facts)
    residuals = _residuals(facts)
    couples, peak, counts = _noise(facts, residuals)
    if len(couples) >= COUPLES and not findings:
        findings.append(
            Finding(
                "error",
                f"the noise of {len(couples)} couples of LQs is the same (correlation up to {peak:.2f})",
                peak,
                CORRELATION,
                pairs=facts.names(np.unique(np.array(couples).ravel())),
                affected=len(couples),
            )
        )
    known = f"{len(np.unique(draws))} of {len(draws)} draws distinct, " if len(draws) else "no recorded draws, "
    return judged(
        NAME,
        findings,
        value=f"{known}residuals correlate by {peak:.2f} at most",
        threshold=f"{TIMES:g} times the repetitions of chance; correlation {CORRELATION:g}",
        examined=max(len(draws), len(residuals[0])),
        of=facts.total,
        per_pair=False,
        evidence=[Histogram("residual_correlation", np.linspace(0, 1, 51), counts)],
    )


def _repeated(facts: Facts, draws: Array, index: Array) -> list[Finding]:
    assert facts.reference is not None
    _, inverse, counts = np.unique(draws, return_inverse=True, return_counts=True)
    n = len(draws)
    repeated = float((counts * (counts - 1.0)).sum() / 2)
    expected = facts.reference.collisions * n * (n - 1) / 2
    if repeated <= TIMES * expected + LEAST:
        return []
    again = np.flatnonzero(counts[inverse] > 1)
    affected = len(again)
    keys = [facts.dataset.read(int(i), ()) for i in index[again[:SHOWN]]]
    return [
        Finding(
            "error",
            f"{affected} pairs have all their parameters from {int((counts > 1).sum())} draws: a seed was used again",
            repeated,
            TIMES * expected + LEAST,
            pairs=tuple(PairName(record.index, record.key, record.variant) for record in keys),
            affected=affected,
        )
    ]


def _fields(facts: Facts) -> list[Finding]:
    """Noise fields are named; one that two pairs have is the same noise."""
    owners: dict[str, list[int]] = defaultdict(list)
    for i, pair in enumerate(facts.pairs):
        for name in dict.fromkeys(pair.fields):
            owners[name].append(i)
    shared = sorted({i for who in owners.values() if len(who) > 1 for i in who})
    if not shared:
        return []
    message = f"{len(shared)} pairs of the sample have a noise field that another pair has too"
    return [Finding("error", message, len(shared), 0, pairs=facts.names(np.array(shared)), affected=len(shared))]


def _residuals(facts: Facts) -> tuple[Array, Array]:
    """Unit residuals of the sample ``[n, 1024]`` and their positions."""
    at = [i for i, pair in enumerate(facts.pairs) if pair.measures.residual.size]
    rows = [facts.pairs[i].measures.residual.ravel().astype(np.float32) for i in at]
    return (np.stack(rows) if rows else np.zeros((0, 0), np.float32)), np.array(at, np.int64)


def _noise(facts: Facts, residuals: tuple[Array, Array]) -> tuple[list[tuple[int, int]], float, Array]:
    rows, at = residuals
    couples: list[tuple[int, int]] = []
    peak, counts = 0.0, np.zeros(50, np.int64)
    sources = facts.sources
    hashes = np.array([facts.pairs[i].measures.hash for i in at.tolist()], np.uint64)
    turned = np.array([facts.pairs[i].measures.turned for i in at.tolist()], np.uint64).reshape(-1, 8)
    for start in range(0, len(rows), BLOCK):
        block = np.abs(rows[start : start + BLOCK] @ rows.T)
        for i, line in enumerate(block, start):
            line[: i + 1] = 0
            # Windows of one picture share its structures, whatever name it has.
            line[
                (sources[at] == sources[at[i]]) | (np.bitwise_count(hashes[:, None] ^ turned[i]) <= ALIKE).any(axis=1)
            ] = 0
        peak = max(peak, float(block.max(initial=0)))
        counts += np.histogram(block[block > 0], np.linspace(0, 1, 51))[0]
        for i, j in np.argwhere(block > CORRELATION):
            couples.append((int(at[start + i]), int(at[j])))
    return couples, peak, counts


CHECK = Check(*NAME, _run)
