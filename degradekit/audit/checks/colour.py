"""Do the colours of the LQ agree with the GT: mean, gamma, and the order of the channels?"""

from __future__ import annotations

import math

import numpy as np

from degradekit.audit.facts import Check, Facts, judged, not_run, worst
from degradekit.audit.measure import ORDER_NAMES
from degradekit.audit.result import CheckResult, Finding, Histogram
from degradekit.audit.statistics import robust_sigma
from degradekit.types import Array

__all__ = ["CHECK"]

NAME = ("colour", "Colour, gamma and channel order")
COLOUR_OPS = frozenset(
    [
        "brightness",
        "camera",
        "camera_noise",
        "channel_shift",
        "chromatic_aberration",
        "colour",
        "colour_quantise",
        "contrast",
        "demosaic",
        "dither",
        "gamma",
        "grey",
        "halftone",
        "haze",
        "hue",
        "levels",
        "matrix_error",
        "median_cut",
        "palette",
        "panel",
        "power",
        "quantise",
        "range_error",
        "saturation",
        "telecine",
        "vignette",
    ]
)
"""Ops that change colours on purpose: their pairs say nothing about mistakes."""
MEAN, MEAN_FAIL = 1.25, 3.0
"""Median shift of a channel over the dataset, in levels; reducing in linear light shifts by 1.9."""
GAMMA, GAMMA_FAIL = 0.03, 0.06
"""Median departure of the exponent from 1."""
CERTAIN = 4.0
SWAP = 1.5
"""How much better another order of the channels must fit; right pairs have 1.0, swapped ones 2 to 100."""
FEWEST = 8
CHANNELS = {"r": "red", "g": "green", "b": "blue"}


def _run(facts: Facts) -> CheckResult:
    facts = facts.twins
    kept = np.array([not COLOUR_OPS.intersection(pair.ops) for pair in facts.pairs], bool)
    if kept.sum() < FEWEST:
        return not_run(NAME, f"the recipe changes colours on purpose in all but {int(kept.sum())} pairs of the sample")
    swapped = kept & (facts.value("swap") > 0) & (facts.value("swap_gain") > SWAP)
    findings = [*_swaps(facts, swapped)]
    rest = kept & ~swapped
    shifts = {name: _typical(facts, facts.value(f"delta_{name}"), rest) for name in "rgb"}
    name, (shift, error) = max(shifts.items(), key=lambda item: abs(item[1][0]))
    tone, tone_error = _typical(facts, facts.value("tone") - 1, rest)
    if abs(tone) > GAMMA and abs(tone) > CERTAIN * tone_error:
        findings.append(
            Finding(
                "error" if abs(tone) > GAMMA_FAIL else "warning",
                f"the LQs have another gamma or brightness than their GTs: LQ ~ GT^{1 + tone:.3f}, "
                f"mean {shift:+.1f} levels",
                tone,
                GAMMA,
                pairs=facts.names(worst(np.abs(facts.value("tone") - 1), rest), facts.value("tone")),
                affected=int(rest.sum()),
            )
        )
    elif abs(shift) > MEAN and abs(shift) > CERTAIN * error:
        findings.append(
            Finding(
                "error" if abs(shift) > MEAN_FAIL else "warning",
                f"the LQs' {CHANNELS[name]} is {shift:+.2f} levels off in the median",
                shift,
                MEAN,
                "levels",
                facts.names(worst(np.abs(facts.value(f"delta_{name}")), rest), facts.value(f"delta_{name}")),
                int(rest.sum()),
            )
        )
    means = ", ".join(f"{key} {value:+.2f}" for key, (value, _) in shifts.items())
    edges = np.linspace(-16, 16, 65)
    return judged(
        NAME,
        findings,
        value=f"median shift {means} levels, exponent {1 + tone:.3f}",
        threshold=f"{MEAN:g} levels, exponent within {GAMMA:g} of 1, channels in order",
        examined=int(kept.sum()),
        of=facts.total,
        evidence=[
            *(
                Histogram(
                    f"delta_{key}", edges, np.histogram(facts.value(f"delta_{key}")[kept], edges)[0], unit="levels"
                )
                for key in "rgb"
            ),
            Histogram("tone", edges / 32 + 1, np.histogram(facts.value("tone")[kept], edges / 32 + 1)[0]),
        ],
    )


def _swaps(facts: Facts, swapped: Array) -> list[Finding]:
    if not swapped.any():
        return []
    order = ORDER_NAMES[int(np.bincount(facts.value("swap")[swapped].astype(int)).argmax())]
    count = int(swapped.sum())
    return [
        Finding(
            "error",
            f"{count} LQs have their channels in another order, most of them {order} for RGB",
            count,
            0,
            pairs=facts.names(worst(facts.value("swap_gain"), swapped), facts.value("swap_gain")),
            affected=count,
        )
    ]


def _typical(facts: Facts, values: Array, kept: Array) -> tuple[float, float]:
    """Median and its standard error; pairs of one source count as one, because their colours are alike."""
    kept = kept & ~np.isnan(values)
    if not kept.any():
        return 0.0, math.inf
    sources = len(np.unique(facts.sources[kept]))
    return float(np.median(values[kept])), 1.2533 * robust_sigma(values[kept]) / math.sqrt(sources)


CHECK = Check(*NAME, _run)
