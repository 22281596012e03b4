"""StyleGAN2's scheme: the published step, lazily regularised, and exactly resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.fabric import Fabric
from torch import Tensor

from degradekit_models import load_checkpoint
from degradekit_models.cli import main
from degradekit_models.data import TrainingData
from degradekit_models.errors import ModelError
from degradekit_models.train.config import StyleGAN2Config, parse_config
from degradekit_models.train.scheme import Pairs
from degradekit_models.train.stylegan2 import StyleGAN2
from tests.models.train.faces import SIDE, TINY_STYLEGAN2
from tests.models.train.running import curve, go
from tests.models.train.test_gfpgan import same_state


def make(text: str = TINY_STYLEGAN2, precision: Any = "32-true") -> StyleGAN2:
    torch.manual_seed(0)
    config = parse_config(text)
    assert isinstance(config, StyleGAN2Config)
    return StyleGAN2(config, Fabric(accelerator="cpu", devices=1, precision=precision))


def pictures(count: int = 4) -> Pairs:
    gt = torch.rand(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    return Pairs(gt.new_empty(count, 0), gt)


def test_resumed_run_equals_an_unbroken_one(faces: Path, tmp_path: Path) -> None:
    go(TINY_STYLEGAN2, faces, tmp_path / "whole")
    for steps in (1, 2, 3):
        go(TINY_STYLEGAN2, faces, tmp_path / "parts", resume=True, stop_after=steps)
    assert curve(tmp_path / "parts") == curve(tmp_path / "whole")
    same_state(tmp_path / "parts", tmp_path / "whole")
    lines = curve(tmp_path / "whole")
    assert [line["step"] for line in lines if "d_r1" in line] == [2, 5]
    assert [line["step"] for line in lines if "path" in line] == [1, 3, 5]
    assert torch.load(tmp_path / "whole/last.ckpt", weights_only=True)["scheme"]["path_mean"] > 0
    for step in (3, 6):
        samples = [tmp_path / run / f"pictures/{step:08d}/samples.png" for run in ("whole", "parts")]
        assert samples[0].read_bytes() == samples[1].read_bytes()


def test_regularisers_keep_full_precision() -> None:
    """Slopes of slopes go through the bare networks, where Fabric's conversions do not cut the graph."""
    text = TINY_STYLEGAN2.replace("every: 3}\npath", "every: 1}\npath").replace("every: 2}\nmix", "every: 1}\nmix")
    full, mixed = (make(text.replace("out_size: 32", "out_size: 8"), kind) for kind in ("32-true", "bf16-mixed"))
    shown = pictures(2)._replace(gt=pictures(2).gt[..., :8, :8])
    found = []
    for scheme in (full, mixed):
        torch.manual_seed(2)
        found.append(scheme.step([shown], 0))
    assert all(found[0][term] == found[1][term] for term in ("d_r1", "path"))
    assert found[0]["gan"] == pytest.approx(found[1]["gan"], rel=0.05)
    assert found[0]["gan"] != found[1]["gan"]


def test_codes_are_mixed_as_often_as_the_config_says() -> None:
    torch.manual_seed(0)
    scheme = make()
    counts = [len(scheme._codes(1)) for _ in range(200)]
    assert set(counts) == {1, 2}
    assert counts.count(2) == pytest.approx(100, abs=25)


def test_only_gts_are_read(faces: Path, tmp_path: Path) -> None:
    batch = next(iter(TrainingData((str(faces),), micro_batch=4, roles=("gt",))))
    assert batch.lq.numel() == 0
    assert batch.gt.shape == (4, 3, SIDE, SIDE)
    with pytest.raises(ModelError, match="the scheme stylegan2 restores nothing that could be compared"):
        go(TINY_STYLEGAN2, faces, tmp_path, validation=[str(faces)])


def test_discriminator_and_generator_do_not_train_each_other() -> None:
    scheme = make()
    adversary = scheme.trained["discriminator"].bare
    before = {name: value.clone() for name, value in scheme.generator.bare.named_parameters()}
    scheme._teach(scheme.trained["discriminator"], scheme._shown([pictures()]), 1, {}, loss=_game, r1_weight=1.0)
    assert all(torch.equal(before[name], value) for name, value in scheme.generator.bare.named_parameters())
    first = {name: value.clone() for name, value in adversary.named_parameters()}
    scheme.trained["discriminator"].move = lambda **_: None  # type: ignore[method-assign]
    scheme.step([pictures()], 1)
    assert all(torch.equal(first[name], value) for name, value in adversary.named_parameters())
    assert all(not torch.equal(before[name], value) for name, value in scheme.generator.bare.named_parameters())


def _game(real: Tensor, fake: Tensor) -> Any:
    from degradekit_models.losses.adversarial import plain_discriminator

    return plain_discriminator(real, fake, kind="wgan_softplus")


def test_a_loss_that_is_not_finite_stops_before_a_weight_moves() -> None:
    scheme = make()
    before = {name: value.clone() for name, value in scheme.trained["discriminator"].bare.state_dict().items()}
    with pytest.raises(ModelError, match="the loss 'd_real' is nan"):
        scheme.step([pictures()._replace(gt=torch.full((4, 3, SIDE, SIDE), torch.nan))], 0)
    after = scheme.trained["discriminator"].bare.state_dict()
    assert all(torch.equal(before[name], value) for name, value in after.items())


def test_pictures_come_nearer_to_what_is_shown() -> None:
    """Its colours do, at least: that much a network of 20,000 weights learns in seconds."""
    scheme = make(TINY_STYLEGAN2.replace("mixing: 0.5", "mixing: 0.9").replace("lr: 2.0e-3", "lr: 1.0e-2"))
    colour = torch.tensor((0.8, 0.3, 0.5)).view(1, 3, 1, 1)
    batch = pictures()
    shown = batch._replace(gt=(colour + 0.1 * (batch.gt - 0.5)))

    def distance() -> float:
        torch.manual_seed(5)
        with torch.no_grad():
            made, _ = scheme.averaged()([torch.randn(8, 16)], randomize_noise=False)
        return float((made.mean((0, 2, 3)) / 2 + 0.5 - colour.flatten()).abs().mean())

    torch.manual_seed(4)
    begun = distance()
    for step in range(20):
        scheme.step([shown], step)
    assert distance() < 0.5 * begun


def test_command_line_trains(faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "tiny.yaml"
    config.write_text(TINY_STYLEGAN2.replace("batch_size: 4", "batch_size: 4, accumulate: 2"))
    common = ["train", str(config), "--data", str(faces), "--accelerator", "cpu", "--devices", "1"]
    assert main([*common, "--dry-run", "-o", str(tmp_path / "dry")]) == 0
    assert not (tmp_path / "dry").exists()
    assert main([*common, "-o", str(tmp_path / "run")]) == 0
    net = load_checkpoint(tmp_path / "run/generator.pth")
    image, _ = net([torch.zeros(1, 16)], randomize_noise=False)
    assert image.shape == (1, 3, SIDE, SIDE)
    assert image.isfinite().all()


def test_another_network_is_refused() -> None:
    text = TINY_STYLEGAN2.replace("stylegan2_generator_256_c2", "stylegan2_discriminator_256_c2")
    with pytest.raises(ModelError, match="stylegan2_discriminator_256_c2 makes no pictures of codes: give a StyleGAN2"):
        make(text.replace("num_style_feat: 16, num_mlp: 2, ", ""))
