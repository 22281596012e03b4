"""From stored samples to opaque sRGB: embedded profiles, grey, CMYK, alpha.

Embedded ICC profiles are converted by Little CMS, relative colorimetric with black point compensation (what image
editors do by default: colours inside sRGB keep their appearance, others are clipped to its border). A profile that
moves no colour of a grid by more than one 8-bit level is sRGB under another name, and the samples stay as they are.
Gamma and chromaticity tags other than ICC profiles are ignored, as most viewers do.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import imagecodecs
import numpy as np

from degradekit.errors import SourceError
from degradekit.types import Array

__all__ = ["composite", "to_srgb", "unpremultiply"]

_SPACES = {b"GRAY": ("minisblack", 1), b"RGB ": ("rgb", 3), b"CMYK": ("cmyk", 4)}


def to_srgb(colour: Array, profile: bytes | None, *, uri: str = "image") -> Array:
    """Convert samples to sRGB.

    Args:
        colour: uint8 or uint16 ``[H, W, C]``: 1 grey, 3 RGB, or 4 CMYK where the largest value is full ink.
        profile: Embedded ICC profile; None for sRGB, its grey axis, or plain CMYK, (1 - ink)(1 - black).
        uri: What to call the image in errors.

    Returns:
        ``[H, W, 3]`` of the same dtype.

    Raises:
        SourceError: The profile is damaged or made for other colours than these.

    Example:
        >>> to_srgb(np.array([[[0, 255, 255, 0]]], np.uint8), None).tolist()
        [[[255, 0, 0]]]
    """
    channels = colour.shape[2]
    if profile:
        space = _SPACES.get(profile[16:20])
        if space and channels == 1 and space[1] == 3:
            colour, channels = np.repeat(colour, 3, axis=2), 3
        if space is None or space[1] != channels:
            raise SourceError(
                f"{uri}: the embedded colour profile is for {profile[16:20]!r}, the image has {channels} channels; "
                "set extract.icc to ignore, or correct the file"
            )
        try:
            if not _is_srgb(profile):
                return _convert(colour, profile)
        except RuntimeError as error:
            raise SourceError(
                f"{uri}: the embedded colour profile cannot be used ({error}); set extract.icc to ignore"
            ) from error
    if channels == 1:
        return np.repeat(colour, 3, axis=2)
    return _plain_cmyk(colour) if channels == 4 else colour


def _convert(colour: Array, profile: bytes) -> Array:
    name, channels = _SPACES[profile[16:20]]
    flags: int = imagecodecs.CMS.FLAGS.BLACKPOINTCOMPENSATION
    if colour.dtype == np.uint16 or channels != 3 or _has_table(profile):
        # The library's shortcut is a table of 33 nodes an axis, off by up to 19 8-bit levels at the border of sRGB;
        # exact evaluation is within 0.5 and takes 0.3 instead of 0.2 s a megapixel. Only for 8-bit RGB of plain curves
        # and a matrix, the usual case, it has another, within 0.9 (0.013 s).
        flags |= imagecodecs.CMS.FLAGS.NOOPTIMIZE
    converted: Array = imagecodecs.cms_transform(
        np.ascontiguousarray(colour[..., 0] if channels == 1 else colour),
        profile,
        _srgb_profile(),
        colorspace=name,
        outcolorspace="rgb",
        intent=imagecodecs.CMS.INTENT.RELATIVE_COLORIMETRIC,
        flags=flags,
    )
    converted = converted.reshape(*colour.shape[:2], 3)
    # Rounding may move the channels of a grey pixel apart by 1 of 65535.
    return np.repeat(converted[..., 1:2], 3, axis=2) if channels == 1 else converted


def _has_table(profile: bytes) -> bool:
    count = int.from_bytes(profile[128:132], "big")
    return any(profile[at : at + 3] == b"A2B" for at in range(132, 132 + 12 * min(count, 100), 12))


@lru_cache(maxsize=1)
def _srgb_profile() -> bytes:
    # Cached because it is asked for with every image that has a profile.
    return bytes(imagecodecs.cms_profile("srgb"))


@lru_cache(maxsize=64)
def _is_srgb(profile: bytes) -> bool:
    # Cached because the images of a source share a handful of profiles; the check converts 4913 colours.
    if profile[16:20] == b"CMYK":
        return False
    axis = np.linspace(0, 255, 17).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(1, -1, 3)
    if profile[16:20] == b"GRAY":
        grid = np.arange(256, dtype=np.uint8).reshape(1, -1, 1)
    return bool(np.abs(_convert(grid, profile).astype(np.int16) - grid).max() <= 1)


def _plain_cmyk(ink: Array) -> Array:
    full = np.iinfo(ink.dtype).max
    white = (full - ink).astype(np.uint32)
    light: Array = (white[..., :3] * white[..., 3:] + full // 2) // full
    return light.astype(ink.dtype)


def composite(rgb: Array, alpha: Array, policy: Literal["white", "black", "drop", "refuse"], *, uri: str) -> Array:
    """Make an image opaque; sRGB-encoded values are mixed, as browsers and editors do.

    Args:
        rgb: uint8 or uint16 ``[H, W, 3]``, not multiplied by alpha.
        alpha: ``[H, W]`` of the same dtype; larger is more opaque.
        policy: ``white`` or ``black`` behind the image, ``drop`` alpha, or ``refuse`` an image that is transparent
            anywhere. Alpha that is fully opaque is dropped in any case.
        uri: What to call the image in errors.

    Raises:
        SourceError: The policy is ``refuse`` and a pixel is transparent.

    Example:
        >>> half = np.full((1, 1), 128, np.uint8)
        >>> composite(np.zeros((1, 1, 3), np.uint8), half, "white", uri="dot.png").tolist()
        [[[127, 127, 127]]]
    """
    full = int(np.iinfo(rgb.dtype).max)
    if policy == "drop" or int(alpha.min()) == full:
        return rgb
    if policy == "refuse":
        share = float((alpha != full).mean())
        raise SourceError(
            f"{uri}: {share:.1%} of the pixels are transparent; set extract.alpha to white, black or drop, "
            "or remove the file"
        )
    opacity = alpha[..., None].astype(np.uint32)
    behind = np.uint32(full if policy == "white" else 0)
    mixed: Array = (rgb * opacity + behind * (full - opacity) + full // 2) // full
    return mixed.astype(rgb.dtype)


def unpremultiply(colour: Array, alpha: Array) -> Array:
    """Divide colour by alpha, to nearest; where alpha is 0 the colour is 0.

    Example:
        >>> unpremultiply(np.array([[[64]]], np.uint8), np.array([[128]], np.uint8)).tolist()
        [[[128]]]
    """
    full = int(np.iinfo(colour.dtype).max)
    opacity = np.maximum(alpha, 1)[..., None].astype(np.uint32)
    straight: Array = np.minimum((colour * np.uint32(full) + opacity // 2) // opacity, full)
    return np.where(alpha[..., None] == 0, 0, straight).astype(colour.dtype)
