"""Writers of small files, with every field in the test's hand, and a place to put them."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def write_png(rows, *, width, bits, colour, before=(), after=()) -> bytes:
    """A PNG of packed rows [H, bytes]; ``before`` and ``after`` the pixels come (name, data) chunks."""
    rows = np.ascontiguousarray(rows)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, rows.shape[0], bits, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), *before, (b"IDAT", zlib.compress(raw)), *after, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


def write_tiff(samples, *, order="<", photometric=2, planar=1, deflate=False, tags=()) -> bytes:
    """A TIFF 6.0 of [H, W, N] samples in strips of three rows; ``tags`` are (number, SHORT values)."""
    h, w, n = samples.shape
    stored = samples.astype(samples.dtype.newbyteorder(order))
    planes = [stored] if planar == 1 else [stored[..., c] for c in range(n)]
    strips = [np.ascontiguousarray(plane[y : y + 3]).tobytes() for plane in planes for y in range(0, h, 3)]
    strips = [zlib.compress(strip) for strip in strips] if deflate else strips
    kind = {"u": 1, "i": 2, "f": 3}[samples.dtype.kind]
    shorts = {256: [w], 257: [h], 258: [8 * samples.dtype.itemsize] * n, 259: [8 if deflate else 1]}
    shorts |= {262: [photometric], 277: [n], 278: [3], 284: [planar], 339: [kind] * n} | dict(tags)
    entries = dict.fromkeys([*shorts, 273, 279])
    data = 8 + 2 + 12 * len(entries) + 4
    extra = b""
    packed = {
        number: (3, len(values), struct.pack(f"{order}{len(values)}H", *values)) for number, values in shorts.items()
    }
    sizes = [len(strip) for strip in strips]
    longs = 4 * len(strips) if len(strips) > 1 else 0
    spill = sum(len(value) for _, _, value in packed.values() if len(value) > 4)
    first = data + spill + 2 * longs
    offsets = [first + sum(sizes[:i]) for i in range(len(sizes))]
    packed[273] = (4, len(strips), struct.pack(f"{order}{len(strips)}I", *offsets))
    packed[279] = (4, len(strips), struct.pack(f"{order}{len(strips)}I", *sizes))
    directory = struct.pack(f"{order}H", len(packed))
    for number in sorted(packed):
        field, count, value = packed[number]
        if len(value) > 4:
            extra += value
            value = struct.pack(f"{order}I", data + len(extra) - len(value))
        directory += struct.pack(f"{order}HHI", number, field, count) + value.ljust(4, b"\0")
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)
    return head + directory + bytes(4) + extra + b"".join(strips)


def write_pillow(image, form: str, **options) -> bytes:
    """What Pillow writes for an array or one of its images."""
    buffer = io.BytesIO()
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    picture.save(buffer, format=form, **options)
    return buffer.getvalue()


def with_orientation(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.fixture
def save(tmp_path) -> Callable[..., str]:
    """Write bytes under a name in a fresh folder and return the path."""

    def write(data: bytes, name: str = "image") -> str:
        path = Path(tmp_path, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return str(path)

    return write


@pytest.fixture
def photo() -> np.ndarray:
    """A smooth coloured 37 x 52 image with some texture, so that JPEG does not mangle it."""
    y, x = np.mgrid[0:37, 0:52] / 52
    waves = [0.5 + 0.4 * np.sin(5 * x + 3 * y + phase) * np.cos(2 * y * (phase + 1)) for phase in range(3)]
    noise = np.random.default_rng(7).normal(0, 0.02, (37, 52, 3))
    return np.clip((np.stack(waves, axis=-1) + noise) * 255, 0, 255).astype(np.uint8)


@pytest.fixture
def files():
    """The writers of this file."""

    class Files:
        png = staticmethod(write_png)
        chunk = staticmethod(png_chunk)
        tiff = staticmethod(write_tiff)
        pillow = staticmethod(write_pillow)
        exif = staticmethod(with_orientation)

    return Files
