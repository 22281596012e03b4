"""From stored bytes to arrays of a batch: decoded in place, cut, mirrored and turned as position and seed say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, cast

import imagecodecs
import numpy as np

from degradekit import codecs
from degradekit.errors import ShardError, StreamError
from degradekit.stream.order import Ints, words
from degradekit.types import Array, EncodedImage

if TYPE_CHECKING:
    from degradekit.source import Points

__all__ = ["Augment", "View", "decode_into", "place", "place_points", "views", "window"]


@dataclass(frozen=True, slots=True)
class Augment:
    """What is done to both images of a pair alike.

    Args:
        crop: Side of a random square of the GT in px, a multiple of the scale; None takes the whole image.
        flip: Mirror left and right with probability 1/2.
        rotate: Turn by 0, 90, 180 or 270 degrees, each as likely; the image or crop must be square.
        clip: Consecutive frames from a random start; None takes all.
    """

    crop: int | None = None
    flip: bool = False
    rotate: bool = False
    clip: int | None = None

    @property
    def idle(self) -> bool:
        """Whether every pair is taken as it is stored."""
        return self.crop is None and self.clip is None and not self.flip and not self.rotate


class View(NamedTuple):
    """The random numbers of one pair: fractions in [0, 1) of the room there is, and what is mirrored and turned."""

    y: float
    x: float
    t: float
    flip: bool
    turns: int


AS_STORED = View(0.0, 0.0, 0.0, False, 0)


def views(augment: Augment, positions: Ints, *, seed: int, epoch: int) -> list[View]:
    """The view of the pair at each position of an epoch; decided by (seed, epoch, position) and nothing else."""
    if augment.idle:
        return [AS_STORED] * len(positions)
    where = [words(positions, f"{seed}:{epoch}:{name}") >> np.uint64(11) for name in ("crop.y", "crop.x", "clip.t")]
    y, x, t = ((word * 2.0**-53).tolist() for word in where)
    mirror = words(positions, f"{seed}:{epoch}:mirror")
    flips = (mirror & np.uint64(augment.flip)).astype(bool).tolist()
    turns = (mirror >> np.uint64(1) & np.uint64(3 * augment.rotate)).tolist()
    return [View(*row) for row in zip(y, x, t, flips, turns, strict=True)]


def place(image: EncodedImage, out: Array | None, view: View, augment: Augment, *, side: int, unit: int) -> Array:
    """Decode an image and lay what its view shows of it into a slot of a batch.

    Args:
        image: As stored.
        out: The slot, ``[T, H, W, C]``; None makes one.
        view: From :func:`views`.
        augment: What the view is of.
        side: Side of the crop in px of this image; 0 takes the whole.
        unit: Pixels of this image for one of the LQ: the scale for a GT, 1 for an LQ. A crop begins at a multiple.

    Raises:
        ShardError: The bytes cannot be decoded.
        StreamError: The image is smaller than the crop or the clip, or of another shape than the slot.
    """
    if augment.idle and (out is None or (out.shape == image.shape and out.dtype == image.dtype)):
        out = np.empty(image.shape, image.dtype) if out is None else out
        decode_into(image, out)
        return out
    shown = _show(codecs.decode(image), view, augment, side, unit)
    if out is None:
        return np.ascontiguousarray(shown)
    if out.shape != shown.shape or out.dtype != shown.dtype:
        raise StreamError(
            f"a batch of images of {out.shape} {out.dtype} meets one of {shown.shape} {shown.dtype}: "
            "give crop= (of clips also clip=) so that all have one size, or batch_size=1; lq='device' needs GTs of one "
            "size."
        )
    np.copyto(out, shown)
    return out


def _show(clip: Array, view: View, augment: Augment, side: int, unit: int) -> Array:
    t, h, w, _ = clip.shape
    clip = clip[window((t, h, w), view, augment, side=side, unit=unit)]
    if view.flip:
        clip = clip[:, :, ::-1]
    return np.rot90(clip, view.turns, axes=(1, 2)) if view.turns else clip


def window(
    size: tuple[int, int, int], view: View, augment: Augment, *, side: int, unit: int
) -> tuple[slice, slice, slice]:
    """Frames, rows and columns of a clip that a view shows, before it mirrors and turns them.

    Args:
        size: Frames, height and width of the clip.
        view: From :func:`views`.
        augment: What the view is of.
        side: As in :func:`place`.
        unit: As in :func:`place`.

    Raises:
        StreamError: The clip is smaller than the crop, or shorter.
    """
    t, h, w = size
    frames, rows, columns = slice(None), slice(None), slice(None)
    if augment.clip is not None:
        if t < augment.clip:
            raise StreamError(f"clip={augment.clip} is longer than a stored clip of {t} frames; give {t} or less.")
        first = int(view.t * (t - augment.clip + 1))
        frames = slice(first, first + augment.clip)
    if side:
        if min(h, w) < side:
            raise StreamError(f"crop= takes {side}x{side} px of a stored image of {h}x{w} px; give a smaller crop.")
        y, x = _corner((h, w), view, side=side, unit=unit)
        rows, columns = slice(y, y + side), slice(x, x + side)
    return frames, rows, columns


def _corner(size: tuple[int, int], view: View, *, side: int, unit: int) -> tuple[int, int]:
    """Top and left of a crop; both images of a pair draw from as many places."""
    y, x = (int(at * ((room - side) // unit + 1)) * unit for at, room in zip((view.y, view.x), size, strict=True))
    return y, x


def place_points(points: Points, size: tuple[int, int], view: View, *, side: int, unit: int) -> Points:
    """Where landmarks lie in what a view shows of an image.

    Where it is mirrored, left and right landmarks change their names; a turn leaves them.

    Args:
        points: (x, y) in px of the stored image.
        size: Its height and width in px.
        view: What is shown.
        side: As in `place`.
        unit: As in `place`.

    Example:
        >>> place_points(((3.0, 4.0),), (12, 10), View(0.0, 0.99, 0.0, False, 1), side=8, unit=2)
        ((4.0, 6.0),)
    """
    h, w = size
    if side:
        y, x = _corner(size, view, side=side, unit=unit)
        points = tuple((at_x - x, at_y - y) for at_x, at_y in points)
        h, w = side, side
    if view.flip:
        from degradekit.source import mirrored  # loads pydantic, 0.4 s: only faces need it

        points = mirrored(tuple((w - 1 - x, y) for x, y in points))
    for _ in range(view.turns):
        points = tuple((y, w - 1 - x) for x, y in points)
        h, w = w, h
    return points


def decode_into(image: EncodedImage, out: Array) -> None:
    """Decode into an array of the recorded shape and dtype, without a copy where the codec can.

    Raises:
        ShardError: The bytes cannot be decoded, or decode to another shape or dtype than was recorded.
    """
    direct = _DIRECT.get(image.codec)
    if direct is None or not out.flags.c_contiguous:
        np.copyto(out, codecs.decode(image))
        return
    t, h, w, c = image.shape
    try:
        direct(cast(bytes, image.data), out.reshape((t * h, w) if c == 1 else (t * h, w, c)))
    except (ValueError, RuntimeError, OSError, MemoryError) as error:
        raise ShardError(f"a {image.codec} value of {len(image.data)} bytes cannot be decoded: {error}.") from error


def _delta_into(data: bytes, out: Array) -> None:
    from degradekit.delta import unpack  # loads numba: only this codec needs it

    unpack(data, out)


def _lz4_into(data: bytes, out: Array) -> None:
    if len(imagecodecs.lz4_decode(data, out=out.reshape(-1).view(np.uint8).data)) != out.nbytes:
        raise ValueError(f"it has not the {out.nbytes} bytes of its shape")


def _raw_into(data: bytes, out: Array) -> None:
    np.copyto(out, np.frombuffer(data, out.dtype.newbyteorder("<")).reshape(out.shape))


_DIRECT: dict[str, Callable[[bytes, Array], object]] = {
    "qoi": lambda data, out: imagecodecs.qoi_decode(data, out=out),
    "png": lambda data, out: imagecodecs.png_decode(data, out=out),
    "delta+zstd": _delta_into,
    "raw+lz4": _lz4_into,
    "raw": _raw_into,
}
"""Codecs that decode into an array that is there; a wrong shape is an error of theirs."""
