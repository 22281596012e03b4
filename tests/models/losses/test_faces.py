"""GFPGAN's terms against the published code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from degradekit_models.losses.faces import (
    Components,
    Landmark,
    component_boxes,
    component_style,
    crop_components,
    identity_input,
    pyramid,
)


@pytest.fixture(scope="module")
def stored(golden: Callable[[str], Any]) -> Any:
    return golden("gfpgan_train")


def faces(stored: Any, name: str) -> Tensor:
    """32 px pictures blown up 16 times, in [-1, 1]."""
    x = stored.tensor(f"in_{name}_u8").float() / 255
    return ((x - 0.5) / 0.5).repeat_interleave(16, -1).repeat_interleave(16, -2)


def near(got: Tensor, want: Tensor) -> None:
    assert got.shape == want.shape
    assert (got - want).abs().max() <= 2e-5 * want.abs().max()


@pytest.mark.parametrize(("picture", "suffix"), [("out", ""), ("gt", "_gt")])
def test_crops(stored: Any, picture: str, suffix: str) -> None:
    names = ("left_eyes", "right_eyes", "mouths")
    boxes = Components(*(stored.tensor(f"in_loc_{name}") for name in names))
    for crop, name in zip(crop_components(faces(stored, picture), boxes), names, strict=True):
        near(crop[..., ::5, ::5], stored.tensor(f"{name}{suffix}__s5"))
        near(F.avg_pool2d(crop, 8), stored.tensor(f"{name}{suffix}__b8"))


def test_gradient_reaches_the_face() -> None:
    face = torch.rand(1, 3, 64, 64, requires_grad=True)
    box = torch.tensor([[8.0, 8.0, 24.0, 24.0]])
    eye = crop_components(face, Components(box, box, box)).left_eye
    assert eye.shape == (1, 3, 10, 10), "crops shrink with the face"
    (grad,) = torch.autograd.grad(eye.sum(), face)
    assert grad[..., 9:23, 9:23].min() > 0
    assert grad[..., 30:, :].abs().max() == 0


def test_pyramid_and_identity(stored: Any) -> None:
    levels = pyramid(faces(stored, "gt"))
    assert [level.shape[-1] for level in levels] == stored.arrays["pyramid_sizes"].tolist()
    for level in levels[:3]:
        near(level, stored.tensor(f"pyramid_{level.shape[-1]}"))
    near(levels[3][..., ::3, ::3], stored.tensor("pyramid_64__s3"))
    near(F.avg_pool2d(levels[3], 8), stored.tensor("pyramid_64__b8"))
    near(identity_input(faces(stored, "out")), stored.tensor("gray_identity_128"))


@pytest.mark.parametrize("flipped", [False, True])
def test_boxes(stored: Any, flipped: bool) -> None:
    parts = (Landmark(180.5, 221.25, 24.3), Landmark(322, 219.5, 25.7), Landmark(253.4, 377.1, 52.9))
    got = torch.stack(component_boxes(*parts, flipped=flipped)).numpy()
    np.testing.assert_allclose(got, stored.arrays[f"component_boxes_flip{int(flipped)}"], atol=1e-3)


def test_component_style(stored: Any) -> None:
    feats = [stored.tensor(f"in_feat{i}") for i in range(4)]
    near(component_style((feats[0], feats[2]), (feats[1], feats[3])), stored.tensor("component_style"))
