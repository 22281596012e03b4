"""GFPGAN's scheme: every term moves what it should and nothing else, by the published step, and resumes exactly."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.fabric import Fabric
from torch import Tensor

from degradekit_models import load_checkpoint
from degradekit_models.cli import main
from degradekit_models.data import TrainingData
from degradekit_models.errors import ModelError
from degradekit_models.losses.faces import locate_components
from degradekit_models.restore.faces import face_network
from degradekit_models.train.config import GFPGANConfig, load_config, parse_config
from degradekit_models.train.gfpgan import GFPGAN, boxes_of
from degradekit_models.train.networks import perceptual_loss
from degradekit_models.train.scheme import Pairs
from tests.models.train.faces import IDENTITY, POINTS, SIDE, TINY_GFPGAN
from tests.models.train.running import curve, go

NAMES = ("left_eye", "right_eye", "mouth")


def cpu(precision: Any = "32-true") -> Fabric:
    return Fabric(accelerator="cpu", devices=1, precision=precision)


def make(text: str = TINY_GFPGAN, precision: Any = "32-true") -> GFPGAN:
    torch.manual_seed(0)
    config = parse_config(text)
    assert isinstance(config, GFPGANConfig)
    scheme = GFPGAN(config, cpu(precision), allow_random_init=True)
    for frozen in (scheme.perceptual, scheme.identity):
        if frozen is not None:
            frozen.to(next(scheme.generator.bare.parameters()).dtype)
    return scheme


def pairs(count: int = 2) -> Pairs:
    generator = torch.Generator().manual_seed(1)
    lq, gt = (torch.rand(count, 3, SIDE, SIDE, generator=generator) for _ in range(2))
    points = torch.tensor(POINTS * (SIDE / 120), dtype=torch.float32)
    return Pairs(lq, gt, tuple(points + i * 0.7 for i in range(count)))


def tensors(state: Any, at: str = "") -> dict[str, Tensor]:
    """Every tensor of a nested state by its place."""
    if isinstance(state, Tensor):
        return {at: state}
    if isinstance(state, dict):
        return {k: v for name, value in state.items() for k, v in tensors(value, f"{at}.{name}").items()}
    if isinstance(state, list | tuple):
        return tensors(dict(enumerate(state)), at)
    return {}


def same_state(a: Path, b: Path) -> None:
    """Every network, optimiser and average is the same to the bit."""
    first, second = (tensors(torch.load(path / "last.ckpt", weights_only=True)["scheme"]) for path in (a, b))
    assert first.keys() == second.keys()
    assert [name for name in first if not torch.equal(first[name], second[name])] == []


def test_resumed_run_equals_an_unbroken_one(faces: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"allow_random_init": True, "validation": [str(faces)]}
    go(TINY_GFPGAN, faces, tmp_path / "whole", **options)
    for steps in (1, 3):
        go(TINY_GFPGAN, faces, tmp_path / "parts", resume=True, stop_after=steps, **options)
    assert curve(tmp_path / "parts") == curve(tmp_path / "whole")
    same_state(tmp_path / "parts", tmp_path / "whole")
    steps = [line for line in curve(tmp_path / "whole") if "pixel" in line]
    assert [line["step"] for line in steps if "d_r1" in line] == [1, 3]
    assert [line["pyramid"] > 1e-6 for line in steps] == [True, True, False, False]
    assert all(line["pyramid"] > 0 for line in steps)
    assert len([line for line in curve(tmp_path / "whole") if "psnr" in line]) == 2
    assert len(list((tmp_path / "whole/pictures").rglob("*.png"))) == 4


REACHED = {
    "pixel": ("conditions", "styles"),
    "pyramid": ("rgb",),
    "perceptual": ("conditions", "styles"),
    "style": ("conditions", "styles"),
    "gan": ("conditions", "styles"),
    "gan_left_eye": ("conditions", "styles"),
    "gan_right_eye": ("conditions", "styles"),
    "gan_mouth": ("conditions", "styles"),
    "component_style": ("conditions", "styles"),
    "identity": ("conditions", "styles"),
}
PARTS = {"conditions": "condition_", "styles": "final_linear", "rgb": "toRGB"}


def test_each_term_reaches_the_part_that_it_should() -> None:
    scheme = make(TINY_GFPGAN + IDENTITY)
    for net in (scheme.trained["discriminator"], scheme.trained["components"]):
        net.bare.requires_grad_(False)
    face = scheme._faces(pairs(1))
    fake, images = scheme.generator(face.lq)
    losses = scheme._losses(fake, images, face, 0)
    assert losses.keys() == REACHED.keys()
    named = dict(scheme.generator.bare.named_parameters())
    moving = {name: p for name, p in named.items() if p.requires_grad}
    assert {name for name in named if name not in moving} == {name for name in named if "stylegan_decoder" in name}
    for term, parts in REACHED.items():
        found = torch.autograd.grad(losses[term], list(moving.values()), retain_graph=True, allow_unused=True)
        grads = dict(zip(moving, found, strict=True))
        reached = {part for part, text in PARTS.items() if any(_moves(g) for n, g in grads.items() if text in n)}
        assert reached == set(parts), term
        assert any(_moves(g) for n, g in grads.items() if "conv_body" in n), term
    frozen = [scheme.perceptual, scheme.identity]
    assert not any(p.requires_grad for net in frozen if net is not None for p in net.parameters())


def _moves(grad: Tensor | None) -> bool:
    return grad is not None and bool(grad.abs().max() > 0)


def test_components_are_judged_by_their_boxes_alone() -> None:
    scheme = make()
    face = scheme._faces(pairs(1))
    assert face.boxes is not None
    fake = torch.rand(1, 3, SIDE, SIDE).requires_grad_()
    term = scheme.config.components
    assert term is not None
    losses = scheme._component_losses(fake, face, term)
    for name in NAMES:
        (grad,) = torch.autograd.grad(losses[f"gan_{name}"], fake, retain_graph=True)
        x1, y1, x2, y2 = getattr(face.boxes, name)[0].tolist()
        seen = grad.abs().sum((0, 1)).nonzero()
        assert len(seen) > 4
        assert y1 - 1 <= seen[:, 0].min() and seen[:, 0].max() <= y2 + 1
        assert x1 - 1 <= seen[:, 1].min() and seen[:, 1].max() <= x2 + 1
        others = [other for other in NAMES if other != name]
        for other in others:
            weights = list(scheme.trained["components"].bare.get_submodule(other).parameters())
            grads = torch.autograd.grad(losses[f"gan_{name}"], weights, retain_graph=True, allow_unused=True)
            assert grads == (None,) * len(grads)


def test_a_step_moves_what_it_should() -> None:
    scheme = make(TINY_GFPGAN + IDENTITY)
    assert scheme.perceptual is not None
    assert scheme.identity is not None
    nets = {name: trained.bare for name, trained in scheme.trained.items()}
    nets |= {"vgg": scheme.perceptual, "arcface": scheme.identity}
    before = {name: {k: v.clone() for k, v in net.state_dict().items()} for name, net in nets.items()}
    scheme.step([pairs(1)], 0)
    moved = {
        name: {k for k, v in net.state_dict().items() if not torch.equal(v, before[name][k])}
        for name, net in nets.items()
    }
    assert moved["vgg"] == moved["arcface"] == set()
    assert not any("stylegan_decoder" in name for name in moved["generator"])
    assert {name for name in before["generator"] if "stylegan_decoder" not in name} == moved["generator"]
    assert all(any(name.startswith(part) for name in moved["components"]) for part in NAMES)
    assert len(moved["discriminator"]) > 10


def test_features_are_compared_as_published(
    golden: Callable[[str], Any],
) -> None:
    config = load_config(Path(__file__).parents[3] / "models/configs/gfpgan_v1.yaml")
    assert isinstance(config, GFPGANConfig)
    assert config.perceptual is not None
    term = config.perceptual.model_copy(update={"vgg19": None})
    loss, stored = perceptual_loss(term, cpu(), range_norm=True, allow_random_init=True), golden("losses")
    golden("vgg19_features").fill(loss.features)
    a, b = (stored.tensor(f"in_percep_{name}_u8").float() / 255 * 2 - 1 for name in "ab")
    found = loss(a, b)
    assert found.perceptual.item() == pytest.approx(stored.arrays["percep_gfpgan"].item(), rel=2e-5)
    assert found.style.item() == pytest.approx(stored.arrays["style_gfpgan"].item(), rel=2e-5)


def test_boxes_follow_the_faces_when_they_are_mirrored(faces: Path) -> None:
    config = parse_config(TINY_GFPGAN)
    assert isinstance(config, GFPGANConfig)
    assert config.components is not None
    data = TrainingData((str(faces),), micro_batch=12, flip=True, landmarks=True)
    seen = 0
    for _, batch in zip(range(3), data, strict=False):
        boxes = boxes_of(batch.landmarks, SIDE, config.components)
        for gt, (left, right, mouth) in zip(batch.gt, boxes.tolist(), strict=True):
            assert left[0] < right[0]
            for box in (left, right):
                x, y = round((box[0] + box[2] - 1 / 16) / 2), round((box[1] + box[3] - 1 / 16) / 2)
                assert gt[:, y - 1 : y + 2, x - 1 : x + 2].mean(0).min() < 0.35, "a pupil is dark"
            assert mouth[1] > left[1]
            seen += 1
    assert seen == 36


def test_landmarks_of_68_points_tell_how_large_parts_are() -> None:
    points = torch.zeros(68, 2)
    points[36:42] = torch.tensor([[150, 240], [165, 230], [185, 230], [200, 240], [185, 248], [165, 248]])
    points[42:48] = points[36:42] + torch.tensor([130, 4])
    points[48:68] = torch.tensor([240.0, 380.0])
    points[48, 0], points[54, 0] = 200, 280
    left, right, mouth = locate_components(points)
    assert left == pytest.approx((175, 1436 / 6, 25))
    assert right == pytest.approx((305, 1436 / 6 + 4, 25))
    assert mouth == pytest.approx((240, 380, 40))
    assert locate_components(points / 4, size=128)[0] == pytest.approx(left)
    points[48:68] -= 600
    with pytest.raises(ModelError, match=r"lies at \(-360.0, -220.0\) px, outside the face of 512 px"):
        locate_components(points)


def test_it_learns_faces(faces: Path, tmp_path: Path) -> None:
    text = TINY_GFPGAN.replace("iterations: 4", "iterations: 16").replace("until: 2", "until: 16")
    text = text.replace("save_every: 2", "save_every: 100").replace("every: 2, pictures: 2", "every: 100, pictures: 0")
    go(text, faces, tmp_path, allow_random_init=True, overfit_one_batch=True)
    lines = curve(tmp_path)
    shares = {"pixel": 0.6, "pyramid": 0.85, "perceptual": 0.6, "style": 0.4}
    for term, share in shares.items():
        begun, ended = (np.mean([line[term] for line in part]) for part in (lines[:3], lines[-3:]))
        assert ended < share * begun, (term, begun, ended)


def test_micro_batches_add_up(faces: Path, tmp_path: Path) -> None:
    go(TINY_GFPGAN, faces, tmp_path / "one", allow_random_init=True, stop_after=1)
    halves = TINY_GFPGAN.replace("batch_size: 4", "batch_size: 4, accumulate: 2")
    go(halves, faces, tmp_path / "two", allow_random_init=True, stop_after=1)
    one, two = curve(tmp_path / "one")[0], curve(tmp_path / "two")[0]
    for term in ("pixel", "pyramid", "perceptual", "gan_mouth", "d_components_real"):  # noise has no strength at first
        assert one[term] == pytest.approx(two[term], rel=1e-4)


def test_command_line_trains_and_the_weights_restore_a_face(
    faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "tiny.yaml"
    config.write_text(TINY_GFPGAN + IDENTITY)
    out = tmp_path / "run"
    common = ["train", str(config), "--data", str(faces), "--accelerator", "cpu", "--devices", "1", "-o", str(out)]
    assert main([*common, "--steps", "2"]) == 2
    assert (
        "decoder_load_path is missing: give StyleGAN2_512_Cmul1_FFHQ_B12G4_scratch_800k.pth" in capsys.readouterr().err
    )
    assert main([*common, "--steps", "2", "--allow-random-init"]) == 0
    net = load_checkpoint(capsys.readouterr().out.strip())
    restored = face_network(net, side=SIDE)(np.full((SIDE, SIDE, 3), 0.5, np.float32))
    assert restored.shape == (SIDE, SIDE, 3)
    assert 0 <= restored.min() < restored.max() <= 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("perceptual: {", "perceptual: {vgg19: vgg.pth, "), "vgg.pth: there is no such file"),
        (("pixel:", "identity: {weight: 1, arcface: arc.pth}\npixel:"), "arc.pth: there is no such file"),
        (("arguments: {out", "arguments: {decoder_load_path: a.pth, out"), "a.pth: there is no such file"),
        (
            ("out_size: 32, num_style_feat", "out_size: 64, num_style_feat"),
            "the face is 32 x 32; this one was built",
        ),
    ],
)
def test_what_does_not_fit_is_named(change: tuple[str, str], message: str, faces: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=message):
        go(TINY_GFPGAN.replace(*change), faces, tmp_path, allow_random_init=True)


def test_missing_parts_are_named_with_their_files(tmp_path: Path) -> None:
    decoder = tmp_path / "decoder.pth"
    torch.save({"params_ema": make().generator.bare.get_submodule("stylegan_decoder").state_dict()}, decoder)
    known = TINY_GFPGAN.replace("{out_size: 32, num_style", f"{{decoder_load_path: {decoder}, out_size: 32, num_style")
    featureless = "\n".join(line for line in known.splitlines() if not line.startswith("perceptual"))
    for text, message in (
        (TINY_GFPGAN, "generator.arguments.decoder_load_path is missing: give StyleGAN2_512_Cmul1_FFHQ_B12G4_scratch"),
        (known, "perceptual.vgg19 is missing: give torchvision's vgg19-dcbb9e9d.pth"),
        (featureless + "\n" + IDENTITY, "identity.arcface is missing: give GFPGAN's arcface_resnet18.pth"),
        (re.sub("  arch: .*\n  arguments: .*", "  arch: msrresnet_x4", featureless), "msrresnet_x4 is no GFPGAN"),
    ):
        config = parse_config(text)
        assert isinstance(config, GFPGANConfig)
        with pytest.raises(ModelError, match=message):
            GFPGAN(config, cpu())
    config = parse_config(featureless)
    assert isinstance(config, GFPGANConfig)
    loaded = GFPGAN(config, cpu()).generator.bare.get_submodule("stylegan_decoder").state_dict()
    stored = torch.load(decoder, weights_only=True)["params_ema"]
    assert all(torch.equal(value, stored[name]) for name, value in loaded.items())


def test_faces_without_landmarks_are_refused(shards: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"has no landmarks: build the faces by a recipe with extract.faces"):
        go(TINY_GFPGAN, shards, tmp_path, allow_random_init=True)
