"""Is anything twice: a window, a source file, or a picture that was saved again?"""

from __future__ import annotations

import numpy as np

from degradekit.audit.facts import SHOWN, Check, Facts, judged
from degradekit.audit.result import CheckResult, Finding, PairName
from degradekit.types import Array, Record

__all__ = ["CHECK", "alike"]

NAME = ("duplicates", "Windows, sources and pictures that occur twice")
BITS = 4
"""Hashes of one picture saved twice differ in up to 4 of 64 bits, of two pictures in 16 and more."""
COINCIDENCE = 0.005
"""Share of pairs whose window may be another one's: random windows of few and small pictures meet by chance."""
LEVELS, NATS = 6.0, 0.5
"""They also have the same brightness, and the same spectrum."""


def _run(facts: Facts) -> CheckResult:
    content, source, path, index = (facts.all(name) for name in ("content", "source", "path", "index"))
    findings = []
    copied = _source_copies(source, path)
    if copied.any():
        findings.append(
            _finding(
                facts, "come from source files that are byte for byte another one", index[copied], int(copied.sum())
            )
        )
    again = _again(content) & ~copied
    if again.sum() > COINCIDENCE * len(content):
        findings.append(_finding(facts, "have the window of another pair", index[again], int(again.sum())))
    seen = _pictures(facts)
    if len(seen) and not copied.any():
        findings.append(
            Finding(
                "warning",
                f"{len(seen)} pairs of the sample show the picture of another one under another name",
                len(seen),
                0,
                pairs=facts.names(seen),
                affected=len(seen),
            )
        )
    known = int((source != 0).sum())
    how = f"{known} recorded windows" if known else "no recorded sources"
    return judged(
        NAME,
        findings,
        value=f"{how}, {len(facts.pairs)} perceptual hashes",
        threshold=f"no source or picture twice, {COINCIDENCE:.1%} of the windows",
        examined=max(known, len(facts.pairs)),
        of=facts.total,
        per_pair=False,
    )


def alike(first: Facts, second: Facts) -> Array:
    """Positions of two samples that show one picture, flipped, turned or as it is, ``[n, 2]``.

    Of a sample with itself each couple is there once.
    """
    turned = np.array([pair.measures.turned for pair in first.pairs], np.uint64).reshape(-1, 8)
    b = np.array([pair.measures.hash for pair in second.pairs], np.uint64)
    found: list[tuple[int, int]] = []
    for i in np.flatnonzero(turned[:, 0]):
        near = (np.bitwise_count(b[:, None] ^ turned[i]) <= BITS).any(axis=1) & (b != 0)
        if first is second:
            near[: i + 1] = False
        found += [(int(i), int(j)) for j in np.flatnonzero(near) if _same(first, second, int(i), int(j))]
    return np.array(found, np.int64).reshape(-1, 2)


def _same(first: Facts, second: Facts, i: int, j: int) -> bool:
    a, b = first.pairs[i], second.pairs[j]
    if first is second and a.source == b.source:
        return False
    means = abs(float(a.measures.values["gt_p5"] - b.measures.values["gt_p5"])) * 255
    spectra = np.abs(a.measures.gt_spectrum - b.measures.gt_spectrum)[:16].mean()
    return means < LEVELS and float(spectra) < NATS


def _pictures(facts: Facts) -> Array:
    couples = alike(facts, facts)
    return np.unique(couples[:, 1])


def _source_copies(source: Array, path: Array) -> Array:
    """Pairs whose source's bytes occur under a path that comes earlier."""
    out = np.zeros(len(source), bool)
    known = np.flatnonzero(source)
    first: dict[int, int] = {}
    for i, (bytes_, name) in zip(known, zip(source[known].tolist(), path[known].tolist(), strict=True), strict=True):
        out[i] = first.setdefault(bytes_, name) != name
    return out


def _again(content: Array) -> Array:
    known = np.flatnonzero(content)
    _, first = np.unique(content[known], return_index=True)
    out = np.zeros(len(content), bool)
    out[known] = True
    out[known[first]] = False
    return out


def _finding(facts: Facts, words: str, indices: Array, count: int) -> Finding:
    pairs = []
    for index in indices[:SHOWN].tolist():
        record = facts.dataset.read(int(index), ("meta",))
        note = str(record.meta.get("source", "")) if isinstance(record, Record) else ""
        pairs.append(PairName(int(index), record.key, record.variant, note=note))
    return Finding("warning", f"{count} pairs {words}", count, 0, pairs=tuple(pairs), affected=count)


CHECK = Check(*NAME, _run)
