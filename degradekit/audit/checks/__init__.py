"""The checks, one file each, in the order in which they are reported."""

from __future__ import annotations

from degradekit.audit.checks import (
    alignment,
    colour,
    comparison,
    drift,
    duplicates,
    exposure,
    frames,
    ground_truth,
    headers,
    identity,
    integrity,
    leakage,
    parameters,
    partner,
    quality,
    randomness,
    replay,
    spectrum,
    truth,
)
from degradekit.audit.facts import Check

__all__ = ["CHECKS"]

CHECKS: tuple[Check, ...] = (
    integrity.CHECK,
    headers.CHECK,
    partner.CHECK,
    alignment.CHECK,
    frames.CHECK,
    colour.CHECK,
    identity.CHECK,
    quality.CHECK,
    ground_truth.CHECK,
    exposure.CHECK,
    spectrum.CHECK,
    duplicates.CHECK,
    leakage.CHECK,
    parameters.CHECK,
    truth.CHECK,
    replay.CHECK,
    randomness.CHECK,
    drift.CHECK,
    comparison.CHECK,
)
"""Every check."""
