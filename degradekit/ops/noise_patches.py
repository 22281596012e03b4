"""Noise of real photographs: flat patches are harvested, and what varies in them is added to other pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np

from degradekit.dist import Const, Dist, Within
from degradekit.errors import OpError
from degradekit.fields import uniform_field
from degradekit.ops.base import Draw, Op, at_frame
from degradekit.ops.pool import ARRAY_SUFFIXES, Pool, PoolOf, pack, read_arrays, unpack
from degradekit.rng import Draws
from degradekit.types import Array, FloatImage, Geometry, Series

__all__ = ["NoisePatches", "NoisePatchesDraw", "flat_patches", "harvest_noise", "read_patches"]

SIZE, PER_IMAGE = 64, 16
BLOCKS = 4
"""A patch is judged by 4x4 blocks of it."""
LEAST = 0.5
"""Standard deviation in levels below which a patch holds no noise but that of rounding."""


def harvest_noise(source: str | Path, *, size: int = SIZE, per_image: int = PER_IMAGE) -> Array:
    """Collect flat patches of photographs, whose noise the op ``noise_patches`` adds to other pictures.

    Args:
        source: See :func:`degradekit.source.list_images`.
        size: Side of a patch in px, a multiple of 4; larger patches repeat less, and are rarer.
        per_image: Patches of a photograph at most, the most even ones.

    Returns:
        uint8 ``[n, size, size, 3]``; ``numpy.save`` makes a pool of it.

    Raises:
        SourceError: There are no images, or one cannot be read.
    """
    from degradekit.source import list_images, read_image  # loads the decoders: only harvests pay

    found = [np.empty((0, size, size, 3), np.uint8)]
    for image in list_images(source).images:
        picture = read_image(image.uri)
        if picture.dtype == np.uint16:
            picture = ((picture.astype(np.uint32) + 128) // 257).astype(np.uint8)
        places = flat_patches(picture, size=size)[:per_image]
        found += [picture[None, y : y + size, x : x + size] for y, x in places]
    return np.concatenate(found)


def flat_patches(picture: Array, *, size: int = SIZE) -> list[tuple[int, int]]:
    """Places of patches that show nothing but noise, the most even one first; none overlaps another.

    A patch is flat where each of 4x4 blocks of it has a mean within 10 % of the patch's and a variance within 50 % of
    the mean variance of the blocks, both of the luma; where its noise has a standard deviation of half a level at
    least; and where no sample is 0 or 255, which cut noise off.

    Args:
        picture: uint8 ``[H, W, 3]``.
        size: Side in px, a multiple of 4.

    Returns:
        (row, column) of the top left corners.

    Source: J. Chen, J. Chen, H. Chao, M. Yang, "Image Blind Denoising with Generative Adversarial Network Based Noise
    Modeling", CVPR 2018, section 3.2; there the variance may be off by 25 %, which the correlated noise of photographs
    that were compressed seldom keeps.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> picture = np.zeros((80, 200, 3), np.uint8)
        >>> picture[:, 100:] = rng.normal(120, 5, (80, 100, 3))
        >>> flat_patches(picture)
        [(0, 112)]
    """
    if size < BLOCKS or size % BLOCKS:
        raise ValueError(f"a patch of {size} px has no 4x4 blocks; its side is a multiple of 4")
    side = size // BLOCKS
    h, w = (n // side for n in picture.shape[:2])
    if min(h, w) < BLOCKS:
        return []
    blocks = picture[: h * side, : w * side].reshape(h, side, w, side, 3)
    cut = ((blocks == 0) | (blocks == 255)).any(axis=(1, 3, 4))
    luma = blocks @ np.array([0.299, 0.587, 0.114])
    mean, variance = luma.mean(axis=(1, 3)), luma.var(axis=(1, 3))
    # [rows, columns, 4, 4]: the blocks of the patch that begins at a block
    means, variances, cuts = (np.lib.stride_tricks.sliding_window_view(a, (BLOCKS,) * 2) for a in (mean, variance, cut))
    centre, spread = means.mean(axis=(2, 3)), variances.mean(axis=(2, 3))
    uneven = np.abs(variances - spread[..., None, None]).max(axis=(2, 3)) / np.maximum(spread, 1e-9)
    sloping = np.abs(means - centre[..., None, None]).max(axis=(2, 3)) / np.maximum(centre, 1e-9)
    flat = (uneven <= 0.5) & (sloping <= 0.1) & (spread >= LEAST**2) & ~cuts.any(axis=(2, 3))
    rows, columns = np.nonzero(flat)
    chosen: list[tuple[int, int]] = []
    for i in np.argsort(uneven[rows, columns], kind="stable"):
        y, x = int(rows[i]), int(columns[i])
        if all(max(abs(y - b), abs(x - a)) >= BLOCKS for b, a in chosen):
            chosen.append((y, x))
    return [(y * side, x * side) for y, x in chosen]


def read_patches(path: Path) -> list[Array]:
    """Read the patches of a pool.

    Args:
        path: A ``.npy`` or ``.npz`` file with arrays uint8 ``[n, h, w, 3]``, or a folder of photographs, which is
            harvested.

    Returns:
        uint8 ``[h, w, 3]`` each.

    Raises:
        ValueError: The file cannot be read or holds no patches, or no photograph has a flat place.
        SourceError: A photograph cannot be read.
    """
    if path.is_dir():
        patches = list(harvest_noise(path))
        if not patches:
            raise ValueError(f"no photograph in {path} has a flat and noisy place of {SIZE}x{SIZE} px; take others")
        return patches
    if path.suffix.lower() not in ARRAY_SUFFIXES:
        raise ValueError(f"{path} is no pool of noise: give .npy, .npz or a folder of photographs")
    return list(_patches(path))


def _patches(path: Path) -> Iterator[Array]:
    for name, array in read_arrays(path):
        patches = array[None] if array.ndim == 3 else array
        if patches.ndim != 4 or patches.dtype != np.uint8 or patches.shape[3] != 3 or min(patches.shape[1:3]) < 2:
            where = path.with_name(name)
            raise ValueError(
                f"{where} is {array.dtype} {array.shape}; patches are uint8 [n, h, w, 3] with h, w above 1"
            )
        yield from patches


@dataclass(frozen=True, slots=True)
class NoisePatchesDraw(Draw):
    """The noise of one patch, which the plan holds.

    Args:
        index: Place of the patch in its pool.
        strength: Factor of its noise, for the clip or for each frame.
        h: Height of the patch in px.
        w: Width of the patch in px.
        patch: Its samples, uint8 ``[h, w, 3]``, packed by :func:`degradekit.ops.pool.pack`.
        field: Name of the uniform field that says which part of the noise a frame shows.
    """

    name: ClassVar[str] = "noise_patches"
    unlisted: ClassVar[frozenset[str]] = frozenset({"h", "w", "patch", "field"})

    index: int
    strength: Series
    h: int
    w: int
    patch: str
    field: str

    def apply(self, x: FloatImage) -> FloatImage:
        """Add the noise to every frame and clip to [0, 1].

        Raises:
            OpError: The clip is not RGB.
        """
        t, h, w, channels = x.shape
        if channels != 3:
            raise OpError(f"noise_patches: the noise is RGB, the clip has {channels} channels; convert it before")
        noise = _noise(unpack(self.patch, np.uint8, (self.h, self.w, 3)))
        offsets = uniform_field(self.field, 2 * t).reshape(t, 2)
        out = np.empty_like(x)
        for i in range(t):
            rows, columns = (
                _mirrored(n, int(part * 2 * (side - 1)), side)
                for n, part, side in zip((h, w), offsets[i], (self.h, self.w), strict=True)
            )
            np.multiply(noise[rows[:, None], columns[None, :]], np.float32(at_frame(self.strength, i)), out=out[i])
            out[i] += x[i]
        return np.clip(out, 0, 1, out=out)


class NoisePatches(Op):
    """Adds the noise of a patch that was cut out of a real photograph, with its colours and its grain.

    What a patch shows besides noise, its mean and its slope, is taken off. Beyond its borders the noise goes on by
    reflection, from a random place in every frame; patches as large as the LQ show no repetition. The plan holds the
    patch itself, 16 kB for 64x64 px, so a replay needs no pool.

    Args:
        patches: Path relative to the recipe's folder, or ``{path: ..., digest: ...}`` to pin the content: a ``.npy`` or
            ``.npz`` file with arrays uint8 ``[n, h, w, 3]``, as :func:`harvest_noise` makes them, or a folder of
            photographs, which is harvested each time that the recipe is loaded. Every patch is equally likely. Workers
            read the same path.
        strength_range: Factor of the noise, 0 to 4; larger is noisier, 1 as in the photograph.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``, C = 3; the frames of a clip show parts of one patch.

    Range: float32 sRGB in [0, 1]; saturates.

    Source: X. Ji et al., "Real-World Super-Resolution via Kernel Estimation and Noise Injection", CVPRW 2020, section
    3.2; differs in taking off the slope as well as the mean, which would show as a pattern of saw teeth.

    Example:
        >>> import tempfile
        >>> from degradekit.rng import Draws, sample_key
        >>> file = Path(tempfile.mkdtemp()) / "noise.npy"
        >>> np.save(file, np.random.default_rng(0).normal(90, 5, (1, 64, 64, 3)).round().astype(np.uint8))
        >>> op = NoisePatches.model_validate({"patches": str(file)})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "noise"), Geometry(1, 64, 64))
        >>> x = np.full((1, 64, 64, 3), 0.5, np.float32)
        >>> y = draw.apply(x)
        >>> bool(abs(y.std() * 255 - 5) < 0.2)
        True
        >>> bool((NoisePatchesDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "noise_patches"
    draws: ClassVar[type[Draw]] = NoisePatchesDraw

    patches: Annotated[Pool, PoolOf(read_patches)]
    strength_range: Annotated[Dist, Within(0, 4)] = Const(1.0)

    def draw(self, u: Draws, g: Geometry) -> NoisePatchesDraw:
        """Choose the patch and the strength."""
        index = u.integer("index", len(self.patches.members))
        patch = self.patches.members[index]
        strength = self.strength_range.draw(u, "strength", g.t)
        return NoisePatchesDraw(index, strength, patch.shape[0], patch.shape[1], pack(patch), u.field("place"))


def _noise(patch: Array) -> FloatImage:
    """The patch without the plane that fits it best, float32 in units of the whole range."""
    y, x = (np.arange(side) - (side - 1) / 2 for side in patch.shape[:2])
    plain = patch.astype(np.float64)
    plain -= plain.mean(axis=(0, 1))
    down = np.tensordot(y, plain.mean(axis=1), 1) / (y @ y)
    right = np.tensordot(x, plain.mean(axis=0), 1) / (x @ x)
    plain -= y[:, None, None] * down + x[None, :, None] * right
    return (plain / 255).astype(np.float32)


def _mirrored(count: int, first: int, n: int) -> Array:
    """Indices of ``count`` samples from ``first`` on, where n samples go on by reflection."""
    period = 2 * (n - 1)
    at = np.arange(first, first + count) % period
    return np.minimum(at, period - at)
