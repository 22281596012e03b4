"""How a stored image is encoded: lossless codecs behind one table, each declaring what it can hold.

A clip ``[T, H, W, C]`` is encoded as one tall image of its frames, ``[T * H, W, C]``. The codec that was asked for is
used where it can hold the image and its declared fallback where it cannot (QOI stores 8-bit RGB only, so 16-bit and
grey images go to PNG); the codec really used is part of every ``EncodedImage``, so nothing is ever guessed when
reading. Damaged bytes may decode to a wrong picture without any error (WebP, QOI), which is why every stored value
carries its ``checksum`` and readers verify it before they decode. How the default was chosen: ``docs/codecs.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

import imagecodecs
import numpy as np
import xxhash

from degradekit.errors import ShardError
from degradekit.types import Array, EncodedImage

__all__ = ["CODECS", "DEFAULT_CODEC", "Buffer", "Codec", "checksum", "decode", "encode", "resolve"]

Buffer: TypeAlias = bytes | memoryview
Depth: TypeAlias = Literal["uint8", "uint16"]

PNG_FAST_FILTERS = 0x08 | 0x10 | 0x20
"""libpng's NONE, SUB and UP: two thirds of the time of all five filters for 4 % more bytes on photographs."""


def _png_encode(image: Array) -> bytes:
    return bytes(imagecodecs.png_encode(image, level=1, strategy=3, filter=PNG_FAST_FILTERS))


def _png_decode(data: bytes, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Array:
    return imagecodecs.png_decode(data)


def _qoi_encode(image: Array) -> bytes:
    return bytes(imagecodecs.qoi_encode(image))


def _qoi_decode(data: bytes, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Array:
    return imagecodecs.qoi_decode(data)


def _webp_encode(image: Array) -> bytes:
    return bytes(imagecodecs.webp_encode(image, level=0, lossless=True, method=0))


def _webp_decode(data: bytes, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Array:
    return imagecodecs.webp_decode(data, hasalpha=False)


def _jxl_encode(image: Array) -> bytes:
    return bytes(imagecodecs.jpegxl_encode(image, effort=1, lossless=True, numthreads=1))


def _jxl_decode(data: bytes, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Array:
    return imagecodecs.jpegxl_decode(data, numthreads=1)


def _lz4_encode(image: Array) -> bytes:
    return bytes(imagecodecs.lz4_encode(_raw_encode(image)))


def _lz4_decode(data: bytes, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Array:
    out = bytearray(int(np.prod(shape)) * dtype.itemsize)
    return np.frombuffer(imagecodecs.lz4_decode(data, out=out), dtype).reshape(shape)


def _delta_encode(image: Array) -> bytes:
    from degradekit.delta import pack  # loads numba: 0.3 s that only this codec needs

    return pack(image)


def _delta_decode(data: bytes, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Array:
    from degradekit.delta import unpack

    out = np.empty(shape, np.uint8)
    unpack(data, out)
    return out


def _raw_encode(image: Array) -> bytes:
    return image.astype(image.dtype.newbyteorder("<"), copy=False).tobytes()


def _raw_decode(data: bytes, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Array:
    return np.frombuffer(data, dtype).reshape(shape).copy()


@dataclass(frozen=True, slots=True)
class Codec:
    """One lossless way to store an image, and what it can hold.

    Args:
        encode: Contiguous ``[H, W, C]`` (``[H, W]`` when grey) to bytes.
        decode: Bytes, shape and little-endian dtype to an array; may raise anything on damaged bytes.
        dtypes: Sample types it holds.
        channels: Channel counts it holds; empty means any.
        max_side: Largest height or width in px; 0 means no limit.
        fallback: Codec for what this one cannot hold; ``raw+lz4`` ends every chain.
    """

    encode: Callable[[Array], bytes]
    decode: Callable[[bytes, tuple[int, ...], np.dtype[np.generic]], Array]
    dtypes: tuple[Depth, ...] = ("uint8", "uint16")
    channels: tuple[int, ...] = (1, 3)
    max_side: int = 0
    fallback: str = "raw+lz4"

    def holds(self, shape: tuple[int, int, int, int], dtype: str) -> bool:
        """Whether a clip of this shape and dtype can be stored with this codec."""
        t, h, w, c = shape
        fits = not self.max_side or max(t * h, w) <= self.max_side
        return fits and dtype in self.dtypes and (not self.channels or c in self.channels)


CODECS: dict[str, Codec] = {
    "qoi": Codec(_qoi_encode, _qoi_decode, dtypes=("uint8",), channels=(3,), max_side=20_000, fallback="png"),
    "png": Codec(_png_encode, _png_decode, max_side=1_000_000),
    "webp": Codec(_webp_encode, _webp_decode, dtypes=("uint8",), channels=(3,), max_side=16_383, fallback="png"),
    "jxl": Codec(_jxl_encode, _jxl_decode, max_side=1_000_000, fallback="png"),
    "delta+zstd": Codec(_delta_encode, _delta_decode, dtypes=("uint8",), channels=(3,), fallback="png"),
    "raw+lz4": Codec(_lz4_encode, _lz4_decode, channels=()),
    "raw": Codec(_raw_encode, _raw_decode, channels=()),
}
"""Every codec by the name a recipe or a command line uses; QOI's and PNG's sides are their libraries' limits."""

DEFAULT_CODEC = "delta+zstd"
"""A fifth smaller than QOI, decoded in half its time and encoded no slower: see ``docs/codecs.md``."""


def checksum(data: Buffer) -> int:
    """The 64-bit xxh3 of a stored value, kept beside it and verified on every read.

    Example:
        >>> f"{checksum(b'degrade'):016x}"
        '6ab325ad06df668d'
    """
    return xxhash.xxh3_64_intdigest(data)


def resolve(codec: str, shape: tuple[int, int, int, int], dtype: str) -> str:
    """The codec that will really store such a clip: the one asked for, or the first fallback that can hold it.

    Args:
        codec: Name in ``CODECS``.
        shape: (T, H, W, C).
        dtype: ``"uint8"`` or ``"uint16"``.

    Raises:
        ShardError: The name is unknown, or no codec holds such an image.

    Example:
        >>> resolve("qoi", (1, 64, 64, 3), "uint8"), resolve("qoi", (1, 64, 64, 1), "uint8")
        ('qoi', 'png')
    """
    if codec not in CODECS:
        raise ShardError(f"codec {codec!r} is unknown; choose one of {', '.join(CODECS)}.")
    if dtype not in ("uint8", "uint16") or len(shape) != 4 or min(shape) < 1:
        raise ShardError(f"a clip of shape {shape}, {dtype} cannot be stored: give [T, H, W, C] uint8 or uint16.")
    name = codec
    while not CODECS[name].holds(shape, dtype):
        name = CODECS[name].fallback
    return name


def encode(clip: Array, codec: str = DEFAULT_CODEC) -> EncodedImage:
    """Encode a clip without loss, as one tall image of its frames.

    Args:
        clip: ``[T, H, W, C]`` uint8 or uint16, RGB or grey.
        codec: Name in ``CODECS``; where it cannot hold the clip its fallback is used and recorded.

    Raises:
        ShardError: The codec is unknown, or the array is not a clip that can be stored.

    Example:
        >>> import numpy as np
        >>> clip = np.zeros((2, 8, 6, 3), np.uint8)
        >>> stored = encode(clip, "png")
        >>> stored.codec, stored.shape, bool((decode(stored) == clip).all())
        ('png', (2, 8, 6, 3), True)
    """
    shape = cast(tuple[int, int, int, int], tuple(clip.shape))
    name = resolve(codec, shape, clip.dtype.name)
    data = CODECS[name].encode(np.ascontiguousarray(clip).reshape(_tall(shape)))
    return EncodedImage(data, name, shape, cast(Depth, clip.dtype.name))


def decode(image: EncodedImage) -> Array:
    """Decode a stored image to ``[T, H, W, C]``: a fresh, writable, contiguous array.

    Raises:
        ShardError: The bytes cannot be decoded, or decode to another shape or dtype than was recorded.
    """
    if image.codec not in CODECS:
        raise ShardError(f"the stored codec {image.codec!r} is unknown to this version; it knows {', '.join(CODECS)}.")
    expected = _tall(image.shape)
    data = cast(bytes, image.data)  # every decoder takes a memoryview; imagecodecs' annotations do not say so
    try:
        pixels = CODECS[image.codec].decode(data, expected, np.dtype(image.dtype).newbyteorder("<"))
    except (ValueError, RuntimeError, OSError, MemoryError) as error:
        raise ShardError(f"a {image.codec} value of {len(image.data)} bytes cannot be decoded: {error}.") from error
    if pixels.shape != expected or pixels.dtype.name != image.dtype:
        found, wanted = f"{pixels.shape} {pixels.dtype}", f"{expected} {image.dtype}"
        raise ShardError(f"a {image.codec} value decodes to {found}, but {wanted} was recorded: the value is damaged.")
    return pixels.reshape(image.shape)


def _tall(shape: tuple[int, int, int, int]) -> tuple[int, ...]:
    t, h, w, c = shape
    return (t * h, w) if c == 1 else (t * h, w, c)
