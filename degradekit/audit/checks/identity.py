"""Are there pairs that nothing was done to, more than the recipe asks for?"""

from __future__ import annotations

from scipy import stats

from degradekit.audit.facts import Check, Facts, judged, not_run
from degradekit.audit.result import CheckResult, Finding
from degradekit.audit.statistics import ALPHA

__all__ = ["CHECK"]

NAME = ("identity", "Pairs that nothing was done to")
SAME = 0.995
"""Share of LQ values within one level of the reduced GT, from which on nothing was done."""
TIMES, LEAST = 5.0, 0.01
"""A finding has five times the rate that the recipe declares, and one pair in a hundred at least."""


def _run(facts: Facts) -> CheckResult:
    facts = facts.twins
    same = (facts.value("same") >= SAME) & (facts.value("lq_std") > 2)
    count, examined = int(same.sum()), len(same)
    if not examined:
        return not_run(NAME, "no pair could be looked at")
    rate = count / examined
    if facts.reference is None:
        return not_run(NAME, f"{facts.unknown}; {rate:.1%} of the LQs are their GT reduced, and nothing else")
    declared = facts.reference.passing
    findings = []
    certain = stats.binom.sf(count - 1, examined, min(declared + 1e-4, 1.0)) < ALPHA
    if certain and rate > TIMES * declared and rate > LEAST:
        findings.append(
            Finding(
                "error",
                f"{count} of {examined} LQs are just their GT reduced ({rate:.1%}); the recipe asks for {declared:.1%}",
                rate,
                max(TIMES * declared, LEAST),
                pairs=facts.names(same.nonzero()[0]),
                affected=count,
            )
        )
    return judged(
        NAME,
        findings,
        value=f"{rate:.1%} of the pairs, {declared:.1%} declared",
        threshold=f"{TIMES:g} times the declared rate, and {LEAST:.0%}",
        examined=examined,
        of=facts.total,
        per_pair=False,
    )


CHECK = Check(*NAME, _run)
