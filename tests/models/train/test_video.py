"""Schemes for clips: RealBasicVSR's cleaning, and EDVR's second stage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.fabric import Fabric
from torch.nn import functional as F

from degradekit_models import build
from degradekit_models.errors import ModelError
from degradekit_models.train.config import parse_config
from degradekit_models.train.scheme import Pairs, Scheme
from degradekit_models.train.schemes import make_scheme
from degradekit_models.train.sharpen import sharpen
from tests.models.train.conftest import TINY_CASCADE, TINY_REAL_BASICVSR


def scheme_of(text: str) -> Scheme:
    torch.manual_seed(0)
    return make_scheme(parse_config(text), Fabric(accelerator="cpu", devices=1), allow_random_init=True)


def clip(frames: int, side: int) -> Pairs:
    torch.manual_seed(1)
    return Pairs(torch.rand(1, frames, 3, side, side), torch.rand(1, frames, 3, 4 * side, 4 * side))


def test_cleaned_frames_are_held_to_small_sharp_ones() -> None:
    scheme, pairs = scheme_of(TINY_REAL_BASICVSR), clip(2, 32)
    with torch.no_grad():
        restored, cleaned = scheme.generator.bare(pairs.lq, return_cleaned=True)
        assert torch.equal(restored, scheme.generator.bare(pairs.lq))
    sharp = sharpen(pairs.gt[0])
    expected = 0.5 * F.avg_pool2d(sharp, 4).sub(cleaned[0]).abs().mean()
    before = {name: value.clone() for name, value in scheme.generator.bare.state_dict().items()}
    losses = scheme.step([pairs], 0)
    assert losses.keys() == {"pixel", "cleaning", "gan", "d_real", "d_fake"}
    assert losses["cleaning"] == pytest.approx(expected.item(), rel=1e-5)
    assert losses["pixel"] == pytest.approx((sharp - restored[0]).abs().mean().item(), rel=1e-5)
    moved = {name for name, value in scheme.generator.bare.state_dict().items() if not torch.equal(value, before[name])}
    assert any("image_cleaning" in name for name in moved)


def test_without_an_adversary_cleaning_alone_reaches_the_cleaning_module() -> None:
    text = TINY_REAL_BASICVSR.replace("pixel: {weight: 1.0}", "pixel: {weight: 1.0e-30}")
    text = "\n".join(line for line in text.splitlines() if not line.startswith(("adversarial", "discriminator")))
    scheme = scheme_of(text)
    assert scheme.step([clip(2, 32)], 0).keys() == {"pixel", "cleaning"}
    gradients = {name: p.grad.abs().max().item() for name, p in scheme.generator.bare.named_parameters()}
    assert min(value for name, value in gradients.items() if "image_cleaning" in name) > 1e-9
    assert max(value for name, value in gradients.items() if "image_cleaning" not in name) < 1e-20


def test_only_a_network_that_cleans_is_taken() -> None:
    text = TINY_REAL_BASICVSR.replace("arch: realbasicvsr", "arch: msrresnet_x4").replace(
        "mid_channels: 8, num_propagation_blocks: 1, num_cleaning_blocks: 1", "num_feat: 8, num_block: 1"
    )
    with pytest.raises(ModelError, match="msrresnet_x4 does not clean frames; give realbasicvsr"):
        scheme_of(text)


def test_the_second_stage_sees_what_the_first_restored() -> None:
    scheme, pairs = scheme_of(TINY_CASCADE), clip(5, 16)
    first = scheme.first  # type: ignore[attr-defined]
    with torch.no_grad():
        frames = torch.stack([first(pairs.lq[:, i : i + 3]).clamp(0, 1) for i in range(3)], dim=1)
        middle = scheme.generator.bare(frames)
    before = {name: value.clone() for name, value in first.state_dict().items()}
    losses = scheme.step([pairs], 0)
    assert losses["pixel"] == pytest.approx((middle - pairs.gt[:, 2]).abs().mean().item(), rel=1e-5)
    assert all(torch.equal(value, before[name]) for name, value in first.state_dict().items()), "the first stands still"
    assert all(p.grad is not None for p in scheme.generator.bare.parameters())


def test_a_cascade_restores_every_frame_of_any_clip() -> None:
    scheme = scheme_of(TINY_CASCADE)
    frames = np.random.default_rng(0).integers(0, 256, (6, 18, 20, 3), dtype=np.uint8)
    out = scheme.restore()(frames)
    assert (out.shape, out.dtype) == ((6, 72, 80, 3), np.uint8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("clip: 5", "clip: 6"), "data.clip is 6; windows of 3 and 3 take 5"),
        ((", clip: 5", ""), "a cascade restores windows of a clip: give data.clip"),
        ((", hr_in: true, with_predeblur: true", ""), "give generator.arguments hr_in and with_predeblur"),
        (("first: {arch: edvr_m_wotsa_x4_sr_reds", "first: {arch: edvr_m_x4_sr_redz"), "edvr_m_x4_sr_redz"),
    ],
)
def test_cascades_that_do_not_fit(change: tuple[str, str], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        scheme_of(TINY_CASCADE.replace(*change))


def test_an_untrained_first_stage_is_refused(tmp_path: Path) -> None:
    config = parse_config(TINY_CASCADE)
    fabric = Fabric(accelerator="cpu", devices=1)
    with pytest.raises(ModelError, match=r"first\.weights is missing: give the trained first stage"):
        make_scheme(config, fabric)
    net = build("edvr_m_wotsa_x4_sr_reds", **config.first.arguments)  # type: ignore[attr-defined]
    torch.save({"params": net.state_dict()}, tmp_path / "first.pth")
    given = parse_config(TINY_CASCADE.replace("first: {", f"first: {{weights: {tmp_path / 'first.pth'}, "))
    loaded = make_scheme(given, fabric).first.state_dict()  # type: ignore[attr-defined]
    assert all(torch.equal(loaded[name], value) for name, value in net.state_dict().items())
