"""One stored pair explained from the shard alone: GT, every step with its recorded numbers, LQ, and the proof."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from degradekit import codecs
from degradekit.describe import describe_alignment, describe_step, number
from degradekit.page import Group, Page, Picture, Section, Table
from degradekit.plan import Plan
from degradekit.preview.pairs import SIDE, reduced, stage_pictures, view_title
from degradekit.preview.view import busiest
from degradekit.shards.dataset import Dataset
from degradekit.steps import unfold
from degradekit.types import Array, Geometry, Record
from degradekit.walk import walk

__all__ = ["Explanation", "explain"]

LARGE = 400


@dataclass(frozen=True, slots=True)
class Explanation:
    """A pair walked through again.

    Args:
        page: What happened, in pictures.
        differing: Pixels of the LQ made now that differ from the stored one: 0 is the proof.
        of: Pixels of the LQ.
    """

    page: Page
    differing: int
    of: int

    @property
    def verdict(self) -> str:
        """The proof in a sentence."""
        return _verdict(self.differing, self.of)


def explain(dataset: Dataset, record: Record) -> Explanation:
    """Show how the LQ of a stored pair came to be.

    Args:
        dataset: Where it is from; only named.
        record: With its pixels and plan; nothing else is read.

    Raises:
        OpError: The plan needs an op or version that this build does not have, or a step failed.
        ShardError: A picture cannot be decoded.
    """
    plan = Plan.from_json(record.plan)
    gt, lq = codecs.decode(record.gt), codecs.decode(record.lq)
    last = gt
    for stage in walk(plan.degrade, gt):
        last = stage.pixels
    same = last.shape == lq.shape and last.dtype == lq.dtype
    differing = int((last != lq).any(axis=-1).sum()) if same else lq[..., 0].size
    of = lq[..., 0].size
    return Explanation(_page(dataset, record, plan, (gt, lq), _verdict(differing, of)), differing, of)


def _verdict(differing: int, of: int) -> str:
    if differing == 0:
        return f"the last step gives the stored LQ bit for bit ({of} pixels)"
    return f"the last step differs from the stored LQ in {differing} of {of} pixels"


def _page(dataset: Dataset, record: Record, plan: Plan, pair: tuple[Array, Array], verdict: str) -> Page:
    gt, lq = pair
    view = busiest(gt, SIDE)
    walked = Section(
        "walk",
        "From the GT to the LQ",
        "One part of the picture after every step, with the recorded numbers, always enlarged to the same size.",
        [Group(view_title(record.key, gt, view), list(stage_pictures(plan, None, gt, view)))],
    )
    whole = Section(
        "pair",
        "The pair",
        describe_alignment(plan.alignment) + ", pixel centres at whole numbers.",
        [Group("", [_whole(gt, "GT", record.gt.codec), _whole(lq, "LQ", record.lq.codec), *_masks(plan)])],
    )
    steps = Section(
        "steps",
        "Every step and number",
        "As the plan in the shard has them; noise is stored by the name of its field.",
        [Group("", table=_steps(plan)), Group("Source", table=_facts(record))],
    )
    foot = f"degradekit explain {dataset.store.uri} --key {record.key} --variant {record.variant}"
    return Page(
        kind="degradekit explain",
        title=record.key,
        lead=f"Variant {record.variant} of this sample in {dataset.store.uri}. Made again from the shard, {verdict}.",
        facts=[
            ("GT", f"{gt.shape[1]}x{gt.shape[2]} px"),
            ("LQ", f"{lq.shape[1]}x{lq.shape[2]} px"),
            ("steps", str(len(list(unfold(plan.target + plan.degrade))))),
            ("seed", str(plan.seed)),
            ("recipe", plan.recipe[:12]),
        ],
        sections=[walked, whole, steps],
        foot=foot,
    )


def _whole(clip: Array, name: str, codec: str) -> Picture:
    h, w = clip.shape[1:3]
    frames = f", {len(clip)} frames" if len(clip) > 1 else ""
    return Picture(reduced(clip, LARGE), f"The whole {name}", name, (f"{h}x{w} px{frames}, {codec}",), LARGE)


def _masks(plan: Plan) -> Iterator[Picture]:
    for name, mask in plan.masks().items():
        grey = np.rint(mask * 255).astype(np.uint8)
        yield Picture(reduced(grey, LARGE), f"Where {name} acts: white is fully", f"mask of {name}", (), LARGE)


def _steps(plan: Plan) -> Table:
    rows = []
    gt = plan.gt_geometry
    for side, steps, start in (("gt", plan.target, Geometry(*plan.hr)), ("deg", plan.degrade, gt)):
        g = start
        for step in unfold(steps):
            rows.append((f"{side}.{step.at}", *describe_step(step, g)[1:]))
            g = step.draw.out_geometry(g)
    return Table(("path", "op", "numbers"), rows)


def _facts(record: Record) -> Table:
    images = [(name, image) for name, image in (("gt", record.gt), ("lq", record.lq))]
    rows = [(name, number(value)) for name, value in record.meta.items()]
    rows += [(name, f"{image.dtype}, {len(image.data) / 1000:.1f} kB {image.codec}") for name, image in images]
    return Table(("fact", "value"), rows)
