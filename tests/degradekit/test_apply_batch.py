"""Whole plans on torch against numpy: every recipe whose ops have a torch form, samples together and alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from degradekit.apply import apply_batch, need_torch_forms
from degradekit.errors import OpError
from degradekit.graph import Step, leaves
from degradekit.ops.crop import CropDraw
from degradekit.ops.device import filters
from degradekit.plan import Plan
from degradekit.recipe import load_recipe, parse_recipe, recipe_names
from degradekit.types import Array, Geometry

pytestmark = pytest.mark.usefixtures("one_thread")

RECIPES = (
    "bd_duf", "bd_matlab", "bicubic", "bsrgan", "bsrgan_plus", "classical", "codeformer", "downscale_nearest_aligned",
    "gfpgan", "gfpgan_no_colour", "mmagic_real_esrgan", "real_esrgan", "real_esrgan_compat", "real_esrgan_x2",
    "stablesr",
)  # fmt: skip
"""Shipped recipes that run on a device."""


def photograph(side: int, seed: int) -> Array:
    """Levels like a photograph's: a 1/f spectrum, a bright shape with hard edges, a little noise."""
    rng = np.random.default_rng(seed)
    f = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    f[0, 0] = 1
    waves = np.fft.fft2(rng.standard_normal((3, side, side))) / f
    x = np.fft.ifft2(waves).real
    x = 0.5 + 0.2 * (x - x.mean()) / x.std()
    y0, x0 = rng.integers(0, side // 2, 2)
    x[:, y0 : y0 + side // 3, x0 : x0 + side // 2] += 0.25
    x += 0.01 * rng.standard_normal(x.shape)
    return np.ascontiguousarray((np.clip(x, 0, 1) * 255 + 0.5).astype(np.uint8).transpose(1, 2, 0))


def batch(name: str, side: int, count: int, first: int = 0) -> tuple[list[Plan], Array]:
    recipe = load_recipe(name)
    keys = [f"{i}.png" for i in range(first, first + count)]
    plans = [recipe.draw(key=key, geometry=Geometry(1, side, side)) for key in keys]
    return plans, np.stack([photograph(side, i) for i in range(first, first + count)])


def on_torch(plans: list[Plan], gts: Array) -> Array:
    return apply_batch(plans, torch.from_numpy(gts).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()


def test_these_recipes_run_on_a_device_and_no_others() -> None:
    able = []
    for name in recipe_names():
        try:
            need_torch_forms((at, op.draws) for at, op in leaves(load_recipe(name).to_lq))
            able.append(name)
        except OpError:
            pass
    assert able == sorted(RECIPES)


def errors(name: str, count: int, first: int = 0) -> Array:
    """Mean squared difference, in levels, of each LQ between torch and numpy."""
    plans, gts = batch(name, 64, count, first)
    wanted = np.stack([plan.make_lq(gt[None])[0] for plan, gt in zip(plans, gts, strict=True)])
    return ((on_torch(plans, gts).astype(int) - wanted) ** 2).mean(axis=(1, 2, 3))


def mean_square(psnr: float) -> float:
    return 255**2 / 10 ** (psnr / 10)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipes_lqs_are_those_of_numpy(name: str) -> None:
    """Equal on the CPUs that were tried; the bounds are those of the test after the next one."""
    found = errors(name, 24)
    assert (found == 0).mean() >= 0.2
    assert found.max() < mean_square(40), "an LQ is below 40 dB"


def test_hundreds_of_plans_of_the_hardest_recipe() -> None:
    found = np.concatenate([errors("real_esrgan", 32, first) for first in range(0, 256, 32)])
    assert (found == 0).mean() >= 0.9
    assert found.max() < mean_square(50), "an LQ is below 50 dB"


@pytest.mark.parametrize(("name", "equal"), [("real_esrgan", 0.9), ("bsrgan", 0.9), ("gfpgan", 0.2)])
def test_other_orders_of_summation_change_little(name: str, equal: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every filtered and resampled sample a last bit off, as another library may sum: roundings fall the other way.

    What JPEG and Poisson noise make of that is the distance to expect from CUDA, where convolutions are not ours.
    """
    random = torch.Generator().manual_seed(0)

    def disturbed(work: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        def call(*given: Any) -> torch.Tensor:
            y = work(*given)
            return y * (1 + 2**-23 * (torch.randint(0, 3, y.shape, generator=random) - 1))

        return call

    for form in ("convolve", "resample"):
        monkeypatch.setattr(filters, form, disturbed(getattr(filters, form)))
    found = errors(name, 48)
    assert equal <= (found == 0).mean() < 1, "the disturbance was none"
    assert found.max() < mean_square(40), "an LQ is below 40 dB"


@pytest.mark.parametrize("name", ["real_esrgan", "bsrgan", "gfpgan"])
def test_a_sample_gets_the_same_bits_in_any_batch(name: str) -> None:
    plans, gts = batch(name, 64, 12)
    together = on_torch(plans, gts)
    for i in range(len(plans)):
        np.testing.assert_array_equal(together[i], on_torch(plans[i : i + 1], gts[i : i + 1])[0])
    np.testing.assert_array_equal(on_torch(plans[::-1], gts[::-1].copy())[::-1], together)


@pytest.mark.usefixtures("one_device")
@pytest.mark.parametrize("name", ["real_esrgan", "real_esrgan_compat", "bsrgan", "gfpgan"])
def test_nothing_waits_for_a_pixel(name: str) -> None:
    """On ``meta`` there are none; and no call mixes devices."""
    plans, _ = batch(name, 64, 3)
    lqs = apply_batch(plans, torch.empty(3, 3, 64, 64, dtype=torch.uint8, device="meta"))
    assert (lqs.dtype, lqs.device.type) == (torch.uint8, "meta")
    assert lqs.shape[2:] == plans[0].lq_geometry.size


def test_clips_and_sixteen_bits() -> None:
    recipe = parse_recipe(
        "scale: 4\nextract: {mode: random, size: 32}\ndegrade:\n"
        "  blur: {op: gaussian_blur, size_range: 9, sigma_x_range: {uniform: [0.5, 2], over_time: {walk: 0.1}}}\n"
        "  noise: {op: gaussian_noise, sigma_range: {uniform: [0, 0.1], over_time: iid}}\n"
        "  jpeg: {op: jpeg, quality_range: {uniform: [30, 90], over_time: iid}}\n"
        "  down: {op: resize, relative_to: target, factor_range: 1, mode: area}\n"
    )
    clips = np.random.default_rng(0).integers(0, 65536, (2, 3, 32, 32, 3), np.uint16)
    plans = [recipe.draw(key=key, geometry=Geometry(3, 32, 32)) for key in ("a", "b")]
    made = apply_batch(plans, torch.from_numpy(clips).movedim(-1, -3))
    assert (made.shape, made.dtype) == ((2, 3, 3, 8, 8), torch.uint16)
    wanted = np.stack([plan.make_lq(clip) for plan, clip in zip(plans, clips, strict=True)])
    assert abs(made.int().movedim(-3, -1).numpy() - wanted.astype(int)).max() <= 2


def test_a_trainers_settings_change_nothing() -> None:
    plans, gts = batch("real_esrgan_compat", 64, 8)
    x = torch.from_numpy(gts).permute(0, 3, 1, 2)
    wanted = apply_batch(plans, x)
    try:
        torch.set_default_dtype(torch.float64)
        with torch.autocast("cpu", torch.bfloat16), torch.inference_mode():
            assert torch.equal(apply_batch(plans, x), wanted)
    finally:
        torch.set_default_dtype(torch.float32)


def test_what_cannot_be_done_is_refused_by_name() -> None:
    plans, gts = batch("bicubic", 64, 2)
    x = torch.from_numpy(gts).permute(0, 3, 1, 2)
    with pytest.raises(OpError, match=r"plan 0.png makes a GT of shape \(1, 64, 64, 3\), not \(1, 32, 64, 3\)"):
        apply_batch(plans, x[:, :, :32])
    with pytest.raises(OpError, match="1 plans meet GTs of"):
        apply_batch(plans[:1], x)
    with pytest.raises(OpError, match="float32; give one integer GT for each"):
        apply_batch(plans, x.float())
    other = load_recipe("real_esrgan_x2").draw(key="x", geometry=Geometry(1, 64, 64))
    with pytest.raises(OpError, match="LQs of 2 sizes are no batch"):
        apply_batch([plans[0], other], x)
    webp = parse_recipe("scale: 1\ndegrade: {last: {op: webp, quality_range: 50}}").draw(
        key="x", geometry=Geometry(1, 64, 64)
    )
    with pytest.raises(OpError, match=r"webp \(at last\) cannot run on a device"):
        apply_batch([plans[0], webp], x)
    blend = parse_recipe(
        "scale: 1\ndegrade: {spot: {blend: {mask: {}, noise: {op: gaussian_noise, sigma_range: 0.1}}}}"
    ).draw(key="x", geometry=Geometry(1, 64, 64))
    with pytest.raises(OpError, match=r"blend \(at spot\) cannot run on a device"):
        apply_batch([blend, blend], x)
    broken = replace(plans[0], degrade=(Step("cut", CropDraw(60, 0, 16, 16)),))
    with pytest.raises(OpError, match=r"step cut \(crop\) failed on cpu: crop: a window of 16x16 px"):
        apply_batch([broken], x[:1])
