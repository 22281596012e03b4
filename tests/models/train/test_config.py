"""Configs: the published ones are whole, and mistakes are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from degradekit_models import build
from degradekit_models.archs import ARCHS
from degradekit_models.errors import ModelError
from degradekit_models.train.config import GFPGANConfig, StyleGAN2Config, load_config, parse_config
from tests.models.train.conftest import TINY
from tests.models.train.faces import TINY_GFPGAN, TINY_STYLEGAN2

CONFIGS = sorted((Path(__file__).parents[3] / "models" / "configs").glob("*.yaml"))

PUBLISHED = {
    # iterations, batch of a step, base rate, rate after 60 % of the steps
    "srresnet_x4": (1_000_000, 16, 2e-4, 1.3099e-4),
    "srresnet_x2": (1_000_000, 16, 2e-4, 1.3099e-4),
    "srresnet_x3": (1_000_000, 16, 2e-4, 1.3099e-4),
    "srgan_x4": (400_000, 16, 1e-4, 1.25e-5),
    "esrgan_psnr_x4": (1_000_000, 16, 2e-4, 1.3099e-4),
    "esrgan_x4": (400_000, 16, 1e-4, 1.25e-5),
    "real_esrnet_x4": (1_000_000, 48, 2e-4, 2e-4),
    "real_esrgan_x4": (400_000, 48, 1e-4, 1e-4),
    "real_esrgan_x4_finetune": (400_000, 12, 1e-4, 1e-4),
    "real_esrnet_x2": (1_000_000, 48, 2e-4, 2e-4),
    "real_esrgan_x2": (400_000, 48, 1e-4, 1e-4),
    "edvr_m_wotsa_x4": (600_000, 32, 4e-4, 2.6181e-4),
    "edvr_m_x4": (600_000, 32, 4e-4, 2.6181e-4),
    "edvr_l_wotsa_x4": (600_000, 32, 4e-4, 1.3096e-4),
    "edvr_l_x4": (600_000, 32, 4e-4, 1.3096e-4),
    "edvr_l_second_x4": (600_000, 32, 4e-4, 1.3096e-4),
    "real_basicvsr_net_x4": (300_000, 16, 1e-4, 1e-4),
    "real_basicvsr_x4": (150_000, 8, 5e-5, 5e-5),
    "basicvsr_x4": (300_000, 8, 2e-4, 6.9167e-5),
    "basicvsr_vimeo90k_x4": (300_000, 8, 2e-4, 6.9167e-5),
    "basicvsr_gan_x4": (400_000, 4, 1e-4, 1.25e-5),
    "iconvsr_x4": (300_000, 8, 2e-4, 6.9167e-5),
    "iconvsr_vimeo90k_x4": (300_000, 8, 2e-4, 6.9167e-5),
    "basicvsrpp_x4": (600_000, 8, 1e-4, 3.4617e-5),
    "basicvsrpp_vimeo90k_x4": (300_000, 8, 1e-4, 3.4617e-5),
    "gfpgan_v1": (800_000, 12, 2e-3, 2e-3),
    "gfpgan_v1_simple": (800_000, 12, 2e-3, 2e-3),
    "stylegan2_256_ffhq": (800_000, 24, 2e-3, 2e-3),
}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_published_configs(path: Path) -> None:
    config = load_config(path)
    assert config.name == path.stem
    iterations, batch, rate, later = PUBLISHED[path.stem]
    assert (config.iterations, config.data.batch_size, config.optimizer.lr) == (iterations, batch, rate)
    assert config.schedule.rate(rate, iterations * 6 // 10) == pytest.approx(later, rel=1e-3)
    head = [line for line in path.read_text().splitlines() if line.startswith("#")]
    assert any(f"models/configs/{path.name}" in line for line in head), "the command is in the heading"
    assert config.generator.arch in ARCHS


def test_every_config_is_compared() -> None:
    assert {path.stem for path in CONFIGS} == PUBLISHED.keys()


def test_losses_are_those_of_the_papers() -> None:
    real = load_config(next(path for path in CONFIGS if path.stem == "real_esrgan_x4"))
    assert (real.pixel.weight, real.perceptual.weight, real.adversarial.weight) == (1.0, 1.0, 0.1)  # type: ignore[union-attr]
    assert (real.sharpen.pixel, real.sharpen.perceptual, real.sharpen.adversarial) == (True, True, False)
    esrgan = load_config(next(path for path in CONFIGS if path.stem == "esrgan_x4"))
    assert esrgan.adversarial is not None
    assert (esrgan.adversarial.relativistic, esrgan.adversarial.weight) == (True, 5e-3)
    names = [name for name, _ in build("edvr_m_x4_sr_reds", num_feat=8, num_reconstruct_block=1).named_parameters()]
    tsa = load_config(next(path for path in CONFIGS if path.stem == "edvr_m_x4")).freeze[0]
    assert 0 < sum(any(text in name for text in tsa.names) for name in names) < len(names)


def test_faces_are_trained_as_published() -> None:
    whole, simple, stylegan2 = (
        load_config(next(path for path in CONFIGS if path.stem == name))
        for name in ("gfpgan_v1", "gfpgan_v1_simple", "stylegan2_256_ffhq")
    )
    assert isinstance(whole, GFPGANConfig)
    assert isinstance(simple, GFPGANConfig)
    assert isinstance(stylegan2, StyleGAN2Config)
    told = whole.model_dump(exclude={"name", "components", "identity"})
    assert told == simple.model_dump(exclude={"name", "components", "identity"})
    assert (simple.components, simple.identity, simple.landmarks, whole.landmarks) == (None, None, False, True)
    assert whole.pyramid is not None
    assert (whole.pyramid.weight, whole.pyramid.until) == (1.0, 50_000)
    assert whole.optimizer.betas == (0.0, 0.99)
    for config in (whole, stylegan2):
        assert config.discriminator_optimizer is not None
        assert config.discriminator_optimizer.betas == pytest.approx((0.0, 0.99 ** (16 / 17)), abs=1e-6)
        assert config.ema == pytest.approx(0.5 ** (32 / 10_000), abs=1e-6)
        assert config.schedule.gamma == 0.5
        assert config.r1 is not None
        assert (config.r1.weight, config.r1.every) == (10.0, 16)
        strengths = {step: config.r1.strength(step) for step in range(40)}
        assert {step: strength for step, strength in strengths.items() if strength} == {15: 160.0, 31: 160.0}
        assert config.adversarial.kind == "wgan_softplus"
        assert (config.data.flip, config.data.rotate) == (True, False)
    assert (whole.schedule.milestones, stylegan2.schedule.milestones) == ((600_000, 700_000), (600_000,))
    assert stylegan2.optimizer.betas == pytest.approx((0.0, 0.99 ** (4 / 5)), abs=1e-6)
    assert (stylegan2.roles, stylegan2.mixing) == (("gt",), 0.9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TINY.replace("iterations: 6", "iteration: 6"), "iteration: unknown name; did you mean 'iterations'?"),
        (TINY.replace("crop: 32", "crup: 32"), "data.crup: unknown name; did you mean 'crop'?"),
        (TINY.replace("lr: 1.0e-3", "lr: -1"), "optimizer.lr: Input should be greater than 0 (the value is -1)"),
        (TINY.replace("pixel: {weight: 1.0}", ""), "there is no loss: give pixel, perceptual or adversarial"),
        (TINY + "adversarial: {weight: 1}", "an adversarial term needs a discriminator"),
        (
            TINY.replace("[6]", "[6], milestones: [3]"),
            "schedule: give periods or milestones, not both",
        ),
        (TINY.replace("crop: 32", "crop: 32, mirror: true"), "data.mirror appends a clip backwards: give data.clip"),
        (TINY + "scheme: restauration", "scheme: 'restauration' is unknown; did you mean 'restoration'?"),
        (TINY_GFPGAN.replace("rotate: false", "rotate: true"), "faces are trained on whole and upright"),
        (TINY_GFPGAN.replace("flip: true", "crop: 16"), "faces are trained on whole and upright: give data no crop"),
        (TINY_GFPGAN.replace("style_weight: 200", "stile_weight: 200"), "did you mean 'style_weight'?"),
        (TINY_GFPGAN.replace("optimizer: {lr: 2.0e-3, betas: [0.9, 0.99]}", ""), "components.optimizer: this is requ"),
        (TINY_STYLEGAN2.replace("mixing: 0.5", "mixing: 2"), "mixing: Input should be less than or equal to 1"),
        (TINY_STYLEGAN2 + "pixel: {weight: 1}", "pixel: unknown name"),
        ("a: [", "this is no YAML"),
        ("- 1", "a config maps names to values, this is list"),
    ],
)
def test_mistakes(text: str, message: str) -> None:
    with pytest.raises(ModelError) as error:
        parse_config(text, where="a.yaml")
    assert message in str(error.value)
    assert str(error.value).startswith("a.yaml: ")


def test_missing_file() -> None:
    with pytest.raises(ModelError, match=r"the config nowhere.yaml cannot be read"):
        load_config("nowhere.yaml")
