"""What an audit finds: plain frozen data that every output (text, JSON, JUnit, Markdown, HTML) is made from.

::

    audit.results          one CheckResult a check, in the order of CHECKS, those that could not run included
      .findings            what is wrong, worst first, with the keys of the pairs it was seen on
      .evidence            what to draw: histograms, scatters, curves, heat maps
    audit.sample           every measured number of every pair that was looked at, column by column
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeAlias

import numpy as np

from degradekit.types import Array

__all__ = [
    "SCHEMA_VERSION",
    "SEVERITIES",
    "Audit",
    "CheckResult",
    "Curves",
    "Evidence",
    "Finding",
    "HeatMap",
    "Histogram",
    "PairName",
    "Provenance",
    "Sample",
    "Scatter",
    "Severity",
    "Status",
    "Words",
]

SCHEMA_VERSION = 1
"""Of the JSON; raised when a field changes its meaning or goes away."""

Severity: TypeAlias = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
Status: TypeAlias = Literal["ok", "finding", "not_run"]


@dataclass(frozen=True, slots=True)
class PairName:
    """A pair that a finding was seen on.

    Args:
        index: Position in the dataset.
        key: Sample key.
        variant: Which LQ of the GT.
        value: The number that counts there, in the unit of the finding; NaN where there is none.
        note: What to know about this pair, a few words.
    """

    index: int
    key: str
    variant: int = 0
    value: float = math.nan
    note: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Args:
        severity: ``error``: the dataset should not be trained on. ``warning``: probably not what is meant.
            ``info``: worth knowing.
        message: What, where and how much, with the remedy where there is one; one sentence.
        value: The number that was compared.
        threshold: What it was compared with.
        unit: Of both.
        pairs: Where it was seen, worst first, at most some dozens.
        affected: Pairs (or shards, or parameters) that it concerns among those examined.
    """

    severity: Severity
    message: str
    value: float = math.nan
    threshold: float = math.nan
    unit: str = ""
    pairs: tuple[PairName, ...] = ()
    affected: int = 0


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts in bins, with the declared shares where a recipe states them.

    Args:
        name: What is counted; of a parameter its column, as ``deg.jpeg1.quality``.
        edges: ``[n + 1]``, rising; bins may have different widths.
        counts: ``[n]``.
        declared: Expected share of each bin, or None.
        unit: Of the edges.
        branch: Op at the place of a parameter that this histogram is for; empty where it does not matter.
    """

    name: str
    edges: Array
    counts: Array
    declared: Array | None = None
    unit: str = ""
    branch: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """Counts of words or of single values, with their declared shares.

    Args:
        name: What is counted.
        words: The values.
        counts: ``[n]``.
        declared: Expected shares, or None.
        branch: As in ``Histogram``.
    """

    name: str
    words: tuple[str, ...]
    counts: Array
    declared: Array | None = None
    branch: str = ""


@dataclass(frozen=True, slots=True)
class Scatter:
    """Points, one for each pair.

    Args:
        name: What is shown.
        x: ``[n]``.
        y: ``[n]``.
        index: Dataset index of each point, ``[n]``.
        labels: Of the two axes, with units.
        marks: Named places worth a mark: ``(name, x, y)``.
    """

    name: str
    x: Array
    y: Array
    index: Array
    labels: tuple[str, str]
    marks: tuple[tuple[str, float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Curves:
    """Curves over a common axis.

    Args:
        name: What is shown.
        x: ``[n]``.
        ys: Curve by name; ``gt p5``, ``gt p50`` and ``gt p95`` together are a ribbon.
        labels: Of the two axes, with units.
    """

    name: str
    x: Array
    ys: Mapping[str, Array]
    labels: tuple[str, str]


@dataclass(frozen=True, slots=True)
class HeatMap:
    """A matrix of numbers.

    Args:
        name: What is shown.
        rows: Names of the rows.
        columns: Names of the columns.
        values: ``[rows, columns]``.
        unit: Of the values.
    """

    name: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: Array
    unit: str = ""


Evidence: TypeAlias = Histogram | Words | Scatter | Curves | HeatMap


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check says.

    Args:
        name: Of the check: ``alignment``.
        title: What it is about, a few words.
        status: ``ok``, ``finding`` (see ``findings``) or ``not_run`` (see ``reason``).
        reason: Why it could not run; empty otherwise.
        value: The figure that tells most, in words: ``median shift 0.02 px``.
        threshold: What it is held against, in words.
        examined: Pairs (or shards, or parameters) that were looked at.
        of: How many there are.
        unit: What was counted: ``pairs``, ``shards``, ``parameters``.
        bound: Of a check of single pairs without a finding: the rate of bad pairs is below this at 95 % confidence.
        findings: Worst first.
        evidence: What to draw.
    """

    name: str
    title: str
    status: Status
    reason: str = ""
    value: str = ""
    threshold: str = ""
    examined: int = 0
    of: int = 0
    unit: str = "pairs"
    bound: float = math.nan
    findings: tuple[Finding, ...] = ()
    evidence: tuple[Evidence, ...] = ()

    @property
    def severity(self) -> Severity | None:
        """The worst of the findings; None without any."""
        found = {finding.severity for finding in self.findings}
        return next((severity for severity in SEVERITIES if severity in found), None)


@dataclass(frozen=True, slots=True)
class Provenance:
    """Which dataset was audited.

    Args:
        uri: Where it is.
        dataset_id: Identity of its content.
        recipe: Name and digest of its recipe; empty where none is known.
        seed: Seed of its draws.
        scale: GT side / LQ side.
        counts: ``samples``, ``ok``, ``tombstones``, ``shards``, ``bytes``.
        environment: What it was built with, from ``dataset.json``.
    """

    uri: str
    dataset_id: str
    recipe: str
    seed: int
    scale: int
    counts: Mapping[str, int]
    environment: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sample:
    """The pairs whose pixels were looked at, and every number that was measured on them.

    Args:
        index: Dataset index, ``[n]``, rising.
        key: Sample key of each.
        variant: ``[n]``.
        values: Measured number by name, ``[n]`` each, NaN where it could not be measured; the names are those of
            ``measure.MEASURES``.
        recorded: Typed parameters by column, ``[n]`` each; NaN or ``""`` where a step did not run.
    """

    index: Array
    key: tuple[str, ...]
    variant: Array
    values: Mapping[str, Array]
    recorded: Mapping[str, Array]

    def __len__(self) -> int:
        return len(self.key)


@dataclass(frozen=True, slots=True)
class Audit:
    """What came of an audit.

    Args:
        dataset: What was audited.
        against: What it was compared with, or None.
        results: One for each check.
        sample: The pairs that were looked at.
        bound: With no bad pair in the sample, the rate of bad pairs in the dataset is below this at 95 % confidence.
        command: Arguments that make this audit again, as on a command line.
        environment: What the audit ran with.
        seconds: Wall time by stage.
        partial: Whether it was interrupted; checks that had not begun are ``not_run``.
    """

    dataset: Provenance
    against: Provenance | None
    results: tuple[CheckResult, ...]
    sample: Sample
    bound: float
    command: str = ""
    environment: Mapping[str, Any] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    partial: bool = False

    @property
    def severity(self) -> Severity | None:
        """The worst finding of all; None where there is none."""
        found = {result.severity for result in self.results}
        return next((severity for severity in SEVERITIES if severity in found), None)

    def result(self, name: str) -> CheckResult:
        """The result of one check.

        Raises:
            KeyError: There is no such check.
        """
        for result in self.results:
            if result.name == name:
                return result
        raise KeyError(name)

    def to_json(self) -> dict[str, Any]:
        """JSON value, ``schema_version`` first; numbers in six digits, NaN as null."""
        value = {"schema_version": SCHEMA_VERSION, **_plain(self)}
        for result in value["results"]:
            result["severity"] = self.result(result["name"]).severity
        return value | {"severity": self.severity}


def _plain(value: Any) -> Any:
    match value:
        case bool() | str() | int() | None:
            return value
        case float():
            return float(f"{value:.6g}") if math.isfinite(value) else None
        case np.ndarray() | np.generic():
            return _plain(value.tolist())
        case Mapping():
            return {str(name): _plain(item) for name, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
    kind = {} if not isinstance(value, Histogram | Words | Scatter | Curves | HeatMap) else {"kind": _kind(value)}
    return kind | {f.name: _plain(getattr(value, f.name)) for f in fields(value)}


def _kind(value: Evidence) -> str:
    return type(value).__name__.lower()
