"""Resizing against its definition, the libraries that share it, and what any resizing must keep."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.interpolate import BSpline, CubicHermiteSpline

from degradekit.ops.resample import MODES, Mode, axis_weights, resize
from degradekit.types import Array

GOLDEN = Path(__file__).parents[2] / "golden" / "imresize.npz"
SIZES = [(12, 20), (80, 100), (37, 20), (60, 53), (1, 1), (36, 54), (100, 11), (74, 106), (5, 200)]
BOTH = [(mode, antialias) for mode in MODES for antialias in (False, True)]


def noise(h: int = 37, w: int = 53, c: int = 3, t: int = 1) -> Array:
    return np.random.default_rng(0).random((t, h, w, c), np.float32)


def matrix(m: int, n: int, mode: Mode, **settings: Any) -> Array:
    """The dense float64 matrix of an axis."""
    first, weights = axis_weights(m, n, mode, **settings)
    dense = np.zeros((n, m))
    for k in range(weights.shape[1]):
        dense[np.arange(n), first + k] += weights[:, k]
    return dense


@pytest.mark.parametrize(("mode", "antialias"), BOTH)
@pytest.mark.parametrize("c", [1, 3, 4])
def test_is_the_product_of_two_matrices(mode: Mode, antialias: bool, c: int) -> None:
    x = noise(c=c, t=2)
    for h, w in SIZES:
        rows, columns = matrix(37, h, mode, antialias=antialias), matrix(53, w, mode, antialias=antialias)
        expected = np.einsum("yi,tijc,xj->tyxc", rows, x, columns, optimize=True)
        y = resize(x, h, w, mode=mode, antialias=antialias)
        assert y.shape == (2, h, w, c) and y.dtype == np.float32
        assert np.abs(y - expected).max() < 1e-6


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(1, 90), st.integers(1, 90), st.sampled_from(BOTH),
    st.integers(1, 4),
)  # fmt: skip
def test_any_sizes_are_the_product_of_two_matrices(
    h: int, w: int, to_h: int, to_w: int, case: tuple[Mode, bool], c: int
) -> None:
    x = noise(h, w, c)
    rows, columns = (matrix(m, n, case[0], antialias=case[1]) for m, n in ((h, to_h), (w, to_w)))
    expected = np.einsum("yi,tijc,xj->tyxc", rows, x, columns, optimize=True)
    found = resize(x, to_h, to_w, mode=case[0], antialias=case[1])
    assert np.abs(found - expected).max() < 2e-6 < 0.5 / 255


@pytest.mark.parametrize(("mode", "antialias"), BOTH)
def test_the_same_size_changes_nothing(mode: Mode, antialias: bool) -> None:
    x = noise()
    assert resize(x, 37, 53, mode=mode, antialias=antialias) is x
    one_axis = resize(x, 37, 20, mode=mode, antialias=antialias)
    alone = resize(np.ascontiguousarray(x[:, 11:12]), 1, 20, mode=mode, antialias=antialias)
    assert np.array_equal(one_axis[:, 11:12], alone)


@pytest.mark.parametrize(("mode", "antialias"), [*product(("bilinear", "bicubic"), (False, True)), ("nearest", False)])
def test_equals_torch(mode: Mode, antialias: bool) -> None:
    x = noise()
    planes = torch.from_numpy(x).permute(0, 3, 1, 2).double()  # torch's own coordinates are too coarse in float32
    for size in SIZES:
        if mode == "nearest":
            expected = torch.nn.functional.interpolate(planes, size=size, mode="nearest-exact")
        else:
            expected = torch.nn.functional.interpolate(planes, size=size, mode=mode, antialias=antialias)
        difference = resize(x, *size, mode=mode, antialias=antialias) - expected.permute(0, 2, 3, 1).numpy()
        assert np.abs(difference).max() < 1e-6, size


@pytest.mark.parametrize("mode", ["box", "bilinear", "bicubic", "lanczos"])
def test_antialiased_equals_pillow(mode: Mode) -> None:
    x, filter = noise(), Image.Resampling[mode.upper()]
    for h, w in SIZES:
        planes = [np.asarray(Image.fromarray(x[0, ..., c]).resize((w, h), filter)) for c in range(3)]
        assert np.abs(resize(x, h, w, mode=mode, antialias=True)[0] - np.stack(planes, -1)).max() < 1e-6, (h, w)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "area"])
def test_equals_opencv(mode: Mode) -> None:
    x, flag = noise(), {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC, "area": cv2.INTER_AREA}[mode]
    for h, w in SIZES:
        if mode == "area" and (h > 37 or w > 53):
            continue  # OpenCV's area enlarges by another rule
        assert np.abs(resize(x, h, w, mode=mode)[0] - cv2.resize(x[0], (w, h), interpolation=flag)).max() < 1e-6, (h, w)


def keys(d: Array) -> Array:
    through = CubicHermiteSpline([-2, -1, 0, 1, 2], [0, 0, 1, 0, 0], [0, 0.5, 0, -0.5, 0], extrapolate=False)
    weights: Array = np.nan_to_num(through(d))
    return weights


SHAPES: dict[Mode, Callable[[Array], Array]] = {
    "box": lambda d: ((d > -0.5) & (d <= 0.5)).astype(float),
    "bilinear": lambda d: np.maximum(1 - np.abs(d), 0),
    "hermite": lambda d: np.where(np.abs(d) < 1, (1 - np.abs(d)) ** 2 * (1 + 2 * np.abs(d)), 0),
    "catmull_rom": keys,
    "mitchell": lambda d: (SHAPES["b_spline"](d) + 2 * keys(d)) / 3,
    "b_spline": lambda d: np.nan_to_num(BSpline.basis_element(np.arange(-2.0, 3.0), extrapolate=False)(d)),
    "gaussian": lambda d: np.where(np.abs(d) < 2, np.exp(-2 * d * d), 0),
    "lanczos2": lambda d: np.where(np.abs(d) < 2, np.sinc(d) * np.sinc(d / 2), 0),
    "lanczos": lambda d: np.where(np.abs(d) < 3, np.sinc(d) * np.sinc(d / 3), 0),
}


@pytest.mark.parametrize("mode", SHAPES)
@pytest.mark.parametrize(("m", "n", "antialias"), [(20, 76, False), (40, 16, False), (60, 13, True), (24, 12, True)])
def test_weights_have_their_shape(mode: Mode, m: int, n: int, antialias: bool) -> None:
    stretch = max(m / n, 1) if antialias else 1
    distance = np.arange(m) - ((np.arange(n)[:, None] + 0.5) * m / n - 0.5)
    weights = SHAPES[mode](np.where(np.abs(distance) < 2.9999 * stretch, distance / stretch, 9.0))
    margin = int(4 * stretch / (m / n)) + 1  # where the border plays no part
    inside = slice(margin, n - margin)
    found, expected = matrix(m, n, mode, antialias=antialias), weights / weights.sum(1, keepdims=True)
    np.testing.assert_allclose(found[inside], expected[inside], atol=1e-6)


def test_without_antialiasing_a_box_is_the_nearest_pixel() -> None:
    for m, n in [(12, 40), (40, 12), (8, 4), (9, 7)]:
        assert np.array_equal(matrix(m, n, "box"), matrix(m, n, "nearest"))


@pytest.mark.parametrize("mode", ["box", "bilinear", "hermite", "b_spline", "gaussian"])
@pytest.mark.parametrize("antialias", [False, True])
def test_some_never_overshoot(mode: Mode, antialias: bool) -> None:
    x = (noise() > 0.5).astype(np.float32)
    for h, w in SIZES:
        y = resize(x, h, w, mode=mode, antialias=antialias)
        assert y.min() > -1e-6 and y.max() < 1 + 1e-6


def test_matlab_bicubic_equals_the_golden_imresize() -> None:
    golden = np.load(GOLDEN)
    x = golden["in_hwc_u8"].astype(np.float64) / 255
    for name in golden.files:
        if not name.startswith("scale_"):
            continue
        scale, every = name.removeprefix("scale_").partition("__s")[::2]
        step = 1 / {"0.333333": 1 / 3}.get(scale, float(scale))
        h, w = (int(np.ceil(side / step - 1e-9)) for side in x.shape[:2])
        rows, columns = (matrix(m, n, "matlab_bicubic", step=step) for m, n in ((37, h), (46, w)))
        y = np.einsum("yi,ijc,xj->cyx", rows, x, columns, optimize=True)[:, :: int(every or 1), :: int(every or 1)]
        assert y.shape == golden[name].shape
        assert np.abs(y - golden[name]).max() < 2e-6, name
        if step < 1:  # whole factors need no step: the sizes say it
            whole = resize(x[None].astype(np.float32), h, w, mode="matlab_bicubic")[0].transpose(2, 0, 1)
            assert np.abs(whole[:, :: int(every), :: int(every)] - golden[name]).max() < 2e-6, name


def test_known_weights() -> None:
    assert matrix(4, 8, "bilinear")[:3].tolist() == [[1, 0, 0, 0], [0.75, 0.25, 0, 0], [0.25, 0.75, 0, 0]]
    assert matrix(3, 2, "area").tolist() == pytest.approx(np.array([[2, 1, 0], [0, 1, 2]]) / 3)
    assert matrix(2, 3, "area").tolist() == [[1, 0], [0.5, 0.5], [0, 1]]
    assert matrix(4, 2, "nearest").tolist() == [[0, 1, 0, 0], [0, 0, 0, 1]]
    assert matrix(8, 4, "bicubic")[1].tolist() == [0, -0.09375, 0.59375, 0.59375, -0.09375, 0, 0, 0]
    assert matrix(4, 2, "bilinear", antialias=True)[0].tolist() == pytest.approx([3 / 7, 3 / 7, 1 / 7, 0])


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.sampled_from(BOTH))
def test_rows_sum_to_one_and_mirror(m: int, n: int, case: tuple[Mode, bool]) -> None:
    """A constant stays constant, and resizing the mirrored image mirrors the resized image."""
    dense = matrix(m, n, case[0], antialias=case[1])
    assert np.allclose(dense.sum(1), 1, atol=1e-6)
    if case[0] not in ("nearest", "box"):  # which have to take one of two equally near pixels
        end = 4e-4 if case[0] == "gaussian" else 1e-6  # whose weights end with a step of exp(-8)
        assert np.allclose(dense, dense[::-1, ::-1], atol=end)


@settings(max_examples=60, deadline=None)
@given(st.integers(8, 60), st.integers(1, 90))
def test_a_ramp_stays_a_ramp_away_from_the_border(m: int, n: int) -> None:
    """Output pixels sit where the definition says, for every weight that keeps straight lines straight."""
    cases: list[tuple[Mode, bool]] = [("bilinear", False)]
    if n >= m:
        cases += [("bilinear", True), ("bicubic", True), ("matlab_bicubic", False)]
    elif m % n == 0:
        cases += [("area", False), ("bilinear", True), ("bicubic", True), ("lanczos", True), ("matlab_bicubic", False)]
    centres = (np.arange(n) + 0.5) * m / n - 0.5
    margin = 3 * max(m / n, 1)
    inside = (centres > margin) & (centres < m - 1 - margin)
    for mode, antialias in cases:
        ramp = np.arange(m, dtype=np.float32).reshape(1, 1, m, 1)
        y = resize(ramp, 1, n, mode=mode, antialias=antialias).ravel()
        assert np.abs(y - centres)[inside].max(initial=0) < 1e-6 * m, mode


def test_area_keeps_the_mean() -> None:
    x = noise()
    for h, w in [(12, 20), (36, 52), (7, 5), (1, 1)]:
        assert resize(x, h, w, mode="area").mean() == pytest.approx(float(x.mean()), abs=1e-6)


def test_input_is_untouched_and_frames_are_alone() -> None:
    x = noise(t=3)
    before = x.copy()
    y = resize(x, 20, 70, mode="bicubic")
    assert np.array_equal(x, before)
    for t in range(3):
        assert np.array_equal(y[t : t + 1], resize(x[t : t + 1].copy(), 20, 70, mode="bicubic"))
