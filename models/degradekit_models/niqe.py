"""NIQE: how far a picture's statistics are from those of good pictures, without a reference.

The model of good pictures is fitted to the user's own; none is shipped, so values compare only under one model.

Source:
    Mittal, Soundararajan & Bovik, "Making a 'completely blind' image quality analyzer", SPL 2013.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import cv2
import numpy as np
from scipy.special import gamma

from degradekit_models.errors import ModelError
from degradekit_models.metrics import Array, luma

__all__ = ["NiqeModel", "fit_niqe", "niqe"]

PATCH = 96
SHARP = 0.75
"""Only patches with at least this share of the sharpest one's local contrast tell what good pictures are."""
_SHAPES = np.arange(0.2, 10.0, 0.001)
_RATIOS = gamma(2 / _SHAPES) ** 2 / (gamma(1 / _SHAPES) * gamma(3 / _SHAPES))
"""Shape of a generalised Gaussian -> squared mean of the absolute value over mean square; rising."""


@dataclass(frozen=True)
class NiqeModel:
    """Mean ``[36]`` and covariance ``[36,36]`` of the features of good patches."""

    mean: Array
    covariance: Array

    def save(self, path: str | Path) -> None:
        """Write to an ``.npz``.

        Raises:
            ModelError: the file cannot be written.
        """
        try:
            np.savez(path, mean=self.mean, covariance=self.covariance)
        except OSError as error:
            raise ModelError(f"{path}: {error.strerror or error}.") from None

    @classmethod
    def load(cls, path: str | Path) -> NiqeModel:
        """Read what `save` wrote.

        Raises:
            ModelError: the file cannot be read or is another one.
        """
        try:
            with np.load(path) as stored:
                model = cls(stored["mean"], stored["covariance"])
        except (OSError, KeyError, ValueError, EOFError) as error:
            raise ModelError(f"{path}: is no NIQE model ({error}); make one with --fit-niqe.") from None
        if model.mean.shape != (36,) or model.covariance.shape != (36, 36):
            raise ModelError(f"{path}: is no NIQE model, its mean is of shape {model.mean.shape}, not (36,).")
        return model


def fit_niqe(pictures: Iterable[Array]) -> NiqeModel:
    """Fits the model of good pictures.

    Args:
        pictures: uint8 ``[H,W,3]`` RGB or ``[H,W]`` grey, at least 96 pixels on each side, sharp and clean; a
            hundred or so.

    Raises:
        ModelError: there are too few patches (37) for a covariance.
    """
    kept = []
    for picture in pictures:
        features, sharpness = _features(picture)
        kept.append(features[sharpness >= SHARP * sharpness.max()])
    features = np.concatenate(kept) if kept else np.zeros((0, 36))
    if len(features) < 37:
        raise ModelError(f"NIQE: {len(features)} sharp patches of {PATCH} pixels are too few; 37 are the least.")
    return NiqeModel(features.mean(0), np.cov(features.T))


def niqe(picture: Array, model: NiqeModel) -> float:
    """Distance of a picture from good pictures; smaller is better.

    Args:
        picture: uint8 ``[H,W,3]`` RGB or ``[H,W]`` grey, at least 96 pixels on each side.
        model: what good pictures are.

    Raises:
        ModelError: the picture is too small.
    """
    features, _ = _features(picture)
    spread = np.cov(features.T) if len(features) > 1 else np.zeros((36, 36))
    difference = features.mean(0) - model.mean
    inverse = np.linalg.pinv((spread + model.covariance) / 2)
    return float(np.sqrt(max(difference @ inverse @ difference, 0.0)))


def _features(picture: Array) -> tuple[Array, Array]:
    """Features ``[patches,36]`` over two scales, and the sharpness of every patch."""
    grey = luma(picture) if picture.ndim == 3 else picture.astype(np.float64)
    rows, columns = grey.shape[0] // PATCH, grey.shape[1] // PATCH
    if not rows or not columns:
        raise ModelError(f"NIQE: {grey.shape[0]} x {grey.shape[1]} pixels are too few; {PATCH} x {PATCH} is the least.")
    grey = grey[: rows * PATCH, : columns * PATCH]
    found, sharpness = [], np.empty(0)
    for scale in (1, 2):
        normalised, deviation = _normalise(grey)
        side = PATCH // scale
        corners = [(r * side, c * side) for r, c in product(range(rows), range(columns))]
        found.append(np.array([_patch(normalised[r : r + side, c : c + side]) for r, c in corners]))
        if scale == 1:
            sharpness = np.array([deviation[r : r + side, c : c + side].mean() for r, c in corners])
            grey = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return np.concatenate(found, axis=1), sharpness


def _normalise(grey: Array) -> tuple[Array, Array]:
    """Values less their local mean over local deviation plus one, and that deviation (7 x 7, sigma 7/6 pixels)."""
    mean = cv2.GaussianBlur(grey, (7, 7), 7 / 6, borderType=cv2.BORDER_REPLICATE)
    square = cv2.GaussianBlur(grey * grey, (7, 7), 7 / 6, borderType=cv2.BORDER_REPLICATE)
    deviation = np.sqrt(np.abs(square - mean**2))
    return (grey - mean) / (deviation + 1), deviation


def _patch(values: Array) -> Array:
    """Eighteen numbers: the distribution of the values, and of their products with four neighbours."""
    shape, left, right = _asymmetric(values)
    features = [shape, (left + right) / 2]
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        products = values * np.roll(values, (dy, dx), (0, 1))
        shape, left, right = _asymmetric(products)
        features += [shape, (right - left) * gamma(2 / shape) / gamma(1 / shape), left, right]
    return np.array(features)


def _asymmetric(values: Array) -> tuple[float, float, float]:
    """Shape and both scales of an asymmetric generalised Gaussian, by matching moments."""
    tiny = np.finfo(np.float64).tiny
    left = np.sqrt(np.mean(values[values < 0] ** 2)) if (values < 0).any() else tiny
    right = np.sqrt(np.mean(values[values > 0] ** 2)) if (values > 0).any() else tiny
    ratio = left / right
    moment = np.mean(np.abs(values)) ** 2 / max(np.mean(values**2), tiny)
    wanted = moment * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    shape = float(_SHAPES[min(np.searchsorted(_RATIOS, wanted), len(_SHAPES) - 1)])
    factor = float(np.sqrt(gamma(1 / shape) / gamma(3 / shape)))
    return shape, float(left) * factor, float(right) * factor
