"""Do the frames of clips move, follow their GT's, and stay in place?"""

from __future__ import annotations

import numpy as np

from degradekit.audit.clip import foreign, frozen, jumping, lagging
from degradekit.audit.facts import Check, Facts, judged, not_run
from degradekit.audit.look import REMADE
from degradekit.audit.result import CheckResult, Finding, Histogram

__all__ = ["CHECK"]

NAME = ("frames", "Frames of clips: motion, order, place")
STILL = 0.05
"""Share of clips with a repeated GT frame that is worth a word: some videos have them, a set should not."""
KINDS = (
    (frozen, "stand still while their GTs move", "lq_still"),
    (lagging, "show the GT of the frame before or after", "lag_gain"),
    (foreign, "have a frame that shows another picture than its GT", "frame_fit"),
    (jumping, "have a frame that lies beside the others", "jitter"),
)


def _run(facts: Facts) -> CheckResult:
    facts = facts.twins
    clips = facts.value("frames") > 1
    if not clips.any():
        return not_run(NAME, "the pairs are images, not clips")
    values = facts.sample.values
    # What the recorded plan does to a clip (interlacing, dropped frames) is meant, whatever it looks like.
    open_ = clips & ~(values["remade"] >= REMADE)
    findings = []
    for kind, words, measure in KINDS:
        bad = np.flatnonzero(open_ & kind(values))
        open_[bad] = False  # a clip that stands still also lags and jumps: it is named once
        if len(bad):
            message = f"{len(bad)} of {int(clips.sum())} LQ clips {words}"
            pairs = facts.names(bad, values[measure])
            findings.append(Finding("error", message, len(bad), 0, pairs=pairs, affected=len(bad)))
    repeated = clips & (values["gt_still"] > 0)
    if repeated.mean() > STILL:
        words = f"{int(repeated.sum())} of {int(clips.sum())} GT clips have a frame that repeats the one before"
        pairs = facts.names(np.flatnonzero(repeated), values["gt_still"])
        findings.append(Finding("warning", words, float(repeated.mean()), STILL, pairs=pairs, affected=len(pairs)))
    jitter = values["jitter"][np.isfinite(values["jitter"])]
    counts, edges = np.histogram(jitter, 48)
    return judged(
        NAME,
        findings,
        value=f"{np.nanmedian(values['frames'][clips]):.0f} frames a clip, median jitter {np.median(jitter):.2f} GT px"
        if len(jitter)
        else f"{np.nanmedian(values['frames'][clips]):.0f} frames a clip, none of which can be aligned",
        threshold="every frame moves with its GT, in order and place, or as its plan says",
        examined=int(clips.sum()),
        of=facts.total,
        evidence=[Histogram("jitter", edges, counts, unit="GT px")] if len(jitter) else [],
    )


CHECK = Check(*NAME, _run)
