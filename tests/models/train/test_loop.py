"""Training: it learns, it goes on bit for bit, and it says what is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.fabric import Fabric

from degradekit_models import build
from degradekit_models.checkpoints import load_checkpoint
from degradekit_models.cli import main
from degradekit_models.errors import ModelError
from degradekit_models.train.config import parse_config
from degradekit_models.train.loop import Run, train
from degradekit_models.train.progress import Reporter
from degradekit_models.train.scheme import Pairs
from degradekit_models.train.schemes import make_scheme
from degradekit_models.train.sharpen import sharpen
from degradekit_models.train.validate import restorer
from tests.models.train.conftest import TINY, TINY_GAN
from tests.models.train.running import curve, go, weights


def test_micro_batches_do_not_change_the_pairs(shards: Path, tmp_path: Path) -> None:
    go(TINY.replace("batch_size: 4", "batch_size: 4, accumulate: 1"), shards, tmp_path / "one")
    go(TINY.replace("batch_size: 4", "batch_size: 4, accumulate: 4"), shards, tmp_path / "four")
    one, four = curve(tmp_path / "one"), curve(tmp_path / "four")
    assert [line["pixel"] for line in one] == pytest.approx([line["pixel"] for line in four], rel=1e-4)


def test_fewer_pairs_than_a_batch_are_taken_again(shards: Path, tmp_path: Path) -> None:
    go(TINY.replace("batch_size: 4", "batch_size: 40"), shards, tmp_path, stop_after=3)
    assert len(curve(tmp_path)) == 3


def test_it_learns_one_batch(shards: Path, tmp_path: Path) -> None:
    text = TINY.replace("iterations: 6", "iterations: 150").replace("periods: [6]", "milestones: [100]")
    text = text.replace("lr: 1.0e-3", "lr: 3.0e-3").replace("num_feat: 8", "num_feat: 16")
    go(text, shards, tmp_path, overfit_one_batch=True)
    losses = [line["pixel"] for line in curve(tmp_path)]
    assert losses[-1] < 0.75 * losses[0]


def test_rate_follows_the_schedule_and_the_factors(shards: Path, tmp_path: Path) -> None:
    text = TINY.replace("lr: 1.0e-3", "lr: 1.0e-3, lr_factors: {conv_first: 0.5}")
    scheme = go(text, shards, tmp_path)
    rates = [line["rate"] for line in curve(tmp_path)]
    assert rates == sorted(rates, reverse=True)
    assert max(rates) == 1e-3 or max(rates) == 5e-4
    groups = scheme.generator.optimizer.param_groups
    assert {group["base_lr"] for group in groups} == {1e-3, 5e-4}


def test_frozen_parameters_stand_still(shards: Path, tmp_path: Path) -> None:
    def moved(freeze: str, steps: int) -> dict[str, bool]:
        out = tmp_path / str(len(list(tmp_path.iterdir())))
        torch.manual_seed(0)
        start = make_scheme(parse_config(TINY), Fabric(accelerator="cpu", devices=1)).generator.bare.state_dict()
        start = {name: value.clone() for name, value in start.items()}
        end = go(TINY + freeze, shards, out, stop_after=steps).generator.bare.state_dict()
        return {name: not torch.equal(start[name], value) for name, value in end.items()}

    at_first = moved("freeze: [{names: [body], until: 3}]", 2)
    assert all(at_first[name] != ("body" in name) for name in at_first)
    others = moved("freeze: [{names: [body], others: true, until: 3}]", 2)
    assert all(others[name] == ("body" in name) for name in others)
    assert all(moved("freeze: [{names: [body], until: 3}]", 4).values())


def test_discriminator_and_generator_do_not_train_each_other(shards: Path) -> None:
    scheme = make_scheme(parse_config(TINY_GAN), Fabric(accelerator="cpu", devices=1))
    pairs = Pairs(torch.rand(2, 3, 8, 8), torch.rand(2, 3, 32, 32))
    adversary = scheme.trained["discriminator"].bare
    first = {name: value.clone() for name, value in adversary.named_parameters()}
    losses = scheme.step([pairs], 0)
    assert losses.keys() == {"pixel", "gan", "d_real", "d_fake"}
    assert any(not torch.equal(first[name], value) for name, value in adversary.named_parameters())
    frozen = parse_config(TINY_GAN.replace("{weight: 0.1}", "{weight: 0.1, start: 5}"))
    scheme = make_scheme(frozen, Fabric(accelerator="cpu", devices=1))
    before = {name: value.clone() for name, value in scheme.generator.bare.state_dict().items()}
    assert scheme.step([pairs], 0).keys() == {"d_real", "d_fake"}
    assert all(torch.equal(before[name], value) for name, value in scheme.generator.bare.state_dict().items())


def test_a_loss_that_is_not_finite_stops_before_a_weight_moves(shards: Path, tmp_path: Path) -> None:
    scheme = make_scheme(parse_config(TINY), Fabric(accelerator="cpu", devices=1))
    before = {name: value.clone() for name, value in scheme.generator.bare.state_dict().items()}
    with pytest.raises(ModelError, match="the loss 'pixel' is nan"):
        scheme.step([Pairs(torch.full((1, 3, 8, 8), torch.nan), torch.zeros(1, 3, 32, 32))], 0)
    assert all(torch.equal(before[name], value) for name, value in scheme.generator.bare.state_dict().items())


def test_clips_train_on_the_middle_frame_or_on_all() -> None:
    text = TINY.replace(
        "{arch: msrresnet_x4, arguments: {num_feat: 8, num_block: 1}}",
        "{arch: edvr_m_wotsa_x4_sr_reds, arguments: {num_feat: 8, num_frame: 3, deformable_groups: 2, "
        "num_extract_block: 1, num_reconstruct_block: 1}}",
    )
    scheme = make_scheme(parse_config(text), Fabric(accelerator="cpu", devices=1))
    clip = Pairs(torch.rand(1, 3, 3, 16, 16), torch.rand(1, 3, 3, 64, 64))
    middle = scheme.generator(clip.lq)
    expected = (middle - clip.gt[:, 1]).abs().mean().item()
    assert scheme.step([clip], 0)["pixel"] == pytest.approx(expected, rel=1e-5)


def test_sharpening_is_that_of_the_paper() -> None:
    image = torch.zeros(1, 3, 64, 64)
    image[..., 32:] = 0.8
    out = sharpen(image)
    assert out[0, 0, 32, 20] == 0.0
    assert out[0, 0, 32, 33] > 0.85
    assert torch.equal(out, sharpen(image.clone()))
    flat = torch.full((1, 3, 40, 40), 0.3) + 0.01 * torch.rand(1, 3, 40, 40)
    assert torch.allclose(sharpen(flat), flat, atol=1e-6), "what is within the threshold stays"


def test_validation_keeps_the_best_and_writes_pictures(shards: Path, tmp_path: Path) -> None:
    text = TINY + "validation: {every: 3, pairs: 2, pictures: 1}"
    go(text, shards, tmp_path, validation=[str(shards)])
    scores = [line for line in curve(tmp_path) if "psnr" in line]
    assert [line["step"] for line in scores] == [2, 5]
    assert all(5 < line["psnr"] < 60 for line in scores)
    assert (tmp_path / "best.pth").exists()
    averaged = load_checkpoint(tmp_path / "generator.pth").state_dict()
    assert all(torch.equal(value, averaged[name]) for name, value in weights(tmp_path)["params_ema"].items())
    assert len(list((tmp_path / "pictures").rglob("*.png"))) == 2


def test_validation_pads_to_what_the_network_takes() -> None:
    net = build("rrdbnet_x2_23b", num_feat=4, num_block=1, num_grow_ch=4)
    assert restorer(net, "cpu")(np.zeros((1, 7, 9, 3), np.uint8)).shape == (1, 14, 18, 3)


def test_command_line(shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "tiny.yaml"
    config.write_text(TINY)
    common = ["train", str(config), "--accelerator", "cpu", "--devices", "1"]
    data = ["--data", f"{shards}:0.5", "--data", f"{shards}:0.5"]
    assert main([*common, *data, "-o", str(tmp_path / "dry"), "--dry-run"]) == 0
    assert "parameters; one step made, nothing written" in capsys.readouterr().out
    assert not (tmp_path / "dry").exists()
    assert main([*common, *data, "-o", str(tmp_path / "run"), "--tensorboard"]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "run" / "generator.pth")
    assert list((tmp_path / "run" / "tensorboard").iterdir())
    assert main([*common, *data, "-o", str(tmp_path / "dry"), "--dry-run", "--degrade-on", "device"]) == 0
    assert "one step made" in capsys.readouterr().out
    assert main([*common, *data, "-o", str(tmp_path / "run")]) == 2
    assert "holds a run already: go on with --resume auto" in capsys.readouterr().err
    assert main(common) == 2
    assert "give --data FOLDER, or --source IMAGES" in capsys.readouterr().err


@pytest.mark.parametrize("source", ["shards", "images"])
def test_lqs_made_on_the_device_train_alike(source: str, shards: Path, tmp_path: Path) -> None:
    """The same pairs in the same order, so the same curve up to the parity of a resize."""
    data = {str(shards): None} if source == "shards" else {}
    images = {"source": str(shards.parent / "*.png"), "recipe": "classical"} if source == "images" else {}
    text = TINY if source == "shards" else TINY.replace("batch_size: 4", "batch_size: 2")
    curves = []
    for where in ("workers", "device"):
        out = tmp_path / where
        job = Run(out=out, data=data, degrade_on=where, stop_after=3, **images)  # type: ignore[arg-type]
        train(parse_config(text), job, Fabric(accelerator="cpu", devices=1), Reporter(out, stream=None))
        curves.append([losses["pixel"] for losses in curve(out)])
    assert curves[0] == pytest.approx(curves[1], rel=1e-3)


GENERATOR = "{arch: msrresnet_x4, arguments: {num_feat: 8, num_block: 1}}"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("batch_size: 4", "batch_size: 5, accumulate: 2"), "cannot be shared by 1 ranks with 2 micro-batches"),
        (("pixel: {weight: 1.0}", "perceptual: {layers: {conv5_4: 1.0}}"), "perceptual.vgg19 is missing: give"),
        (("lr: 1.0e-3", "lr: 1.0e-3, lr_factors: {spynet: 0.1}"), "no parameter's name contains 'spynet'"),
        (
            (GENERATOR, "{arch: basicvsr}"),
            "spynet_path is missing",
        ),
        (("arch: msrresnet_x4", "arch: msrresnet_x5"), "msrresnet_x5"),
    ],
)
def test_what_does_not_fit_is_named(change: tuple[str, str], message: str, shards: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=message.replace("(", r"\(")):
        go(TINY.replace(*change), shards, tmp_path)


def test_gradients_are_clipped_and_guarded(shards: Path) -> None:
    text = TINY + "clip_gradients: 1.0e-3\n"
    scheme = make_scheme(parse_config(text), Fabric(accelerator="cpu", devices=1))
    pairs = Pairs(torch.rand(2, 3, 8, 8), torch.rand(2, 3, 32, 32))
    scheme.step([pairs], 0)
    gradients = [p.grad for p in scheme.generator.bare.parameters() if p.grad is not None]
    assert torch.nn.utils.get_total_norm(gradients).item() == pytest.approx(1e-3, rel=1e-3)
    before = {name: value.clone() for name, value in scheme.generator.bare.state_dict().items()}
    next(scheme.generator.bare.parameters()).register_hook(lambda gradient: gradient * torch.inf)
    with pytest.raises(ModelError, match=r"the norm of the gradients is (inf|nan), though all losses are finite"):
        scheme.step([pairs], 1)
    assert all(torch.equal(before[name], value) for name, value in scheme.generator.bare.state_dict().items())


@pytest.mark.parametrize("text", [TINY, TINY_GAN], ids=["pixel", "gan"])
def test_half_precision_trains_and_is_guarded(text: str, shards: Path) -> None:
    pairs = Pairs(torch.rand(2, 3, 8, 8), torch.rand(2, 3, 32, 32))
    losses = {}
    for precision in ("32-true", "bf16-mixed"):
        torch.manual_seed(0)
        fabric = Fabric(accelerator="cpu", devices=1, precision=precision)  # type: ignore[arg-type]
        scheme = make_scheme(parse_config(text), fabric)
        losses[precision] = [scheme.step([pairs], step) for step in range(3)]
        assert all(value.dtype == torch.float32 for value in scheme.generator.bare.parameters())
    for half, full in zip(losses["bf16-mixed"], losses["32-true"], strict=True):
        assert half == pytest.approx(full, rel=0.05)
    assert losses["bf16-mixed"] != losses["32-true"]
    with pytest.raises(ModelError, match="the loss 'pixel' is nan"):
        scheme.step([pairs._replace(lq=pairs.lq * torch.nan)], 3)


def test_a_sum_over_pixels_does_not_depend_on_how_a_batch_is_split(shards: Path) -> None:
    text = TINY.replace("pixel: {weight: 1.0}", "pixel: {kind: charbonnier, weight: 1.0, reduction: sum}")
    pairs = Pairs(torch.rand(4, 3, 8, 8), torch.rand(4, 3, 32, 32))
    found = []
    for parts in (1, 2):
        torch.manual_seed(0)
        scheme = make_scheme(parse_config(text), Fabric(accelerator="cpu", devices=1))
        batches = [Pairs(lq, gt) for lq, gt in zip(pairs.lq.chunk(parts), pairs.gt.chunk(parts), strict=True)]
        found.append(scheme.step(batches, 0)["pixel"])
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_profile_of_pairs_that_workers_make_on_the_way(
    shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "tiny.yaml"
    config.write_text(TINY.replace("batch_size: 4", "batch_size: 2"))
    images = ["--source", str(shards.parent / "*.png"), "--recipe", "classical", "--workers", "1"]
    assert main(["train", str(config), *images, "--accelerator", "cpu", "--profile", "-o", str(tmp_path / "run")]) == 0
    assert "aten::convolution_backward" in capsys.readouterr().out
    assert not (tmp_path / "run").exists()
    assert main(["train", str(config), *images, "--accelerator", "cpu", "-o", str(tmp_path / "run")]) == 0
    assert len(curve(tmp_path / "run")) == 6
