"""Do stored GT and recorded plan make the stored LQ again, bit for bit?"""

from __future__ import annotations

from degradekit.audit.facts import SHOWN, Check, Facts, judged, not_run
from degradekit.audit.result import CheckResult, Finding, PairName
from degradekit.replay import Difference

__all__ = ["CHECK"]

NAME = ("replay", "LQs made again from GT and plan")


def _run(facts: Facts) -> CheckResult:
    replayed = facts.replayed
    if replayed is None:
        return not_run(NAME, facts.unknown or "it was switched off with --replay 0")
    findings = []
    if replayed.differences:
        count = len(replayed.differences)
        other = f"; {len(replayed.environment)} facts of the environment differ" if replayed.environment else ""
        pixels_only = all(d.levels in (1, 2) for _, d in replayed.differences)
        findings.append(
            Finding(
                # Another library or CPU may round otherwise; anything more is another picture.
                "warning" if other and pixels_only else "error",
                f"{count} of {replayed.tried} LQs come out otherwise{other}: {replayed.differences[0][1]}",
                count,
                0,
                pairs=tuple(_named(i, d) for i, d in replayed.differences[:SHOWN]),
                affected=count,
            )
        )
    return judged(
        NAME,
        findings,
        value=f"{replayed.tried - len(replayed.differences)} of {replayed.tried} equal",
        threshold="all bit for bit",
        examined=replayed.tried,
        of=facts.total,
    )


def _named(index: int, difference: Difference) -> PairName:
    note = str(difference).removeprefix(f"{difference.key}, variant {difference.variant}: ")
    return PairName(index, difference.key, difference.variant, difference.levels, note)


CHECK = Check(*NAME, _run)
