"""Restoring faces inside pictures: aligned by five landmarks, restored, and pasted back without an edge."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
import torch
from torch import nn

from degradekit_models.errors import ModelError
from degradekit_models.restore.pictures import Array, Picture
from degradekit_models.restore.traits import FACE_NETWORKS
from degradekit_models.restore.upscale import to_grey

__all__ = ["TEMPLATE", "FaceNet", "align", "enhance_faces", "face_network", "read_landmarks", "similarity"]

FaceNet: TypeAlias = Callable[[Array], Array]
"""float32 RGB ``[S,S,3]`` in [0, 1] of an aligned face -> the same, restored."""

TEMPLATE = np.array(
    (
        (192.98138, 239.94708),
        (318.90277, 240.1936),
        (256.63416, 314.01935),
        (201.26117, 371.41043),
        (313.08905, 371.15118),
    )
)
"""Where both eyes, the nose and both corners of the mouth lie in an aligned face of 512 pixels (FFHQ crops): x, y."""
SIDE = 512
FEATHER = 0.1
"""Share of the aligned face over which the pasted one fades out at its border."""
LEAST_EYE_DISTANCE = 5.0
"""Pixels; smaller faces hold too little to be restored."""


def similarity(source: Array, target: Array) -> Array:
    """Fits rotation, uniform scale and shift that take points to points, in least squares.

    Args:
        source: points ``[N,2]``, x and y in pixels.
        target: points ``[N,2]``.

    Returns:
        Affine matrix ``[2,3]``.

    Raises:
        ModelError: all source points are one.

    Source:
        Umeyama, "Least-squares estimation of transformation parameters between two point patterns", PAMI 1991.

    Example:
        >>> similarity(TEMPLATE, 2 * TEMPLATE + 3).round(6).tolist()
        [[2.0, -0.0, 3.0], [0.0, 2.0, 3.0]]
    """
    a, b = source.astype(np.float64), target.astype(np.float64)
    za = (a - a.mean(0)) @ (1, 1j)
    zb = (b - b.mean(0)) @ (1, 1j)
    spread = np.vdot(za, za).real
    if spread < 1e-9:
        raise ModelError("the five landmarks of a face lie in one point.")
    turn = np.vdot(za, zb) / spread  # a complex number is a rotation and a scale
    linear = np.array(((turn.real, -turn.imag), (turn.imag, turn.real)))
    return np.column_stack((linear, b.mean(0) - linear @ a.mean(0)))


def align(rgb: Array, matrix: Array, side: int = SIDE) -> Array:
    """Cuts an aligned face out of a picture, which is mirrored beyond its border: a colour there would bleed back.

    Args:
        rgb: float32 ``[H,W,3]``.
        matrix: from picture to face; see `similarity`.
        side: of the face in pixels.
    """
    shrink = np.hypot(matrix[0, 0], matrix[1, 0])
    if shrink < 0.5:  # the warp reads 4 x 4 pixels: what it would skip is averaged first
        rgb = cv2.GaussianBlur(rgb, (0, 0), 0.4 / shrink)
    face: Array = cv2.warpAffine(rgb, matrix, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    return face.clip(0, 1)


def enhance_faces(picture: Picture, background: Picture, landmarks: Array, face_net: FaceNet) -> Picture:
    """Restores the faces of a picture and pastes them onto its restored background.

    Args:
        picture: as it was.
        background: the same picture restored, of any size.
        landmarks: ``[N,5,2]``: eyes (the one on the left of the picture first), nose and corners of the mouth, x and
            y in pixels of `picture`.
        face_net: restores an aligned face of 512 pixels.

    Source:
        Wang et al., "GFPGAN", CVPR 2021 (the released inference).
    """
    h, w = picture.rgb.shape[:2]
    out_h, out_w = background.rgb.shape[:2]
    stretch = np.array((out_w / w, out_h / h))
    rgb, mask = background.rgb, feathered_mask(SIDE)
    for points in landmarks:
        if np.hypot(*(points[1] - points[0])) < LEAST_EYE_DISTANCE:
            continue
        face = face_net(align(picture.rgb, similarity(points, TEMPLATE)))
        # Pixels are areas: the middle of the first is at 0, and after stretching by s at (s - 1) / 2.
        placed = points * stretch + (stretch - 1) / 2
        rgb = _paste(rgb, face, mask, similarity(placed, TEMPLATE))
    return replace(background, rgb=to_grey(rgb) if background.grey else rgb)


def feathered_mask(side: int) -> Array:
    """Weights of a pasted face ``[side,side]``: 1 inside, falling to 0 at the border without a kink.

    Example:
        >>> mask = feathered_mask(100)
        >>> float(mask[50, 50]), float(mask[0, 50]) < 0.01
        (1.0, True)
    """
    distance = np.minimum(np.arange(side), np.arange(side)[::-1]) / (FEATHER * side)
    edge = 0.5 - 0.5 * np.cos(np.pi * distance.clip(0, 1))
    return np.outer(edge, edge).astype(np.float32)


def _paste(rgb: Array, face: Array, mask: Array, matrix: Array) -> Array:
    h, w = rgb.shape[:2]
    back = cv2.invertAffineTransform(matrix)
    warped = cv2.warpAffine(face, back, (w, h), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    weight = cv2.warpAffine(mask, back, (w, h), flags=cv2.INTER_LINEAR)[..., None]
    out: Array = rgb + weight * (warped.clip(0, 1) - rgb)
    return out


def face_network(net: nn.Module, device: torch.device | str = "cpu", *, side: int = SIDE) -> FaceNet:
    """Makes a function of pictures of a GFPGAN; the noise is the stored one, so that results can be repeated.

    Args:
        net: the network.
        device: where it runs.
        side: of the faces in pixels.

    Raises:
        ModelError: another network, or one for faces of another size.
    """
    if not isinstance(net, FACE_NETWORKS):
        raise ModelError(f"{type(net).__name__} restores no aligned faces: the face model is a GFPGAN.")
    if net.out_size != side:
        raise ModelError(f"this GFPGAN takes faces of {net.out_size} pixels; one for {side} is needed.")
    net = net.eval().to(device)

    @torch.inference_mode()
    def restore(face: Array) -> Array:
        x = torch.from_numpy(face).movedim(-1, 0)[None].to(device) * 2 - 1
        image, _ = net(x, return_rgb=False, randomize_noise=False)
        restored: Array = ((image[0].clamp(-1, 1) + 1) / 2).movedim(0, -1).float().cpu().contiguous().numpy()
        return restored

    return restore


def read_landmarks(path: str | Path) -> dict[str, Array]:
    """Reads landmarks from a JSON file: ``{"photo.jpg": [[[x, y], ... five], ... faces]}``.

    Raises:
        ModelError: the file cannot be read or is of another form.
    """
    path = Path(path)
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        faces = {str(name): np.array(points, np.float64).reshape(-1, 5, 2) for name, points in content.items()}
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror or error}.") from None
    except (ValueError, AttributeError, TypeError) as error:
        raise ModelError(
            f'{path}: is not of the form {{"file name": [[[x, y], ... five points], ... faces]}} ({error}).'
        ) from None
    if not all(np.isfinite(points).all() for points in faces.values()):
        raise ModelError(f"{path}: has coordinates that are not finite.")
    return faces
