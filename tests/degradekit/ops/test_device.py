"""Torch's side of the arithmetic that ops share: fields, counts, exact numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from degradekit.fields import normal_field, uniform_field
from degradekit.ops.convolve import convolve
from degradekit.ops.device import filters
from degradekit.ops.device.fields import normal_fields, word_fields
from degradekit.ops.device.jpeg import Coding, code_clips
from degradekit.ops.device.numbers import exact, fma, from_levels, root, round_levels, to_levels
from degradekit.ops.device.poisson import level_counts, rate_counts
from degradekit.ops.libjpeg import jpeg_round_trip, quantisation_tables
from degradekit.ops.resample import MODES, axis_weights, resize
from degradekit.poisson import poisson_field
from degradekit.rng import Draws, philox4x32, sample_key

CPU = torch.device("cpu")
FIELDS = [Draws(sample_key(0, key, 0), "noise").field("noise") for key in ("cat.png", "dog.png", "owl.png")]


def test_words_are_the_words_of_philox() -> None:
    field, first = FIELDS[0], (3 << 34) + 8
    key, stream = int(field[:16], 16), int(field[16:], 16)
    words = word_fields([field], [8], CPU, first=first)[0].tolist()
    block = first // 4
    for i in range(2):
        counter = ((block + i) & 0xFFFFFFFF, (block + i) >> 32, stream & 0xFFFFFFFF, stream >> 32)
        assert words[4 * i : 4 * i + 4] == list(philox4x32(counter, (key & 0xFFFFFFFF, key >> 32)))


def test_fields_of_a_group_are_those_of_each() -> None:
    counts = [10_001, 3, 400]
    for field, count, words in zip(FIELDS, counts, word_fields(FIELDS, counts, CPU), strict=True):
        uniform = (words >> 8).numpy().astype(np.float32) * np.float32(2**-24)
        np.testing.assert_array_equal(uniform, uniform_field(field, count))


def test_normal_numbers_are_close_and_as_good_as_equal() -> None:
    counts = [300_000, 7, 1000]
    for field, count, made in zip(FIELDS, counts, normal_fields(FIELDS, counts, CPU), strict=True):
        wanted = normal_field(field, count)
        assert abs(made.numpy() - wanted).max() < 1e-6
        assert (made.numpy() != wanted).mean() < 1e-4


@pytest.mark.parametrize("top", [0.1, 4, 30, 1000, 1e6])
def test_counts_of_any_rate_are_the_definitions(top: float) -> None:
    rates = np.random.default_rng(0).random((2, 50, 99), np.float32) * np.float32(top)
    made = rate_counts([FIELDS[0]], [torch.from_numpy(rates)])[0].numpy()
    assert (made != poisson_field(FIELDS[0], rates)).mean() < 1e-4


@pytest.mark.parametrize("peak", [1, 16, 256])
def test_counts_of_levels_have_mean_and_variance(peak: int) -> None:
    for level in (0, 3, 128, 255):
        words = word_fields([FIELDS[1]], [100_000], CPU)[0]
        counts = level_counts(torch.full((100_000,), float(level)), torch.tensor(peak), words)
        rate = peak * level / 255
        assert abs(counts.mean().item() - rate) <= 4 * (rate / 100_000) ** 0.5
        assert abs(counts.var().item() - rate) <= 0.03 * rate


@pytest.mark.usefixtures("one_device")
def test_the_watch_over_devices_notices_a_place_that_is_elsewhere() -> None:
    with pytest.raises(AssertionError, match=r"index_select.* meets tensors on"):
        torch.empty(3, device="meta").index_select(0, torch.tensor([0]))


def test_sums_and_roots_round_once() -> None:
    rng = np.random.default_rng(0)
    a, b, c = (torch.from_numpy(rng.standard_normal(10_000).astype(np.float32)) for _ in range(3))
    exactly = (a.numpy().astype(np.longdouble) * b.numpy() + c.numpy()).astype(np.float32)
    assert (fma(a, b, c).numpy() == exactly).all()
    assert (root(a.abs()).numpy() == np.sqrt(a.abs().numpy())).all()


def test_levels_and_back() -> None:
    for dtype, top in ((torch.uint8, 255), (torch.uint16, 65535)):
        levels = torch.arange(top + 1, dtype=torch.int32).to(dtype)
        x = from_levels(levels)
        np.testing.assert_array_equal(x.numpy(), np.arange(top + 1, dtype=np.float32) / np.float32(top))
        assert torch.equal(to_levels(x, dtype).int(), levels.int())
    assert round_levels(torch.tensor([0.5 / 255, 1.49 / 255])).tolist() == [1.0, 1.0]


def test_a_trainers_settings_change_nothing() -> None:
    x, weights = torch.rand(1, 3, 32, 32), np.random.default_rng(0).random((5, 5)) / 25
    switches = [backend.conv for backend in (torch.backends.cudnn, torch.backends.mkldnn)]
    before = [switch.fp32_precision for switch in switches]
    wanted = filters.convolve(x, weights)
    try:
        switches[0].fp32_precision, switches[1].fp32_precision = "tf32", "bf16"
        with torch.autocast("cpu", torch.bfloat16):
            rough = filters.convolve(x, weights)
            with exact(CPU):
                assert [switch.fp32_precision for switch in switches] == ["ieee", "ieee"]
                assert torch.equal(filters.convolve(x, weights), wanted)
            assert [switch.fp32_precision for switch in switches] == ["tf32", "bf16"]
        assert rough.dtype == torch.bfloat16, "autocast would have mattered"
        torch.set_default_dtype(torch.float64)
        assert fma(x, x, 1.0).dtype == normal_fields(FIELDS[:1], [4], CPU)[0].dtype == torch.float32
        assert torch.equal(filters.convolve(x, weights), wanted)
    finally:
        torch.set_default_dtype(torch.float32)
        for switch, value in zip(switches, before, strict=True):
            switch.fp32_precision = value


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (7, 1), (5, 3), (31, 31)])
@pytest.mark.parametrize("size", [(2, 3), (9, 40), (33, 20)])
def test_kernels_of_any_form_on_any_size(shape: tuple[int, int], size: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    weights = rng.random(shape) - 0.2
    weights /= abs(weights).sum()
    x = rng.random((1, *size, 3), np.float32)
    made = filters.convolve(torch.from_numpy(x).permute(0, 3, 1, 2), weights).permute(0, 2, 3, 1)
    np.testing.assert_allclose(made.numpy(), convolve(x, weights), atol=2e-6)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("antialias", [False, True])
def test_every_mode_of_resampling(mode: str, antialias: bool) -> None:
    x = np.random.default_rng(0).random((1, 40, 37, 3), np.float32)
    for h, w in ((10, 9), (60, 50), (33, 37), (40, 12)):
        axes = [axis_weights(m, n, mode, antialias=antialias) for m, n in ((40, h), (37, w))]  # type: ignore[arg-type]
        made = filters.resample(torch.from_numpy(x).permute(0, 3, 1, 2), *axes).permute(0, 2, 3, 1)
        wanted = resize(x, h, w, mode=mode, antialias=antialias)  # type: ignore[arg-type]
        np.testing.assert_allclose(made.numpy(), wanted, atol=1e-6)


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("size", [(1, 1), (3, 2), (4, 5), (8, 8), (17, 33), (40, 47)])
def test_jpeg_is_libjpegs_bit_for_bit(subsampling: str, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(size[0])
    pictures = [rng.integers(0, 256, (*size, 3)).astype(np.float32) / np.float32(255) for _ in range(4)]
    pictures[1] = np.round(pictures[1])  # nothing but extremes
    pictures[2][:] = 0.3
    qualities = (5, 30, 75, 100)
    tensors = [torch.from_numpy(picture).permute(2, 0, 1)[None] for picture in pictures]
    codings = [[Coding(quantisation_tables(quality), subsampling)] for quality in qualities]
    for picture, quality, made in zip(pictures, qualities, code_clips(tensors, codings), strict=True):
        wanted = jpeg_round_trip(picture, quality, subsampling)  # type: ignore[arg-type]
        np.testing.assert_array_equal(made[0].permute(1, 2, 0).numpy(), wanted)
