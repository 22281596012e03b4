from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from degradekit.errors import OpError
from degradekit.ops.camera import develop, rgb_to_camera, to_camera
from degradekit.ops.camera_noise import CameraNoise, CameraNoiseDraw
from degradekit.ops.demosaic import PATTERNS
from degradekit.rng import Draws, sample_key
from degradekit.types import FloatImage, Geometry

FIELD = Draws(sample_key(0, "cat.png", 0), "noise").field("noise")
MATRIX = rgb_to_camera((0.4, 0.1, 0.3, 0.2))
QUIET = CameraNoiseDraw(0.0, 0.0, 2.1, 1.7, 1.25, "rggb", "malvar", MATRIX, FIELD)
NONE = CameraNoiseDraw(0.0, 0.0, 1.0, 1.0, 1.0, "rggb", "bilinear", (1, 0, 0, 0, 1, 0, 0, 0, 1), FIELD)


def smooth(h: int = 80, w: int = 100) -> FloatImage:
    """Moderate colours that change over tens of px."""
    ys, xs = np.mgrid[0:h, 0:w] / 30
    planes = [0.45 + 0.12 * np.sin(xs + k) * np.cos(ys - k) + 0.2 * np.sin(xs - ys) for k in (0.0, 0.4, 0.8)]
    return np.stack(planes, axis=-1)[None].astype(np.float32)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("demosaic", ["bilinear", "malvar"])
def test_without_noise_a_smooth_picture_comes_back(pattern: str, demosaic: str) -> None:
    x = smooth()
    error = np.abs(replace(QUIET, pattern=pattern, demosaic=demosaic).apply(x) - x)
    assert error[:, 2:-2, 2:-2].max() < 0.5 / 255
    step = max(float(np.abs(np.diff(x, axis=axis)).max()) for axis in (1, 2))
    assert error.max() < 3 * step  # the mirrored border bends the slopes there


def test_the_curves_undo_each_other() -> None:
    x = np.linspace(0, 1, 3000, dtype=np.float32).reshape(1, 1000, 3)
    same = np.eye(3)
    np.testing.assert_allclose(develop(to_camera(x, same, np.ones(3)), same), x, atol=1e-4)


def test_the_curves_are_smoothstep_and_gamma() -> None:
    light = np.linspace(0, 1, 300, dtype=np.float32).reshape(1, 100, 3)
    t = light.astype(np.float64) ** (1 / 2.2)
    np.testing.assert_allclose(develop(light, np.eye(3)), 3 * t**2 - 2 * t**3, atol=1e-4)


def test_black_and_white_stay() -> None:
    for value in (0.0, 1.0):
        x = np.full((1, 8, 8, 3), value, np.float32)
        np.testing.assert_allclose(QUIET.apply(x), x, atol=1e-5)


def test_highlights_do_not_turn_coloured() -> None:
    for value in np.linspace(0.9, 1, 21):
        y = QUIET.apply(np.full((1, 8, 8, 3), value, np.float32))
        assert np.ptp(y) < 2 / 255
        assert abs(float(y.mean()) - value) < 2 / 255


def test_raw_noise_has_the_variance_of_shot_and_read() -> None:
    """In linear light, without matrix and white balance, a green pixel of the mosaic shows it as it is."""
    x = np.full((1, 200, 200, 3), 0.5, np.float32)
    linear = (0.5 - math.sin(math.asin(0) / 3)) ** 2.2
    shot, read = 0.002, 0.0005
    noisy = replace(NONE, shot=shot, read=read).apply(x)[0, 0::2, 1::2, 1].astype(np.float64)
    light = (0.5 - np.sin(np.arcsin(1 - 2 * noisy) / 3)) ** 2.2
    assert light.mean() == pytest.approx(linear, abs=0.002)
    assert light.var() == pytest.approx(shot * linear + read, rel=0.06)


def test_demosaicking_gives_the_noise_a_size_and_gains_make_red_and_blue_noisier() -> None:
    noise = replace(QUIET, shot=0.005, read=1e-4).apply(np.full((1, 200, 200, 3), 0.4, np.float32))[0] - 0.4
    noise -= noise.mean(axis=(0, 1))
    neighbours = (noise[:, 1:] * noise[:, :-1]).mean(axis=(0, 1)) / noise.var(axis=(0, 1))
    assert (neighbours > 0.15).all()
    assert noise[..., 0].std() > noise[..., 1].std() < noise[..., 2].std()


def test_frames_have_their_own_noise() -> None:
    x = np.full((2, 64, 64, 3), 0.4, np.float32)
    noise = replace(QUIET, shot=0.005).apply(x).reshape(2, -1) - 0.4
    assert abs(np.corrcoef(noise)[0, 1]) < 0.1


def test_matrices_keep_white_and_can_be_inverted() -> None:
    for i in range(4):
        matrix = np.array(rgb_to_camera(tuple(float(i == j) for j in range(4)))).reshape(3, 3)
        np.testing.assert_allclose(matrix @ np.ones(3), 1, atol=1e-6)
        assert np.linalg.cond(matrix) < 10


def test_read_noise_follows_shot_noise() -> None:
    op = CameraNoise.model_validate({})
    draws = [op.draw(Draws(sample_key(0, str(i), 0), "noise"), Geometry(1, 8, 8)) for i in range(400)]
    rest = np.array([math.log(d.read) - 2.18 * math.log(d.shot) - 1.20 for d in draws])
    assert rest.mean() == pytest.approx(0, abs=0.06)
    assert rest.std() == pytest.approx(0.26, rel=0.15)
    assert min(d.shot for d in draws) >= 1e-4 and max(d.shot for d in draws) <= 0.012
    assert all(1 / 1.1 <= d.gain <= 2 for d in draws)
    still = CameraNoise.model_validate({"shot_range": 0, "gain_range": 1, "read_range": 0.001})
    drawn = still.draw(Draws(0, "noise"), Geometry(1, 8, 8))
    assert (drawn.shot, drawn.gain, drawn.read) == (0, 1, 0.001)


def test_what_has_no_mosaic_is_refused() -> None:
    with pytest.raises(OpError, match="no room for a mosaic"):
        QUIET.apply(np.zeros((1, 1, 9, 3), np.float32))
    with pytest.raises(OpError, match="camera_noise works on RGB"):
        QUIET.apply(np.zeros((1, 9, 9, 1), np.float32))
