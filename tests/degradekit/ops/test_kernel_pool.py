from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from degradekit.ops.convolve import ERROR
from degradekit.ops.kernel_pool import KernelPool, KernelPoolDraw, centred, read_kernels
from degradekit.ops.kernels import effective_sigma, gaussian
from degradekit.rng import Draws, sample_key
from degradekit.types import Array, Geometry

G = Geometry(1, 40, 50)


def drawn(pool: Path, key: str = "a") -> KernelPoolDraw:
    return KernelPool.model_validate({"kernels": str(pool)}).draw(Draws(sample_key(0, key, 0), "blur"), G)


def centroid(kernel: Array) -> tuple[float, float]:
    offsets = np.arange(len(kernel)) - len(kernel) // 2
    return float(kernel.sum(axis=1) @ offsets), float(kernel.sum(axis=0) @ offsets)


def test_a_delta_leaves_the_picture(tmp_path: Path) -> None:
    delta = np.zeros((9, 7))
    delta[2, 5] = 3  # off centre: the shift is taken off, and so are the rings of nothing
    np.save(tmp_path / "k.npy", delta)
    draw = drawn(tmp_path / "k.npy")
    assert (draw.size, draw.width) == (1, 0.0)
    x = np.random.default_rng(0).random((1, 20, 30, 3), np.float32)
    assert draw.apply(x) is x


def test_an_impulse_shows_the_kernel_as_the_file_has_it(tmp_path: Path) -> None:
    kernel = np.array([[0, 0, 0, 0, 0], [0, 4, 1, 0, 0], [0, 2, 8, 2, 0], [0, 0, 1, 4, 0], [0, 0, 0, 0, 0]], np.float32)
    np.save(tmp_path / "k.npy", kernel)
    x = np.zeros((1, 21, 31, 3), np.float32)
    x[0, 10, 15] = 1
    y = drawn(tmp_path / "k.npy").apply(x)
    np.testing.assert_allclose(y[0, 8:13, 13:18, 1], kernel / kernel.sum(), atol=ERROR + 1e-4)


def test_a_lopsided_kernel_is_not_turned_around(tmp_path: Path) -> None:
    kernel = np.zeros((7, 7))
    kernel[3, 2], kernel[3, 5] = 3, 1.5  # its centre of gravity is column 3
    np.save(tmp_path / "k.npy", kernel)
    x = np.zeros((1, 21, 31, 3), np.float32)
    x[0, 10, 15] = 1
    y = drawn(tmp_path / "k.npy").apply(x)[0, 10, :, 0]
    np.testing.assert_allclose(y[[14, 17]], [2 / 3, 1 / 3], atol=ERROR)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_kernels_are_centred_and_keep_their_sum(h: int, w: int, seed: int) -> None:
    kernel = np.random.default_rng(seed).random((h, w)) + 0.01
    made = centred(kernel)
    assert made.shape[0] == made.shape[1] and made.shape[0] % 2 == 1
    assert made.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(centroid(made), 0, atol=1e-5)


def test_a_centred_kernel_stays_as_it_is() -> None:
    np.testing.assert_allclose(centred(gaussian(9, 1.5, 2.5, 0.3)), gaussian(9, 1.5, 2.5, 0.3), atol=1e-15)


def test_every_file_of_a_folder_counts(tmp_path: Path) -> None:
    np.save(tmp_path / "b.npy", np.stack([gaussian(5, 1, 1), gaussian(5, 2, 2)]))
    np.savez(tmp_path / "a.npz", two=gaussian(7, 1, 1), one=gaussian(3, 1, 1))
    assert cv2.imwrite(str(tmp_path / "c.png"), np.rint(gaussian(9, 1.5, 1.5) * 60000).astype(np.uint16))
    (tmp_path / "notes.txt").write_text("where they are from")
    levels = read_kernels(tmp_path)
    assert [len(kernel) for kernel in levels] == [3, 7, 5, 5, 9]
    widths = [effective_sigma(kernel / kernel.sum()) for kernel in levels]
    assert widths[4] == pytest.approx(effective_sigma(gaussian(9, 1.5, 1.5)), abs=1e-3)
    drawn_at = {drawn(tmp_path, str(i)).index for i in range(60)}
    assert drawn_at == {0, 1, 2, 3, 4}


def test_the_plan_holds_the_kernel(tmp_path: Path) -> None:
    file = tmp_path / "k.npy"
    np.save(file, np.random.default_rng(0).random((4, 21, 21)))
    draw = drawn(file)
    x = np.random.default_rng(0).random((2, 40, 50, 3), np.float32)
    y, text = draw.apply(x), json.dumps(draw.to_json())
    file.unlink()
    np.testing.assert_array_equal(KernelPoolDraw.from_json(json.loads(text)).apply(x), y)
    assert draw.width == pytest.approx(6.06, abs=0.2)


def bad(folder: Path) -> list[tuple[Any, str]]:
    np.save(folder / "words.npy", np.array(["a"]))
    np.save(folder / "objects.npy", np.array([{}], object))
    np.save(folder / "nothing.npy", np.zeros((3, 3)))
    np.save(folder / "nan.npy", np.full((3, 3), np.nan))
    np.save(folder / "large.npy", np.ones((103, 3)))
    np.save(folder / "zero_sum.npy", np.array([[1.0, -1.0, 0.0]]))
    (folder / "torn.npz").write_bytes(b"PK\x03\x04")
    assert cv2.imwrite(str(folder / "colour.png"), np.arange(27, dtype=np.uint8).reshape(3, 3, 3))
    (folder / "k.mat").write_bytes(b"MATLAB")
    (folder / "none").mkdir()
    return [
        ("absent.npy", "neither a file nor a folder"),
        ("none", "neither a file nor a folder"),
        ("words.npy", "kernels are numbers"),
        ("objects.npy", "cannot be read as an array"),
        ("nothing.npy", "positive sum"),
        ("nan.npy", "positive sum"),
        ("zero_sum.npy", "positive sum"),
        ("large.npy", "sides of 1 to 101"),
        ("torn.npz", "cannot be read as an array"),
        ("colour.png", "picture in colour"),
        ("k.mat", "give .npy, .npz or .png"),
        (7, "names no pool"),
        ({"path": "nan.npy", "hash": "0"}, "names no pool"),
    ]


def test_what_is_no_pool_is_refused(tmp_path: Path) -> None:
    for raw, message in bad(tmp_path):
        with pytest.raises(ValidationError, match=message):
            KernelPool.model_validate({"kernels": raw}, context={"folder": str(tmp_path)})


def test_a_pinned_pool_must_hold_what_it_held(tmp_path: Path) -> None:
    np.save(tmp_path / "k.npy", gaussian(5, 1, 1))
    pool = KernelPool.model_validate({"kernels": "k.npy"}, context={"folder": str(tmp_path)}).kernels
    pinned = {"kernels": {"path": "k.npy", "digest": pool.digest}}
    assert KernelPool.model_validate(pinned, context={"folder": str(tmp_path)}).kernels == pool
    np.save(tmp_path / "k.npy", gaussian(5, 1, 1.1))
    with pytest.raises(ValidationError, match=f"not {pool.digest}: restore the pool"):
        KernelPool.model_validate(pinned, context={"folder": str(tmp_path)})
