"""Differences modulo 256 are undone exactly, and are what the formula says."""

import imagecodecs
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from degradekit.codecs import encode
from degradekit.delta import differences, undo


@settings(deadline=None, max_examples=50)
@given(h=st.integers(1, 20), w=st.integers(1, 20), seed=st.integers(0, 99))
def test_differences_follow_the_formula_and_are_undone(h, w, seed):
    image = np.random.default_rng(seed).integers(0, 256, (h, w, 3)).astype(np.uint8)
    r, g, b = image.transpose(2, 0, 1).astype(int)
    wide = np.pad(np.stack([g, r - g, b - g]), ((0, 0), (1, 0), (1, 0)))
    wanted = (wide[:, 1:, 1:] - wide[:, 1:, :-1] - wide[:, :-1, 1:] + wide[:, :-1, :-1]) % 256
    planes = differences(image)
    assert np.array_equal(planes, wanted)
    back = np.empty_like(image)
    undo(planes, back)
    assert np.array_equal(back, image)


def test_a_ramp_leaves_only_its_first_row_and_column():
    y, x = np.mgrid[:40, :50]
    planes = differences(np.stack([x + y, 2 * x, 3 * y], axis=2).astype(np.uint8))
    assert not planes[:, 1:, 1:].any()


def test_a_stored_value_is_read_with_zstd_and_numpy_alone():
    image = np.random.default_rng(0).integers(0, 256, (9, 7, 3)).astype(np.uint8)
    data = encode(image[None], "delta+zstd").data
    planes = np.frombuffer(imagecodecs.zstd_decode(data), np.uint8).reshape(3, 9, 7)
    g, r, b = planes.cumsum(1, dtype=np.uint8).cumsum(2, dtype=np.uint8)
    assert np.array_equal(np.stack([r + g, g, b + g], axis=2), image)
