"""Can everything be read? Hashes of all files, and every image of the sample decoded."""

from __future__ import annotations

from degradekit.audit.facts import SHOWN, Check, Facts, judged
from degradekit.audit.result import CheckResult, Finding, PairName
from degradekit.audit.statistics import bound

__all__ = ["CHECK"]

NAME = ("integrity", "Files, checksums and decoding")


def _run(facts: Facts) -> CheckResult:
    findings = []
    damage = [*facts.quarantine, *(sentence for scan in facts.scans for sentence in scan.damage)]
    if damage:
        shards = sum(bool(scan.damage) for scan in facts.scans)
        findings.append(
            Finding(
                "error",
                f"{len(damage)} damaged places in {shards} shards: {'; '.join(damage[:3])}",
                len(damage),
                0,
                affected=len(damage),
                pairs=tuple(PairName(-1, sentence) for sentence in damage[:SHOWN]),
            )
        )
    whole = {scan.number for scan in facts.scans if not scan.damage}
    broken = [pair for pair in facts.broken if facts.dataset.locate(pair.index)[0] in whole]
    if broken:
        findings.append(
            Finding(
                "error",
                f"{len(broken)} of {len(facts.pairs) + len(facts.broken)} pairs of the sample cannot be decoded: "
                f"{broken[0].key}: {broken[0].reason}",
                len(broken),
                0,
                affected=len(broken),
                pairs=tuple(PairName(b.index, b.key, b.variant, note=b.reason) for b in broken[:SHOWN]),
            )
        )
    return judged(
        NAME,
        findings,
        value=f"{_hashed(facts)}, {len(facts.pairs)} pairs decoded",
        threshold="no damage",
        examined=len(facts.pairs) + len(facts.broken),
        of=facts.total,
    )


def _hashed(facts: Facts) -> str:
    """How much was hashed, and how many shards had to be read for want of a census."""
    hashed, shards = sum(scan.hashed for scan in facts.scans), len(facts.scans)
    words = f"SHA-256 of {'every shard' if hashed == shards else f'{hashed} of {shards} shards, sizes of all'}"
    if 0 < hashed < shards:
        words += f" (fewer than {bound(hashed):.1%} are damaged)"
    read = sum(not scan.counted for scan in facts.scans)
    return words + (f", {read} shards read as a whole, which have no census" if read else "")


CHECK = Check(*NAME, _run)
