"""Masks from files: what is read, what is refused, how they are packed and get the size of a picture."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from degradekit.ops.mask_pool import pack_mask, read_masks, resized, shrunk, unpack_mask
from degradekit.types import Array

SOFT = np.array([[0, 51, 255], [102, 255, 0]], np.uint8)


def write(file: Path, levels: Array) -> None:
    assert cv2.imwrite(str(file), levels)


def test_every_kind_of_file_holds_the_same_mask(tmp_path: Path) -> None:
    write(tmp_path / "a.png", SOFT)
    write(tmp_path / "b.png", SOFT.astype(np.uint16) * 257)
    np.save(tmp_path / "c.npy", SOFT)
    np.savez(tmp_path / "d.npz", unit=SOFT / 255, deep=SOFT.astype(np.uint16) * 257)
    np.save(tmp_path / "e.npy", np.stack([SOFT / np.float32(255)] * 2))
    (tmp_path / "notes.txt").write_text("where they are from")
    masks = read_masks(tmp_path)
    assert list(masks) == ["a.png", "b.png", "c.npy", "d.npz:deep", "d.npz:unit", "e.npy[0]", "e.npy[1]"]
    for name, mask in masks.items():
        assert mask.dtype == np.uint8, name
        np.testing.assert_array_equal(mask, SOFT, err_msg=name)
    assert list(read_masks(tmp_path / "a.png")) == ["a.png"]


def test_masks_of_truth_values(tmp_path: Path) -> None:
    np.save(tmp_path / "m.npy", SOFT > 60)
    np.testing.assert_array_equal(read_masks(tmp_path / "m.npy")["m.npy"], (SOFT > 60) * 255)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.array([[0, 1]], np.uint8), "uint8 from 0 to 1.*save one of 0 and 1 as bool"),
        (np.array([[0, 2.5]]), r"float64 from 0.0 to 2.5; masks are bool, float in \[0, 1\]"),
        (np.array([[np.nan]]), "float64 from nan"),
        (np.array([[0, 255]]), "int64 from 0 to 255"),
        (np.zeros((0, 3)), "a mask has one at least"),
        (np.zeros((2, 2, 2, 2)), r"masks are \[h, w\] or \[n, h, w\]"),
    ],
)
def test_arrays_that_are_no_masks_are_refused(content: Array, message: str, tmp_path: Path) -> None:
    np.save(tmp_path / "m.npy", content)
    with pytest.raises(ValueError, match=f"m.npy .*{message}"):
        read_masks(tmp_path / "m.npy")


def test_files_that_are_no_masks_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "colour.png", np.arange(27, dtype=np.uint8).reshape(3, 3, 3))
    with pytest.raises(ValueError, match=r"colour.png is a picture in colour"):
        read_masks(tmp_path)
    (tmp_path / "mask.mat").write_bytes(b"MATLAB")
    with pytest.raises(ValueError, match=r"mask.mat is no pool of masks: give a grey picture"):
        read_masks(tmp_path / "mask.mat")


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 99), st.booleans())
def test_a_packed_mask_comes_back(h: int, w: int, seed: int, hard: bool) -> None:
    levels = np.random.default_rng(seed).integers(0, 256, (h, w), np.uint8)
    levels = np.where(levels > 127, 255, 0).astype(np.uint8) if hard else levels
    bits, text = pack_mask(levels)
    np.testing.assert_array_equal(unpack_mask(text, bits, (h, w)), levels)
    if hard:
        assert bits == 1
        assert len(text) == 4 * math.ceil(math.ceil(h * w / 8) / 3)


def test_shrinking_keeps_the_area_and_never_grows() -> None:
    disc = np.hypot(*np.mgrid[-50:50, -40:40]) < 30
    levels = disc * np.uint8(255)
    small = shrunk(levels, 25, 200)
    assert small.shape == (25, 80)
    assert small.mean() / 255 == pytest.approx(disc.mean(), rel=0.005)
    assert shrunk(levels, 100, 80) is levels


def test_weights_of_its_own_size_are_exact_and_others_are_stretched() -> None:
    np.testing.assert_array_equal(resized(SOFT, 2, 3), SOFT / np.float32(255))
    ramp = resized(np.array([[0, 255]], np.uint8), 3, 4)
    np.testing.assert_allclose(ramp, [[0, 0.25, 0.75, 1]] * 3, atol=1e-6)
