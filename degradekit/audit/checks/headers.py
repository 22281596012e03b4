"""Do the headers of every pair fit: sides by the scale, frames, channels, bit depth, and one depth for all?"""

from __future__ import annotations

from collections import Counter

from degradekit.audit.facts import SHOWN, Check, Facts, judged
from degradekit.audit.result import CheckResult, Finding

__all__ = ["CHECK"]

NAME = ("headers", "Scale, frames, channels and bit depth")


def _run(facts: Facts) -> CheckResult:
    findings = []
    count = sum(scan.misfit_count for scan in facts.scans)
    misfits = [pair for scan in facts.scans for pair in scan.misfits]
    examined = len(facts.all("index"))
    if count:
        findings.append(
            Finding(
                "error",
                f"{count} pairs do not fit: {misfits[0].key}: {misfits[0].note}",
                count,
                0,
                affected=count,
                pairs=tuple(misfits[:SHOWN]),
            )
        )
    kinds: Counter[tuple[str, int]] = Counter()
    sizes: Counter[tuple[int, int]] = Counter()
    for scan in facts.scans:
        for ((_, h, w, channels), _, dtype, _), n in scan.census.headers.items():
            kinds[dtype, channels] += n
            sizes[h, w] += n
    if len(kinds) > 1:
        words = ", ".join(f"{n} of {dtype} x {channels}" for (dtype, channels), n in kinds.most_common())
        rare = examined - kinds.most_common(1)[0][1]
        findings.append(
            Finding("warning", f"bit depth or channels differ between pairs: {words}", rare, 0, affected=rare)
        )
    (h, w), _ = sizes.most_common(1)[0] if sizes else ((0, 0), 0)
    many = "" if len(sizes) < 2 else f" and {len(sizes) - 1} other sizes"
    return judged(
        NAME,
        findings,
        value=f"GT {h}x{w} px{many}, {', '.join(kind for kind, _ in kinds)}",
        threshold=f"GT side = {facts.dataset.scale} x LQ side",
        examined=examined,
        of=facts.total,
    )


CHECK = Check(*NAME, _run)
