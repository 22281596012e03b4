"""Blur with measured kernels: those of real photographs, estimated by others and read from files."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np

from degradekit.ops.base import Draw, Op
from degradekit.ops.convolve import convolve
from degradekit.ops.kernels import effective_sigma
from degradekit.ops.pool import ARRAY_SUFFIXES, Pool, PoolOf, pack, read_arrays, unpack
from degradekit.rng import Draws
from degradekit.types import Array, FloatImage, Geometry

__all__ = ["KernelPool", "KernelPoolDraw", "centred", "read_kernels"]

LARGEST = 101
"""Largest side of a kernel in px."""
TOP = 32767
"""Level of the largest weight of a kernel."""


def read_kernels(path: Path) -> list[Array]:
    """Read the kernels of a pool.

    Args:
        path: A ``.npy``, ``.npz`` or grey PNG file, or a folder of them.

    Returns:
        int16 ``[size, size]`` each, odd sides, centred.

    Raises:
        ValueError: A file cannot be read or holds no kernel.
    """
    files = sorted(file for file in path.iterdir() if _is_one(file)) if path.is_dir() else [path]
    return [_levels(kernel, name) for file in files for name, kernel in _kernels(file)]


def centred(kernel: Array) -> Array:
    """Move a kernel so that its centre of gravity is the middle pixel, by bilinear shares.

    Args:
        kernel: ``[ky, kx]`` of any sides, with a sum above 0.

    Returns:
        float64 ``[size, size]``, odd, unit sum.

    Example:
        >>> centred(np.ones((2, 2))).round(4).tolist()
        [[0.0625, 0.125, 0.0625], [0.125, 0.25, 0.125], [0.0625, 0.125, 0.0625]]
    """
    weights = np.asarray(kernel, np.float64) / np.sum(kernel, dtype=np.float64)
    rows, columns = (np.arange(side) for side in weights.shape)
    # Rounded, so that a kernel that is centred but for the noise of its sum stays as it is.
    y = np.round(rows - weights.sum(axis=1) @ rows, 6)
    x = np.round(columns - weights.sum(axis=0) @ columns, 6)
    reach = math.ceil(max(np.abs(y).max(), np.abs(x).max()))
    size = 2 * reach + 1
    out = np.zeros((size + 1, size + 1))  # one more, for the neighbours of the last pixel
    top, left = np.floor(y).astype(np.int64), np.floor(x).astype(np.int64)
    for below, share_y in ((0, 1 - (y - top)), (1, y - top)):
        for right, share_x in ((0, 1 - (x - left)), (1, x - left)):
            out[np.ix_(top + reach + below, left + reach + right)] += share_y[:, None] * share_x[None, :] * weights
    return out[:-1, :-1]


def _is_one(file: Path) -> bool:
    return file.suffix.lower() in (*ARRAY_SUFFIXES, ".png") and not file.name.startswith(".")


def _kernels(file: Path) -> Iterator[tuple[str, Array]]:
    """The kernels of one file, each with a name for errors."""
    if file.suffix.lower() == ".png":
        from degradekit.source.image import read_image  # loads the decoders: only pools of pictures pay

        picture = read_image(str(file))
        if (picture != picture[..., :1]).any():
            raise ValueError(f"{file} is a picture in colour; a kernel is a grey PNG")
        yield str(file), picture[..., 0]
        return
    if file.suffix.lower() not in ARRAY_SUFFIXES:
        raise ValueError(f"{file} is no pool of kernels: give .npy, .npz or .png, or a folder of them")
    for name, array in read_arrays(file):
        where = str(file.with_name(name))
        if array.ndim not in (2, 3) or array.dtype.kind not in "fiu":
            raise ValueError(f"{where} is {array.dtype} {array.shape}; kernels are numbers [k, k] or [n, k, k]")
        for i, kernel in enumerate(array if array.ndim == 3 else array[None]):
            yield f"{where}[{i}]", kernel


def _levels(kernel: Array, where: str) -> Array:
    """A kernel as it is kept: centred, int16, without rings of nothing around it."""
    if not kernel.size or max(kernel.shape) > LARGEST:
        raise ValueError(f"{where} has {kernel.shape} px; a kernel has sides of 1 to {LARGEST}")
    total = float(np.sum(kernel, dtype=np.float64))
    if not (math.isfinite(total) and total > 1e-3 * float(np.abs(kernel).sum(dtype=np.float64))):
        raise ValueError(f"{where} has the sum {total:g}; a kernel is finite and has a positive sum")
    weights = centred(kernel)
    levels = np.rint(weights * (TOP / np.abs(weights).max())).astype(np.int16)
    while len(levels) > 1 and not (levels[[0, -1]].any() or levels[:, [0, -1]].any()):
        levels = levels[1:-1, 1:-1]
    return np.ascontiguousarray(levels)


def _weights(levels: Array) -> Array:
    weights: Array = levels / levels.sum(dtype=np.float64)
    return weights


@dataclass(frozen=True, slots=True)
class KernelPoolDraw(Draw):
    """A convolution with one kernel, which the plan holds.

    Args:
        index: Place of the kernel in its pool.
        size: Side in px, odd.
        width: Effective sigma in px, see :func:`degradekit.ops.kernels.effective_sigma`.
        kernel: Its weights as int16 in units of their sum, row by row, packed by :func:`degradekit.ops.pool.pack`.
    """

    name: ClassVar[str] = "kernel_pool"
    unlisted: ClassVar[frozenset[str]] = frozenset({"kernel"})

    index: int
    size: int
    width: float
    kernel: str

    def apply(self, x: FloatImage) -> FloatImage:
        """Convolve every channel."""
        # Turned by half a circle: ``convolve`` correlates.
        return convolve(x, _weights(unpack(self.kernel, np.int16, (self.size, self.size)))[::-1, ::-1])


class KernelPool(Op):
    """Blurs with a kernel from a pool, as those estimated from the very photographs that a network is to restore.

    A kernel is moved so that its centre of gravity is the middle pixel (estimators leave it up to some px off), which
    keeps LQ and GT aligned; its weights are rounded to 1/32767 of the largest one, and its sum is made 1. The plan
    holds the kernel itself, 1.2 kB for 21x21 px, so a replay needs no pool.

    Args:
        kernels: Path relative to the recipe's folder, or ``{path: ..., digest: ...}`` to pin the content: a ``.npy`` or
            ``.npz`` file with arrays ``[k, k]`` or ``[n, k, k]``, a grey PNG, or a folder of these, in the order of
            their names. Every kernel is equally likely. Sides up to 101 px, even ones too; negative weights are kept.
            Workers read the same path.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``, one kernel for a clip; borders continue by reflection.

    Range: float32, as encoded (not in linear light); kernels with negative weights overshoot.

    Source: R. Zhou, S. Susstrunk, "Kernel Modeling Super-Resolution on Real Low-Resolution Images", ICCV 2019, and
    X. Ji et al., "Real-World Super-Resolution via Kernel Estimation and Noise Injection", CVPRW 2020, for pools; S.
    Bell-Kligler, A. Shocher, M. Irani, "Blind Super-Resolution Kernel Estimation using an Internal-GAN", 2019,
    arXiv:1909.06581, for kernels to fill them with, and for centring them.

    Example:
        >>> import tempfile
        >>> from degradekit.rng import Draws, sample_key
        >>> file = Path(tempfile.mkdtemp()) / "kernels.npy"
        >>> np.save(file, np.ones((1, 3, 3)))
        >>> op = KernelPool.model_validate({"kernels": str(file)})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "blur"), Geometry(1, 64, 64))
        >>> draw.size, round(draw.width, 3)
        (3, 0.816)
        >>> x = np.random.default_rng(0).random((1, 64, 64, 3), np.float32)
        >>> y = draw.apply(x)
        >>> bool(abs(y[0, 5, 5] - x[0, 4:7, 4:7].mean(axis=(0, 1))).max() < 1e-3)
        True
        >>> bool((KernelPoolDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "kernel_pool"
    draws: ClassVar[type[Draw]] = KernelPoolDraw

    kernels: Annotated[Pool, PoolOf(read_kernels)]

    def draw(self, u: Draws, g: Geometry) -> KernelPoolDraw:
        """Choose the kernel."""
        index = u.integer("index", len(self.kernels.members))
        levels = self.kernels.members[index]
        width = float(f"{effective_sigma(_weights(levels)):.7g}")
        return KernelPoolDraw(index, len(levels), width, pack(levels))
