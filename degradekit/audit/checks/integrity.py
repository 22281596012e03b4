"""Can everything be read? Hashes of all files, and every image of the sample decoded."""

from __future__ import annotations

from degradekit.audit.facts import SHOWN, Check, Facts, judged
from degradekit.audit.result import CheckResult, Finding, PairName

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
    hashed = "SHA-256 of every shard" if facts.checksums else "no hashes (--no-checksums)"
    return judged(
        NAME,
        findings,
        value=f"{hashed}, {len(facts.pairs)} pairs decoded",
        threshold="no damage",
        examined=len(facts.pairs) + len(facts.broken),
        of=facts.total,
    )


CHECK = Check(*NAME, _run)
