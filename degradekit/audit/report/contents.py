"""What the page shows, chosen and read before anything is drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from degradekit.audit.measure import MEASURES
from degradekit.audit.report.choose import Coverage, coverage, covering, offenders
from degradekit.audit.report.tiles import Tile, evidence_words, tile
from degradekit.audit.result import SEVERITIES, Audit, CheckResult, Histogram, Words
from degradekit.codecs import decode
from degradekit.page import Group, Section, Table
from degradekit.plan import Plan
from degradekit.preview.gallery import kernels_section, noise_section
from degradekit.preview.ladder import quality_section
from degradekit.preview.pairs import stage_pictures
from degradekit.preview.view import busiest
from degradekit.replay import stored_recipe
from degradekit.shards.dataset import Dataset
from degradekit.types import Record

__all__ = ["Contents", "contents", "recipe_sections"]

WALKS, STRIP, MAPS = 2, 8, 6
"""Pairs walked through step by step; pairs of a strip of best or worst; coverage maps at most."""

Tone = Literal["ok", "error", "warning", "info", "not_run"]


@dataclass(frozen=True)
class Contents:
    """Everything that the templates draw.

    Args:
        audit: What was found.
        tiles: Pairs of the gallery by dataset index, covering ones first.
        covering_indices: Those that cover the parameters.
        strips: Title and dataset indices of the pairs with the lowest and the highest PSNR.
        coverage: Maps of two parameters each.
        recipe_sections: Walks, kernels, noise and codecs, as the preview has them.
    """

    audit: Audit
    tiles: dict[int, Tile]
    covering_indices: frozenset[int]
    strips: Sequence[tuple[str, Sequence[int]]]
    coverage: Sequence[Coverage]
    recipe_sections: Sequence[Section]

    @property
    def title(self) -> str:
        """Last part of the dataset's address."""
        return self.audit.dataset.uri.rstrip("/").rsplit("/", 1)[-1]

    @property
    def covering(self) -> int:
        """How many pairs were taken for coverage."""
        return len(self.covering_indices)

    @property
    def tone(self) -> Tone:
        """The worst finding."""
        return self.audit.severity or "ok"

    @property
    def verdict(self) -> str:
        """The audit in a sentence."""
        failing = [r.title for r in self.audit.results if r.status == "finding" and r.severity != "info"]
        ran = sum(result.status != "not_run" for result in self.audit.results)
        looked = f"{len(self.audit.sample):,} of {self.audit.dataset.counts.get('samples', 0):,} pairs looked at"
        start = "Interrupted. " if self.audit.partial else ""
        if not failing:
            bound = f"fewer than {self.audit.bound:.2%} are bad (95 %)" if math.isfinite(self.audit.bound) else ""
            return f"{start}{ran} checks found nothing wrong; {looked}{', ' if bound else ''}{bound}."
        return f"{start}{len(failing)} of {ran} checks found something: {', '.join(failing)}; {looked}."

    @cached_property
    def facts(self) -> list[tuple[str, str]]:
        """The counters under the verdict."""
        counts = self.audit.dataset.counts
        ran = [result for result in self.audit.results if result.status != "not_run"]
        bad = sum(result.status == "finding" for result in ran)
        bound = f"defect rate < {self.audit.bound:.2%} at 95 %" if math.isfinite(self.audit.bound) else ""
        return [
            ("pairs", f"{counts.get('ok', 0):,}"),
            ("could not be made", f"{counts.get('tombstones', 0):,}"),
            ("on disk", f"{counts.get('bytes', 0) / 1e6:,.1f} MB, shards: {counts.get('shards', 0):,}"),
            ("pixels looked at", f"{len(self.audit.sample):,} pairs; {bound}"),
            ("checks", f"{len(ran) - bad} ok, {bad} with findings, {len(self.audit.results) - len(ran)} not run"),
            ("recipe", _short(self.audit.dataset.recipe) or "none recorded"),
        ]

    @cached_property
    def results(self) -> list[CheckResult]:
        """Findings first, the worst of them on top; then what is well; then what did not run."""
        ranks: dict[str, int] = {severity: i for i, severity in enumerate(SEVERITIES)} | {"ok": 8, "not_run": 9}
        return sorted(self.audit.results, key=lambda result: ranks[self.tone_of(result)])

    @staticmethod
    def tone_of(result: CheckResult) -> Tone:
        """Colour and icon of a result."""
        return (result.severity or "info") if result.status == "finding" else result.status

    def word_of(self, result: CheckResult) -> str:
        """Its verdict in a word."""
        return {"not_run": "not run", "info": "note"}.get(self.tone_of(result), self.tone_of(result))

    @staticmethod
    def looked_at(result: CheckResult) -> str:
        """How much was examined, and what that proves."""
        if result.status == "not_run":
            return "nothing"
        text = (
            f"{result.examined:,} of {result.of:,} {result.unit}" if result.of else f"{result.examined:,} {result.unit}"
        )
        return f"{text}; rate < {result.bound:.2%}" if math.isfinite(result.bound) else text

    @cached_property
    def recorded(self) -> list[Histogram | Words]:
        """Evidence about recorded parameters."""
        return [
            item
            for result in self.audit.results
            for item in result.evidence
            if isinstance(item, Histogram | Words) and item.name.startswith(("deg.", "gt."))
        ]

    @cached_property
    def parameters(self) -> list[Histogram | Words]:
        """The wall of recorded parameters: those that vary."""
        return [item for item in self.recorded if np.count_nonzero(item.counts) > 1]

    @cached_property
    def constants(self) -> list[str]:
        """The others, with their value."""
        words = [item for item in self.recorded if isinstance(item, Words) and np.count_nonzero(item.counts) == 1]
        return [f"{item.name} {item.words[int(np.argmax(item.counts))]}" for item in words if len(item.words)]

    @cached_property
    def on_the_wall(self) -> set[str]:
        """Names of the evidence that the wall has."""
        return {item.name for item in self.recorded}

    @cached_property
    def sections(self) -> list[tuple[str, str]]:
        """Anchors and titles for the navigation."""
        found = [("checks", "Checks")]
        found += [("pairs-section", "Pairs")] if self.tiles else []
        found += [("parameters-section", "Parameters")] if self.parameters else []
        found += [("coverage", "Coverage")] if self.coverage else []
        found += [(section.slug, section.title) for section in self.recipe_sections]
        found += [(f"check-{r.name}", r.title) for r in self.results if r.evidence or r.findings]
        return [*found, ("provenance", "Provenance")]

    @cached_property
    def pointing(self) -> list[str]:
        """Checks that name pairs of the gallery."""
        return sorted({check for shown in self.tiles.values() for check in shown.checks})

    @cached_property
    def sortable(self) -> list[tuple[str, str]]:
        """Numbers that the gallery can be sorted by."""
        facts = [shown.facts() for shown in self.tiles.values()]
        names = {
            (kind, name)
            for fact in facts
            for kind in ("recorded", "measured")
            for name, value in fact[kind].items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        }
        return sorted(names, key=lambda item: (item[0] != "measured", item[1]))

    @staticmethod
    def tell(shown: Tile) -> str:
        """A line under a tile."""
        known = [("psnr_y", "PSNR-Y {:.1f} dB"), ("blur", "blur {:.2g} px"), ("noise", "noise {:.2g}")]
        values = [(form, shown.measured.get(name, math.nan)) for name, form in known]
        return ", ".join(form.format(value) for form, value in values if math.isfinite(value))

    @cached_property
    def data(self) -> dict[str, Any]:
        """What the inspector reads."""
        pairs = [shown.facts() for shown in self.tiles.values()]
        return {"dataset_id": self.audit.dataset.dataset_id, "measures": MEASURES, "pairs": pairs}

    @staticmethod
    def evidence_words(check: str) -> str:
        """What the evidence of a check shows."""
        return evidence_words(check)

    def drawn(self, check: str) -> set[int]:
        """Dataset indices of the pairs that have evidence of a check."""
        return {index for index, shown in self.tiles.items() if check in shown.drawn}

    @cached_property
    def provenance(self) -> Table:
        """Everything needed to make this audit again."""
        of = self.audit.dataset
        rows = [
            ["dataset", of.uri],
            ["dataset id", of.dataset_id],
            ["recipe", of.recipe or "none recorded"],
            ["seed of the build", str(of.seed)],
            ["scale", str(of.scale)],
        ]
        rows += [["compared with", self.audit.against.uri]] if self.audit.against else []
        rows += [[f"built with {name}", str(value)] for name, value in _flat(of.environment)]
        rows += [[f"audited with {name}", str(value)] for name, value in _flat(self.audit.environment)]
        rows += [[f"seconds, {name}", f"{value:.2f}"] for name, value in self.audit.seconds.items()]
        return Table(("fact", "value"), rows, "Provenance")

    @property
    def foot(self) -> str:
        """Last line."""
        return (
            "PSNR and SSIM: BT.601 Y, LQ enlarged by bicubic interpolation, a border of scale px cut, range 255. "
            "This page fetches nothing."
        )


def contents(
    audit: Audit, dataset: Dataset, sections: Sequence[Section], *, side: int, spread: int, worst: int
) -> Contents:
    """Choose and read what is shown.

    Args:
        audit: What was found.
        dataset: Where the pictures are.
        sections: See ``recipe_sections``.
        side: Side of a crop in px.
        spread: Pairs that cover the parameters.
        worst: Pairs of each check.
    """
    chosen = [int(audit.sample.index[place]) for place in covering(audit.sample, spread)]
    strips = _strips(audit)
    named = offenders(audit, worst)
    wanted = dict.fromkeys([*chosen, *named, *(index for _, indices in strips for index in indices)])
    tiles = {i: tile(dataset, audit, i, named.get(i, ()), side=side) for i in wanted}
    strips = [(title, [i for i in indices if not tiles[i].problem]) for title, indices in strips]
    return Contents(audit, tiles, frozenset(chosen), strips, coverage(audit.sample, MAPS), sections)


def _strips(audit: Audit) -> list[tuple[str, list[int]]]:
    psnr = np.asarray(audit.sample.values.get("psnr_y", np.zeros(0)), float)
    known = np.flatnonzero(np.isfinite(psnr))
    if len(known) < 2 * STRIP:
        return []
    order = known[np.argsort(psnr[known], kind="stable")]
    index = audit.sample.index
    return [
        ("Lowest PSNR", [int(index[i]) for i in order[:STRIP]]),
        ("Highest PSNR", [int(index[i]) for i in order[::-1][:STRIP]]),
    ]


def recipe_sections(audit: Audit, dataset: Dataset) -> list[Section]:
    """Stored pairs step by step, then what the recipe's kernels, noise and codecs look like; none without a recipe.

    Args:
        audit: What was found.
        dataset: What was built by the recipe.
    """
    recipe = stored_recipe(dataset) if dataset.info.get("recipe") else None
    if recipe is None:
        return []
    groups, gt = [], None
    for place in covering(audit.sample, WALKS):
        record = dataset.read(int(audit.sample.index[place]), ("gt", "plan"))
        if isinstance(record, Record) and record.plan:
            gt = decode(record.gt)
            pictures = list(stage_pictures(Plan.from_json(record.plan), None, gt, busiest(gt, 96)))
            groups.append(Group(f"{record.key}, variant {record.variant}", pictures))
    if gt is None:
        return []
    note = "Stored pairs, replayed from their GT and their recorded steps; the last picture is the LQ."
    galleries = (kernels_section(recipe), noise_section(recipe), quality_section(recipe, gt))
    return [Section("walk", "Step by step", note, groups), *(section for section in galleries if section is not None)]


def _short(recipe: str) -> str:
    """Name and the first digits of the digest."""
    return " ".join(word[:12] if i else word for i, word in enumerate(recipe.split()))


def _flat(facts: Any, prefix: str = "") -> list[tuple[str, Any]]:
    if not isinstance(facts, dict):
        return [(prefix, facts)]
    return [row for name, value in facts.items() for row in _flat(value, f"{prefix}.{name}".lstrip("."))]
