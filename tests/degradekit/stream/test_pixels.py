from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from degradekit import codecs
from degradekit.errors import ShardError, StreamError
from degradekit.stream import Batch, PairStream
from degradekit.stream.pixels import decode_into
from degradekit.types import EncodedImage

from .conftest import lq_pixels


def by_index(stream: PairStream) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    return {
        index: (batch["gt"][at], batch["lq"][at])
        for batch in stream
        for at, index in enumerate(batch["index"].tolist())
    }


@pytest.mark.parametrize(
    "options", [{"crop": 8}, {"flip": True}, {"rotate": True}, {"crop": 8, "flip": True, "rotate": True}]
)
def test_both_images_of_a_pair_are_looked_at_alike(make_set: Callable[..., Path], options: dict[str, object]) -> None:
    """In these datasets the LQ is every fourth pixel of the GT, at the same corner: any view must keep that."""
    side = 8 if "crop" in options else 16
    found = by_index(PairStream(make_set(64), batch_size=8, **options))  # type: ignore[arg-type]
    assert len(found) == 64
    for gt, lq in found.values():
        assert (gt.shape, lq.shape) == ((side, side, 3), (side // 4, side // 4, 3))
        assert set(map(tuple, lq[..., 1:].reshape(-1, 2).tolist())) <= set(
            map(tuple, gt[..., 1:].reshape(-1, 2).tolist())
        )
        # Rows and columns of both run the same way.
        assert np.array_equal(
            np.sign(np.diff(lq[:, 0, 1:].astype(int), axis=0)[0]), np.sign(np.diff(gt[:, 0, 1:].astype(int), axis=0)[0])
        )


def test_crops_begin_anywhere_on_the_grid_of_the_lq(make_set: Callable[..., Path]) -> None:
    found = by_index(PairStream(make_set(64), batch_size=8, crop=8))
    corners = {tuple((gt[0, 0, 1:] // 4).tolist()) for gt, _ in found.values()}
    assert corners == {(y, x) for y in (0, 4, 8) for x in (0, 4, 8)}
    for gt, lq in found.values():
        assert np.array_equal(gt[::4, ::4, 1:], lq[..., 1:])


def test_every_mirror_and_turn_is_as_likely(make_set: Callable[..., Path]) -> None:
    stream = PairStream(make_set(64), batch_size=8, flip=True, rotate=True)
    views: dict[bytes, int] = {}
    for _ in range(4):
        for index, (_, lq) in by_index(stream).items():
            same = (lq[..., 1:].astype(int) - lq_pixels(index)[0, ..., 1:].min()).astype(np.uint8).tobytes()
            views[same] = views.get(same, 0) + 1
    assert len(views) == 8
    assert min(views.values()) > 256 / 8 / 2


def test_views_are_decided_by_seed_epoch_and_position(make_set: Callable[..., Path]) -> None:
    place = make_set(64)
    options = {"crop": 8, "flip": True, "rotate": True}
    first = PairStream(place, batch_size=8, **options)  # type: ignore[arg-type]
    whole, later = by_index(first), by_index(first)
    assert any(not np.array_equal(whole[index][0], later[index][0]) for index in whole)
    halves: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    for rank in range(2):
        halves |= by_index(PairStream(place, batch_size=3, rank=rank, world_size=2, threads=2, **options))  # type: ignore[arg-type]
    assert all(np.array_equal(a, b) for index in whole for a, b in zip(whole[index], halves[index], strict=True))
    other = by_index(PairStream(place, batch_size=8, shuffle_seed=1, **options))  # type: ignore[arg-type]
    assert any(not np.array_equal(whole[index][0], other[index][0]) for index in whole)


def test_clips_keep_their_frames_or_give_some(make_set: Callable[..., Path]) -> None:
    place = make_set(16, frames=4)
    batch = next(iter(PairStream(place, batch_size=4)))
    assert (batch["gt"].shape, batch["lq"].shape) == ((4, 4, 16, 16, 3), (4, 4, 4, 4, 3))
    starts = set()
    for batch in PairStream(place, batch_size=4, clip=2, crop=8, flip=True):
        assert (batch["gt"].shape, batch["lq"].shape) == ((4, 2, 8, 8, 3), (4, 2, 2, 2, 3))
        gt, lq = batch["gt"].astype(int), batch["lq"].astype(int)
        frames = gt[:, :, :, :, 2] - (gt[:, :1, :, :, 2])
        assert (frames[:, 1] == 1).all()  # consecutive, of one crop
        assert np.array_equal(lq[:, 1, ..., 2] - lq[:, 0, ..., 2], np.ones((4, 2, 2)))
        starts |= set((gt[:, 0, :, :, 2].min(axis=(1, 2)) % 4).tolist())
    assert starts == {0, 1, 2}
    assert next(iter(PairStream(make_set(29), batch_size=2, clip=1)))["gt"].shape == (2, 1, 16, 16, 3)
    with pytest.raises(StreamError, match="clip=5 is longer than a stored clip of 4"):
        next(iter(PairStream(place, clip=5)))


@pytest.mark.parametrize("codec", list(codecs.CODECS))
def test_every_codec_is_decoded_in_place(make_set: Callable[..., Path], codec: str) -> None:
    found = by_index(PairStream(make_set(16, codec=codec), batch_size=8))
    assert sorted(found) == list(range(16))
    for index, (_, lq) in found.items():
        assert np.array_equal(lq, lq_pixels(index)[0])


@pytest.mark.parametrize("codec", list(codecs.CODECS))
@pytest.mark.parametrize(("dtype", "channels"), [("uint8", 3), ("uint16", 3), ("uint8", 1), ("uint16", 1)])
def test_what_is_decoded_in_place_is_what_is_decoded(codec: str, dtype: str, channels: int) -> None:
    rng = np.random.default_rng(0)
    clip = rng.integers(0, np.iinfo(dtype).max, (2, 9, 7, channels)).astype(dtype)
    image = codecs.encode(clip, codec)
    out = np.empty_like(clip)
    decode_into(image, out)
    assert np.array_equal(out, clip)


@pytest.mark.parametrize("codec", ["qoi", "png", "raw+lz4", "raw"])
def test_bytes_of_another_shape_or_none_are_an_error(codec: str) -> None:
    image = codecs.encode(np.zeros((1, 8, 8, 3), np.uint8), codec)
    with pytest.raises(ShardError, match="cannot be decoded"):
        decode_into(image, np.empty((1, 9, 8, 3), np.uint8)) if codec != "raw" else decode_into(
            EncodedImage(image.data[:-3], codec, image.shape, image.dtype), np.empty(image.shape, np.uint8)
        )


def test_floats_are_exact(make_set: Callable[..., Path]) -> None:
    stored, floats = (by_index(PairStream(make_set(16), batch_size=8, dtype=dtype)) for dtype in ("stored", "float32"))
    for index, (gt, lq) in floats.items():
        assert gt.dtype == lq.dtype == np.float32
        assert np.array_equal(gt, stored[index][0].astype(np.float32) / np.float32(255))


def test_one_role_is_read_alone(make_set: Callable[..., Path]) -> None:
    batch: Batch = next(iter(PairStream(make_set(16), batch_size=4, roles=["lq"])))
    assert "gt" not in batch
    assert batch["lq"].shape == (4, 4, 4, 3)


def test_sizes_that_differ_need_a_crop(make_set: Callable[..., Path]) -> None:
    mixed = [make_set(16), make_set(16, side=32, seed=4)]
    with pytest.raises(StreamError, match="give crop="):
        list(PairStream(mixed, batch_size=4))
    assert sum(len(batch["key"]) for batch in PairStream(mixed, batch_size=4, crop=16)) == 32
    with pytest.raises(StreamError, match="crop= takes 8x8 px of a stored image of 4x4"):
        list(PairStream(mixed, batch_size=4, crop=32))
