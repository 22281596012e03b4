from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from degradekit.errors import OpError
from degradekit.ops.noise_patches import NoisePatches, NoisePatchesDraw, flat_patches, harvest_noise, read_patches
from degradekit.ops.pool import pack
from degradekit.rng import Draws, sample_key
from degradekit.types import Array, Geometry

FIELD = "00112233445566778899aabbccddeeff"


def noisy(h: int, w: int, sigma: float = 4, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(120, sigma, (h, w, 3)).round().clip(0, 255).astype(np.uint8)


def draw_of(patch: Array, strength: float | tuple[float, ...] = 1.0) -> NoisePatchesDraw:
    return NoisePatchesDraw(0, strength, patch.shape[0], patch.shape[1], pack(patch), FIELD)


def test_strength_nothing_and_a_patch_without_noise_leave_the_picture() -> None:
    x = np.random.default_rng(0).random((2, 20, 30, 3), np.float32)
    np.testing.assert_array_equal(draw_of(noisy(16, 16), 0.0).apply(x), x)
    np.testing.assert_allclose(draw_of(np.full((16, 16, 3), 77, np.uint8)).apply(x), x, atol=1e-7)


def test_a_slope_is_no_noise() -> None:
    y, x = np.mgrid[:16, :20]
    slope = np.stack([40 + 3 * y + 2 * x, 90 - y + 0 * x, 10 + 5 * x], axis=-1).astype(np.uint8)
    grey = np.full((1, 40, 40, 3), 0.5, np.float32)
    np.testing.assert_allclose(draw_of(slope).apply(grey), grey, atol=1e-6)


def test_the_noise_is_that_of_the_patch() -> None:
    """A patch of independent noise, mirrored without end: its own spread, its own correlation of colours, no mean."""
    patch = noisy(32, 32)
    patch[..., 2] = patch[..., 0]
    grey = np.full((1, 310, 310, 3), 0.5, np.float32)
    noise = (draw_of(patch).apply(grey) - grey) * 255
    np.testing.assert_allclose(noise.std(axis=(0, 1, 2)), patch.std(axis=(0, 1)), rtol=0.03)
    assert abs(noise.mean()) < 0.1
    np.testing.assert_array_equal(noise[..., 0], noise[..., 2])
    doubled = (draw_of(patch, 2.0).apply(grey) - grey) * 255
    np.testing.assert_allclose(doubled, 2 * noise, atol=1e-4)


def test_every_frame_shows_another_part_and_every_strength_counts() -> None:
    grey = np.full((3, 24, 24, 3), 0.5, np.float32)
    y = draw_of(noisy(64, 64), (0.0, 1.0, 1.0)).apply(grey)
    np.testing.assert_array_equal(y[0], grey[0])
    assert np.abs(y[1] - y[2]).max() > 0.01


def test_it_saturates_and_needs_rgb() -> None:
    white = np.ones((1, 24, 24, 3), np.float32)
    assert draw_of(noisy(16, 16, 30)).apply(white).max() == 1
    with pytest.raises(OpError, match="the clip has 1 channels"):
        draw_of(noisy(16, 16)).apply(white[..., :1])


def test_flat_noisy_places_are_found_and_no_others() -> None:
    picture = noisy(200, 300)
    picture[:, :100] = 90  # no noise at all
    picture[:100, 100:] = np.indices((100, 200)).sum(axis=0)[..., None] % 97  # texture
    picture[180, 290] = 255  # cut off
    places = flat_patches(picture, size=32)
    assert len(places) >= 8
    for y, x in places:
        assert 96 < y <= 168 and 96 < x <= 268
        assert not (y <= 180 < y + 32 and x <= 290 < x + 32)
    for i, (y, x) in enumerate(places):
        assert all(abs(y - b) >= 32 or abs(x - a) >= 32 for b, a in places[:i])


def test_photographs_are_harvested(tmp_path: Path) -> None:
    for i in range(2):
        assert cv2.imwrite(str(tmp_path / f"{i}.png"), noisy(140, 200, 3 + i, seed=i))
    deep = noisy(140, 200, 5, seed=2).astype(np.uint16) * 257
    assert cv2.imwrite(str(tmp_path / "deep.png"), deep)
    patches = harvest_noise(tmp_path, per_image=2)
    assert patches.shape == (6, 64, 64, 3)
    assert patches.dtype == np.uint8
    np.testing.assert_allclose(patches.std(axis=(1, 2)).mean(axis=1), [3, 3, 4, 4, 5, 5], rtol=0.1)
    assert len(read_patches(tmp_path)) >= 6  # a folder is harvested by itself
    np.save(tmp_path / "noise.npy", patches)
    assert len(read_patches(tmp_path / "noise.npy")) == 6


def test_what_is_no_pool_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "float.npy", np.zeros((2, 8, 8, 3)))
    (tmp_path / "flat").mkdir()
    assert cv2.imwrite(str(tmp_path / "flat/a.png"), np.full((80, 80, 3), 9, np.uint8))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/a.png").write_bytes(b"nothing")
    (tmp_path / "noise.txt").write_text("a")
    bad = {
        "float.npy": "patches are uint8",
        "flat": "flat and noisy place",
        "broken": "a.png",
        "noise.txt": "give .npy, .npz or a folder",
    }
    for path, message in bad.items():
        with pytest.raises(ValidationError, match=message):
            NoisePatches.model_validate({"patches": path}, context={"folder": str(tmp_path)})
    with pytest.raises(ValueError, match="multiple of 4"):
        flat_patches(noisy(80, 80), size=30)


def test_the_plan_holds_the_patch(tmp_path: Path) -> None:
    np.save(tmp_path / "n.npy", np.stack([noisy(24, 24, seed=i) for i in range(5)]))
    op = NoisePatches.model_validate({"patches": str(tmp_path / "n.npy"), "strength_range": [0.5, 2]})
    draws = [op.draw(Draws(sample_key(0, str(i), 0), "noise"), Geometry(1, 24, 24)) for i in range(40)]
    assert {draw.index for draw in draws} == {0, 1, 2, 3, 4}
    x = np.random.default_rng(0).random((1, 30, 30, 3), np.float32)
    again = NoisePatchesDraw.from_json(json.loads(json.dumps(draws[0].to_json())))
    np.testing.assert_array_equal(again.apply(x), draws[0].apply(x))
