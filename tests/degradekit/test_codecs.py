import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from degradekit.codecs import CODECS, DEFAULT_CODEC, checksum, decode, encode, resolve
from degradekit.errors import ShardError
from degradekit.types import EncodedImage


def _clip(shape, dtype, kind, seed):
    rng = np.random.default_rng(seed)
    top = np.iinfo(dtype).max
    if kind == "noise":
        return rng.integers(0, top + 1, shape).astype(dtype)
    if kind == "flat":
        return np.full(shape, rng.integers(0, top + 1), dtype)
    ramp = np.linspace(0, top, int(np.prod(shape))).reshape(shape)
    return ramp.astype(dtype)


@settings(deadline=None, max_examples=150)
@given(
    codec=st.sampled_from(sorted(CODECS)),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 2, 3, 4])),
    dtype=st.sampled_from(["uint8", "uint16"]),
    kind=st.sampled_from(["noise", "flat", "ramp"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_codec_returns_every_clip_bit_for_bit(codec, shape, dtype, kind, seed):
    clip = _clip(shape, dtype, kind, seed)
    stored = encode(clip, codec)
    assert stored.codec == resolve(codec, shape, dtype)
    assert (stored.shape, stored.dtype) == (shape, dtype)
    back = decode(stored)
    assert back.dtype == clip.dtype
    assert np.array_equal(back, clip)
    assert back.flags.writeable and back.flags.c_contiguous
    assert encode(clip, codec) == stored
    assert np.array_equal(decode(EncodedImage(memoryview(stored.data), stored.codec, shape, dtype)), clip)


@pytest.mark.parametrize(
    ("codec", "shape", "dtype", "used"),
    [
        ("qoi", (1, 9, 9, 3), "uint8", "qoi"),
        ("qoi", (1, 9, 9, 1), "uint8", "png"),
        ("qoi", (1, 9, 9, 3), "uint16", "png"),
        ("webp", (1, 9, 9, 3), "uint16", "png"),
        ("webp", (1, 16_383, 9, 3), "uint8", "webp"),
        ("webp", (2, 8_192, 9, 3), "uint8", "png"),
        ("jxl", (1, 9, 9, 1), "uint16", "jxl"),
        ("png", (1, 9, 1_000_001, 3), "uint8", "raw+lz4"),
        ("png", (1, 9, 9, 2), "uint8", "raw+lz4"),
        ("raw", (7, 9, 9, 5), "uint16", "raw"),
    ],
)
def test_what_a_codec_cannot_hold_goes_to_its_fallback(codec, shape, dtype, used):
    assert resolve(codec, shape, dtype) == used


def test_every_fallback_chain_ends_at_a_codec_that_holds_anything():
    for name in CODECS:
        assert CODECS[resolve(name, (3, 5_000_000, 1, 7), "uint16")].channels == ()


def test_a_non_contiguous_view_is_stored_as_it_looks():
    clip = _clip((1, 12, 14, 3), "uint8", "noise", 0)[:, ::-1, 1::2, ::-1]
    assert np.array_equal(decode(encode(clip, DEFAULT_CODEC)), clip)


def test_raw_is_little_endian_pixels_and_lz4_packs_a_flat_image():
    clip = np.array([[[[1], [258]]]], np.uint16)
    assert encode(clip, "raw").data == b"\x01\x00\x02\x01"
    assert len(encode(np.zeros((1, 64, 64, 3), np.uint8), "raw+lz4").data) < 100
    assert np.array_equal(decode(encode(clip.astype(">u2"), "raw")), clip)


@pytest.mark.parametrize(
    "array", [np.zeros((1, 2, 2, 3), np.float32), np.zeros((2, 2, 3), np.uint8), np.zeros((1, 0, 2, 3), np.uint8)]
)
def test_what_is_no_stored_clip_is_refused(array):
    with pytest.raises(ShardError, match="cannot be stored"):
        encode(array)


def test_unknown_codecs_are_named():
    with pytest.raises(ShardError, match=r"'gif' is unknown; choose one of qoi"):
        encode(np.zeros((1, 2, 2, 3), np.uint8), "gif")
    with pytest.raises(ShardError, match="'gif' is unknown"):
        decode(EncodedImage(b"", "gif", (1, 1, 1, 3), "uint8"))


@pytest.mark.parametrize("codec", sorted(CODECS))
def test_truncated_empty_and_mislabelled_values_are_shard_errors(codec):
    clip = _clip((1, 24, 20, 3), "uint8", "noise", 3)
    stored = encode(clip, codec)
    for data in (b"", b"nonsense that is no image at all"):
        with pytest.raises(ShardError):
            decode(EncodedImage(data, codec, stored.shape, stored.dtype))
    with pytest.raises(ShardError):
        decode(EncodedImage(stored.data, codec, (1, 24, 21, 3), stored.dtype))
    if codec not in {"raw", "raw+lz4"}:
        with pytest.raises(ShardError, match="the value is damaged"):
            decode(EncodedImage(stored.data, codec, stored.shape, "uint16"))


@pytest.mark.parametrize("codec", sorted(CODECS))
def test_damage_that_a_decoder_does_not_notice_changes_the_checksum(codec):
    clip = _clip((1, 24, 20, 3), "uint8", "noise", 4)
    stored = encode(clip, codec)
    silent = 0
    for place in range(20, len(stored.data), 37):
        data = bytearray(stored.data)
        data[place] ^= 16
        assert checksum(bytes(data)) != checksum(stored.data)
        try:
            silent += not np.array_equal(decode(EncodedImage(bytes(data), codec, stored.shape, stored.dtype)), clip)
        except ShardError:
            continue
    assert (silent == 0) == (codec == "png"), "only PNG checks its own bytes"
