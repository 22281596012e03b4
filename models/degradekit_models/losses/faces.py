"""GFPGAN's terms for faces: eyes and mouth cut out, a pyramid of targets, the input of the identity network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from degradekit_models.errors import ModelError
from degradekit_models.losses.perceptual import gram
from degradekit_models.ops.roi_align import roi_align

__all__ = [
    "Components",
    "Landmark",
    "component_boxes",
    "component_style",
    "crop_components",
    "identity_input",
    "locate_components",
    "pyramid",
]


class Landmark(NamedTuple):
    """Centre and half side in px of a part of the face, for the whole 512 px face."""

    x: float
    y: float
    half: float


class Components(NamedTuple):
    """Eyes and mouth: boxes ``[N,4]`` of (x1, y1, x2, y2), or their crops ``[N,3,S,S]``."""

    left_eye: Tensor
    right_eye: Tensor
    mouth: Tensor


LEAST_HALF = 16.0
"""Px at 512 px; a part of a face is never smaller."""
EYE_OF_DISTANCE = 0.2
"""Half the width of an eye over the distance of both, in the mean shape of 68 landmarks."""


def locate_components(points: Tensor, *, size: int = 512) -> tuple[Landmark, Landmark, Landmark]:
    """Left eye, right eye and mouth of an aligned face, by its landmarks.

    Args:
        points: 68 landmarks of iBUG, or five (eyes, nose, corners of the mouth), ``[P,2]``, (x, y) in px.
        size: side of the face in px.

    Returns:
        Their centres and half sides at 512 px: the mean of a part's landmarks, and half their larger extent, at least
        16 px. Five landmarks tell no extent of an eye; it is then taken as 0.2 of the distance of the eyes.

    Raises:
        ModelError: a part lies outside the face.

    Source:
        GFPGAN's preparation of FFHQ's landmarks.

    Example:
        >>> points = torch.tensor([[96.0, 120.0], [160.0, 120.0], [128.0, 160.0], [98.0, 190.0], [158.0, 190.0]])
        >>> [tuple(round(n) for n in part) for part in locate_components(points, size=256)]
        [(192, 240, 26), (320, 240, 26), (256, 380, 60)]
    """
    at = points.to(torch.float64) * (512 / size)
    eye = EYE_OF_DISTANCE * float(torch.dist(at[0], at[1])) if len(at) == 5 else 0.0
    spans = ((0, 1, eye), (1, 2, eye), (3, 5, 0.0)) if len(at) == 5 else ((36, 42, 0.0), (42, 48, 0.0), (48, 68, 0.0))
    parts = []
    for first, end, least in spans:
        part = at[first:end]
        x, y = part.mean(0).tolist()
        if not (0 <= x < 512 and 0 <= y < 512):
            raise ModelError(
                f"an eye or the mouth lies at ({x * size / 512:.1f}, {y * size / 512:.1f}) px, outside the face of "
                f"{size} px: build aligned faces (extract.faces.align: ffhq)."
            )
        half = float((part.max(0).values - part.min(0).values).max()) / 2
        parts.append(Landmark(x, y, max(half, least, LEAST_HALF)))
    return parts[0], parts[1], parts[2]


def component_boxes(
    left_eye: Landmark,
    right_eye: Landmark,
    mouth: Landmark,
    *,
    size: int = 512,
    flipped: bool = False,
    eye_enlarge: float = 1.4,
) -> Components:
    """Boxes around the eyes and the mouth of one aligned face.

    Args:
        left_eye: of the image as stored, measured at 512 px.
        right_eye: likewise.
        mouth: likewise.
        size: side of the image in px that the boxes are for.
        flipped: the image was mirrored after the landmarks were measured: eyes change places.
        eye_enlarge: factor on the half side of the eyes.

    Returns:
        Three boxes ``[4]``, one px larger at the left and the top than centre +- half, as published.

    Source:
        Wang et al., "Towards Real-World Blind Face Restoration with Generative Facial Prior", CVPR 2021, section 3.4.

    Example:
        >>> component_boxes(Landmark(180, 220, 20), Landmark(330, 220, 20), Landmark(256, 380, 50)).mouth.tolist()
        [207.0, 331.0, 306.0, 430.0]
    """
    if flipped:
        left_eye, right_eye = right_eye, left_eye

    def box(part: Landmark, enlarge: float) -> Tensor:
        x = 512 - part.x if flipped else part.x
        half = part.half * enlarge
        corners = (x - half + 1, part.y - half + 1, x + half, part.y + half)
        return torch.tensor(corners, dtype=torch.float32) / (512 / size)

    return Components(box(left_eye, eye_enlarge), box(right_eye, eye_enlarge), box(mouth, 1.0))


def crop_components(images: Tensor, boxes: Components, *, eye_size: int = 80, mouth_size: int = 120) -> Components:
    """Cut eyes and mouth out of a batch of faces; the gradient flows back.

    Args:
        images: faces ``[N,3,H,W]``; for faces other than 512 px, crops shrink in proportion.
        boxes: three tensors ``[N,4]`` in px of the images.
        eye_size: side of an eye's crop in px at 512 px.
        mouth_size: of the mouth's.

    Source:
        RoI align as in He et al., ICCV 2017; sizes of GFPGAN's published training options.
    """
    ratio = images.shape[-1] / 512
    index = torch.arange(len(images), dtype=boxes.mouth.dtype, device=images.device)[:, None]

    def crop(where: Tensor, size: int) -> Tensor:
        return roi_align(images, torch.cat((index, where), 1), int(size * ratio)) * ratio

    return Components(crop(boxes.left_eye, eye_size), crop(boxes.right_eye, eye_size), crop(boxes.mouth, mouth_size))


def component_style(pred: Sequence[Tensor], target: Sequence[Tensor]) -> Tensor:
    """Gram distance between two levels of a component discriminator's features, the first level at half weight.

    Args:
        pred: features of the generated crop, two tensors ``[N,C,H,W]``.
        target: of the real crop; no gradient flows to them.
    """
    first = F.l1_loss(gram(pred[0]), gram(target[0].detach()))
    return 0.5 * first + F.l1_loss(gram(pred[1]), gram(target[1].detach()))


def pyramid(images: Tensor, *, smallest: int = 8) -> list[Tensor]:
    """The images at 8, 16, ... px up to their own size: targets of the intermediate outputs.

    Args:
        images: square images ``[N,C,S,S]``, S a power of two.
        smallest: side in px of the first level.

    Example:
        >>> import torch
        >>> [level.shape[-1] for level in pyramid(torch.zeros(1, 3, 64, 64))]
        [8, 16, 32, 64]
    """
    levels = [images]
    while levels[0].shape[-1] > smallest:
        levels.insert(0, F.interpolate(levels[0], scale_factor=0.5, mode="bilinear", align_corners=False))
    return levels


def identity_input(images: Tensor, *, size: int = 128) -> Tensor:
    """Grey face of the identity network's size.

    Args:
        images: RGB faces ``[N,3,H,W]`` in [-1, 1].
        size: side in px that ArcFace takes.

    Source:
        Rec. 601 luma with the four-digit weights of the published training code.
    """
    r, g, b = images.unbind(1)
    grey = (0.2989 * r + 0.5870 * g + 0.1140 * b)[:, None]
    return F.interpolate(grey, size=(size, size), mode="bilinear", align_corners=False)
