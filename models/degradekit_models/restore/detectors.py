"""Finding faces and their five landmarks with detectors whose weights the user gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np

from degradekit_models.errors import ModelError
from degradekit_models.restore.pictures import Array

__all__ = ["Detector", "open_detector"]

Detector: TypeAlias = Callable[[Array], Array]
"""float32 RGB ``[H,W,3]`` in [0, 1] -> landmarks ``[N,5,2]``, x and y in pixels, the largest face first."""
LONGEST = 1280
"""Larger pictures are reduced to this side for YuNet, which finds faces of about 10 to 300 pixels."""


def open_detector(path: str | Path, *, confidence: float = 0.8) -> Detector:
    """Loads a face detector.

    Args:
        path: ``.onnx``: YuNet, as OpenCV's zoo has it (``face_detection_yunet_2023mar.onnx``). ``.pth``: RetinaFace
            with a ResNet-50, as facexlib has it (``detection_Resnet50_Final.pth``); needs facexlib.
        confidence: least score of a face, 0..1.

    Raises:
        ModelError: the file is missing or no such detector, or facexlib is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"{path}: there is no such file; give the weights of a face detector.")
    if path.suffix == ".onnx":
        return _yunet(path, confidence)
    if path.suffix == ".pth":
        return _retinaface(path, confidence)
    raise ModelError(f"{path}: a face detector is an .onnx (YuNet) or a .pth (facexlib's RetinaFace).")


def _yunet(path: Path, confidence: float) -> Detector:
    try:
        net: Any = cv2.FaceDetectorYN.create(str(path), "", (320, 320), confidence)
    except cv2.error as error:
        raise ModelError(f"{path}: OpenCV cannot load it as YuNet ({error.err}).") from None

    def detect(rgb: Array) -> Array:
        h, w = rgb.shape[:2]
        shrink = min(1.0, LONGEST / max(h, w))
        size = (max(round(w * shrink), 1), max(round(h * shrink), 1))
        levels = (rgb[..., ::-1].clip(0, 1) * 255).round().astype(np.uint8)
        levels = cv2.resize(levels, size, interpolation=cv2.INTER_AREA) if shrink < 1 else np.ascontiguousarray(levels)
        net.setInputSize(size)
        _, faces = net.detect(levels)
        if faces is None:
            return np.zeros((0, 5, 2))
        faces = _largest_first(faces, faces[:, 2] * faces[:, 3])
        # Its eyes and corners of the mouth are named from the person's side: the right one is on the picture's left.
        points = faces[:, 4:14].reshape(-1, 5, 2).astype(np.float64)
        stretch = np.array((w / size[0], h / size[1]))
        scaled: Array = points * stretch + (stretch - 1) / 2
        return scaled

    return detect


def _retinaface(path: Path, confidence: float) -> Detector:
    try:
        from facexlib.detection.retinaface import RetinaFace  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise ModelError(f"{path} needs facexlib: pip install facexlib ({error}).") from None
    from degradekit_models.checkpoints import read_checkpoint

    net: Any = RetinaFace(network_name="resnet50", half=False)
    try:
        net.load_state_dict(read_checkpoint(path).tensors, strict=True)
    except RuntimeError as error:
        raise ModelError(f"{path}: is no RetinaFace with a ResNet-50 ({str(error).splitlines()[0]}).") from None
    net.eval()

    def detect(rgb: Array) -> Array:
        found = np.asarray(net.detect_faces((rgb[..., ::-1] * 255).astype(np.float32), confidence))
        if not found.size:
            return np.zeros((0, 5, 2))
        found = _largest_first(found, (found[:, 2] - found[:, 0]) * (found[:, 3] - found[:, 1]))
        points: Array = found[:, 5:15].reshape(-1, 5, 2).astype(np.float64)
        return points

    return detect


def _largest_first(faces: Array, areas: Array) -> Array:
    ordered: Array = faces[np.argsort(-areas, kind="stable")]
    return ordered
