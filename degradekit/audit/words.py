"""An audit as text for a terminal, Markdown for a summary, and JUnit XML for a test report."""

from __future__ import annotations

import math
from collections.abc import Iterator
from xml.etree import ElementTree as xml

from degradekit.audit.result import Audit, CheckResult, Finding
from degradekit.audit.statistics import bound
from degradekit.table import align

__all__ = ["defect_rate", "junit", "markdown", "text", "verdict"]

STATUS = {"ok": "ok", "finding": "FINDING", "not_run": "not run"}
NAMED = 3
"""Keys that are named in the text for one finding; the JSON has more."""


def defect_rate(examined: int) -> str:
    """The bound of a sample without a bad pair, in words.

    Example:
        >>> defect_rate(3000), defect_rate(40)
        ('defect rate < 0.1 % at 95 %', 'defect rate < 7.2 % at 95 %')
    """
    return f"defect rate < {100 * bound(examined):.2g} % at 95 %"


def verdict(audit: Audit) -> str:
    """One sentence: how many checks, on how much, with what result."""
    ran = [result for result in audit.results if result.status != "not_run"]
    bad = [result for result in ran if result.status == "finding"]
    looked = f"{len(audit.sample)} of {audit.dataset.counts['ok']} pairs looked at"
    state = "partial audit, interrupted: " if audit.partial else ""
    if not bad:
        return f"{state}{len(ran)} checks passed, {looked} ({defect_rate(len(audit.sample))})"
    worst = [f"{sum(r.severity == s for r in bad)} {s}" for s in ("error", "warning", "info")]
    return f"{state}{len(bad)} of {len(ran)} checks have findings ({', '.join(worst)}), {looked}"


def text(audit: Audit) -> str:
    """A table of the checks, the findings, and the verdict as the last line."""
    rows = [("check", "result", "measured", "threshold")]
    rows += [(result.name, _status(result), result.value, result.threshold) for result in _ran(audit)]
    lines = [f"{audit.dataset.uri} ({audit.dataset.dataset_id})", *align(rows)]
    skipped = [(result.name, result.reason) for result in audit.results if result.status == "not_run"]
    if skipped:
        lines += ["not run:", *align(skipped)]
    for result in audit.results:
        for finding in result.findings:
            lines += [f"{finding.severity}: {result.name}: {finding.message}", *_examples(finding)]
    return "\n".join([*lines, verdict(audit)])


def markdown(audit: Audit) -> str:
    """A digest of a screen or two, for a pull request or a job summary."""
    lines = [f"### Audit of `{_cell(audit.dataset.uri)}`", "", f"**{_cell(verdict(audit))}**", ""]
    findings = [(result, finding) for result in audit.results for finding in result.findings]
    if findings:
        lines += ["| | check | finding |", "|---|---|---|"]
        lines += [f"| {f.severity} | {r.name} | {_cell(f.message)} |" for r, f in findings[:MARKDOWN_ROWS]]
        if len(findings) > MARKDOWN_ROWS:
            lines.append(f"| | | and {len(findings) - MARKDOWN_ROWS} more |")
        lines.append("")
    lines += ["| check | result | measured | threshold |", "|---|---|---|---|"]
    for result in audit.results:
        measured = result.value or result.reason
        lines.append(f"| {result.name} | {_status(result)} | {_cell(measured)} | {_cell(result.threshold)} |")
    return "\n".join([*lines, ""])


MARKDOWN_ROWS = 10
"""Findings of the digest: a job summary shows no more annotations either."""


def junit(audit: Audit) -> str:
    """One test case a check; findings are failures, checks that were not run are skipped."""
    bad = sum(result.status == "finding" for result in audit.results)
    skipped = sum(result.status == "not_run" for result in audit.results)
    facts = {"name": f"degradekit audit {_plain(audit.dataset.uri)}", "tests": str(len(audit.results))}
    suite = xml.Element("testsuite", facts | {"failures": str(bad), "skipped": str(skipped), "errors": "0"})
    for result in audit.results:
        case = xml.SubElement(suite, "testcase", classname="degradekit.audit", name=result.name)
        if result.status == "not_run":
            xml.SubElement(case, "skipped", message=_plain(result.reason))
        elif result.findings:
            first = result.findings[0]
            failure = xml.SubElement(case, "failure", type=first.severity, message=_plain(first.message))
            failure.text = "\n".join(
                line for f in result.findings for line in (f"{f.severity}: {_plain(f.message)}", *_examples(f))
            )
        xml.SubElement(case, "system-out").text = _plain(f"{result.title}: {result.value} ({result.threshold})")
    xml.indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + xml.tostring(suite, encoding="unicode") + "\n"


def _ran(audit: Audit) -> Iterator[CheckResult]:
    return (result for result in audit.results if result.status != "not_run")


def _status(result: CheckResult) -> str:
    return result.severity or STATUS[result.status]


def _examples(finding: Finding) -> list[str]:
    lines = []
    for pair in finding.pairs[:NAMED]:
        value = "" if math.isnan(pair.value) else f" {pair.value:.4g} {finding.unit}".rstrip()
        note = f" ({pair.note})" if pair.note and pair.note not in finding.message else ""
        if pair.index >= 0:
            lines.append(_plain(f"    {pair.key}, variant {pair.variant}:{value}{note}").rstrip(":"))
    if finding.affected > NAMED and lines:
        lines.append(f"    ... {finding.affected} in all; the JSON names {len(finding.pairs)}")
    return lines


def _cell(words: str) -> str:
    return _plain(words).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def _plain(words: str) -> str:
    """Without the control characters that a key may hold and XML may not."""
    return "".join(c if c.isprintable() or c == "\n" else "�" for c in words)
