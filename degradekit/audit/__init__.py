"""Auditing a dataset of pairs: is it what its recipe says, and is it fit to train on?"""

from __future__ import annotations

from degradekit.audit.result import Audit, CheckResult, Finding, PairName, Sample

__all__ = ["Audit", "CheckResult", "Finding", "PairName", "Sample"]
