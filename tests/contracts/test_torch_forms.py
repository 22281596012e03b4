"""What every op with a torch form promises: its parity, sample by sample, on any device."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_ops import CASES, EXAMPLES, GEOMETRY, drawn

from degradekit.errors import OpError
from degradekit.ops import DRAWS, OPS, Draw, Op
from degradekit.types import FloatImage, Geometry

pytestmark = pytest.mark.usefixtures("one_thread")

FORMS = [case for case in CASES if case.values[0].draws.parity is not None]  # type: ignore[union-attr]
DOC = Path(__file__).parents[2] / "docs" / "streaming.md"
CLIP = Geometry(3, 40, 36, 3, target=(10, 9))
TINY = Geometry(1, 25, 24, 3, target=(6, 6))


def texture(g: Geometry, seed: int) -> FloatImage:
    """Smooth areas, edges and fine noise in [0, 1], by turns."""
    rng = np.random.default_rng(seed)
    fine = rng.random(g.shape, np.float32)
    if seed % 3 == 0:
        return fine
    smooth = np.cumsum(np.cumsum(rng.standard_normal(g.shape), axis=1), axis=2) / 60
    if seed % 3 == 1:
        smooth = (smooth > 0) * 0.8
    return np.ascontiguousarray(np.clip(smooth + 0.1 + 0.02 * fine, 0, 1), dtype=np.float32)


def tensor(x: FloatImage) -> torch.Tensor:
    return torch.from_numpy(x).permute(0, 3, 1, 2).contiguous()


def array(x: torch.Tensor) -> FloatImage:
    return x.permute(0, 2, 3, 1).numpy()


@pytest.mark.parametrize(("op", "ranges"), FORMS)
@pytest.mark.parametrize("g", [GEOMETRY, CLIP, TINY], ids=["image", "clip", "tiny"])
def test_the_torch_form_keeps_its_parity(op: type[Op], ranges: dict[str, Any], g: Geometry) -> None:
    parity = op.draws.parity
    assert parity is not None
    for i in range(6):
        draw, x = drawn(op, ranges, f"{i}.png", g), texture(g, i)
        given = tensor(x)
        before = given.clone()
        y = draw.apply_torch(given)
        assert torch.equal(given, before), "apply_torch changed its input"
        wanted = draw.apply(x)
        assert (y.dtype, array(y).shape) == (torch.float32, wanted.shape)
        assert abs(array(y) - wanted).max() * 255 <= parity.levels


@pytest.mark.parametrize(("op", "ranges"), FORMS)
def test_a_clip_gets_the_same_bits_in_any_group(op: type[Op], ranges: dict[str, Any]) -> None:
    sizes = (GEOMETRY, TINY, CLIP, Geometry(1, 40, 37, 3, target=(10, 9)))
    draws = [drawn(op, ranges, f"{i}.png", g) for i, g in enumerate(sizes)]
    xs = [tensor(texture(g, i)) for i, g in enumerate(sizes)]
    for draw, x, y in zip(draws, xs, op.draws.apply_group(draws, xs), strict=True):
        assert torch.equal(y, draw.apply_torch(x))


@pytest.mark.usefixtures("one_device")
@pytest.mark.parametrize(("op", "ranges"), FORMS)
def test_no_pixel_is_looked_at_outside_its_device(op: type[Op], ranges: dict[str, Any]) -> None:
    """A tensor on the device ``meta`` has a shape and no values: asking it for one fails, and so do mixed devices."""
    draw = drawn(op, ranges, g=CLIP)
    y = draw.apply_torch(torch.empty(CLIP.t, CLIP.c, CLIP.h, CLIP.w, device="meta"))
    out = draw.out_geometry(CLIP)
    assert (y.device.type, y.shape) == ("meta", (out.t, out.c, out.h, out.w))


@pytest.mark.parametrize("name", sorted(name for name, draw in DRAWS.items() if draw.parity is None))
def test_an_op_without_a_torch_form_says_so(name: str) -> None:
    draw = object.__new__(DRAWS[name])
    with pytest.raises(OpError, match=f"{name} has no torch form"):
        draw.apply_torch(torch.zeros(1, 3, 8, 8))


def test_the_documented_parities_are_the_declared_ones() -> None:
    text = DOC.read_text() if DOC.exists() else pytest.skip("the documents are not here")
    rows = re.findall(r"^\| (?:`exact`|within ([\d.]+) levels.*?) \| (.*) \|$", text, re.MULTILINE)
    told = {name: float(levels or 0) for levels, ops in rows for name in re.findall(r"`(\w+)`", ops)}
    assert told == {op.name: op.draws.parity.levels for op in OPS if op.draws.parity is not None}


def test_a_parity_and_a_form_come_together() -> None:
    for op in OPS:
        own = op.draws.apply_torch is not Draw.apply_torch
        assert own == (op.draws.parity is not None), op.name
        assert op.draws.parity is None or (op.draws.parity.kind == "exact") == (op.draws.parity.levels == 0)
    assert len(FORMS) > 25
    assert set(EXAMPLES) >= {case.values[0].name for case in FORMS}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "ranges"),
    [
        ("gaussian_noise", {"sigma_range": 0.1, "correlation": "grey"}),
        ("poisson_noise", {"grey_probability": 1}),
        ("saturation", {"factor_range": 0.5}),
        ("quantise", {"levels_range": 4, "space": "luma"}),
    ],
)
def test_colour_ops_refuse_grey_clips(name: str, ranges: dict[str, Any]) -> None:
    op = next(op for op in OPS if op.name == name)
    with pytest.raises(OpError, match="RGB"):
        drawn(op, ranges).apply_torch(torch.zeros(1, 1, 40, 36))


@pytest.mark.parametrize("name", ["gaussian_blur", "gaussian_noise", "poisson_noise", "jpeg", "resize"])
def test_grey_clips_keep_the_parity(name: str) -> None:
    op = next(op for op in OPS if op.name == name)
    g = Geometry(1, 40, 36, 1, target=(10, 9))
    ranges = {"gaussian_noise": {"sigma_range": 0.1}, "poisson_noise": {"form": "content"}}.get(name, EXAMPLES[name][0])
    draw, x = drawn(op, ranges, g=g), texture(g, 1)
    assert op.draws.parity is not None
    y = draw.apply_torch(tensor(x))
    assert abs(array(y) - draw.apply(x)).max() * 255 <= op.draws.parity.levels
