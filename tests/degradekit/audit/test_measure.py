"""Estimators against pictures whose blur, noise, shift and JPEG quality are known."""

import cv2
import numpy as np
import pytest

from degradekit.audit.lattice import grid_phase, jpeg_lattice
from degradekit.audit.measure import MEASURES, as_levels, measure_pair, perceptual_hash, turned_hashes
from degradekit.ops.libjpeg import jpeg_round_trip
from degradekit.ops.resample import resize
from tests.degradekit.audit import catalogue as c

LUMA = np.float32([76.245, 149.685, 29.07])


@pytest.fixture(scope="module")
def gt():
    return c.leaves(3, 256)


def reduced(image, side=64, mode="matlab_bicubic"):
    small = resize((image / np.float32(255)).astype(np.float32)[None], side, side, mode=mode)[0]
    return np.clip(small, 0, 1)


def measured(gt, lq, **kwargs):
    levels = np.rint(lq * 255).astype(np.float32) if lq.dtype != np.uint8 else lq.astype(np.float32)
    return measure_pair(gt.astype(np.float32), levels, scale=gt.shape[0] // lq.shape[0], **kwargs)


def test_nothing_but_reduced(gt):
    found = measured(gt, reduced(gt))
    assert set(found.values) == set(MEASURES)
    assert found.values["same"] == 1
    assert found.values["psnr_r"] > 55
    assert abs(found.values["blur"]) < 0.05
    assert found.values["noise"] < 0.5
    assert max(abs(found.values[f"delta_{c}"]) for c in "rgb") < 0.1
    assert found.values["tone"] == pytest.approx(1, abs=1e-3)
    assert found.values["swap"] == 0
    assert np.hypot(found.values["shift_x"], found.values["shift_y"]) < 0.01
    assert np.isnan(found.values["lq_quality"])


@pytest.mark.parametrize("sigma", [0.8, 1.2, 1.6])
def test_blur(gt, sigma):
    blurred = cv2.GaussianBlur(reduced(gt), (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    assert measured(gt, blurred).values["blur"] == pytest.approx(sigma, abs=0.05)


@pytest.mark.parametrize("sigma", [2.0, 6.0, 12.0])
def test_noise(gt, sigma):
    inside = 0.3 + 0.4 * reduced(gt)  # far from 0 and 1, where noise would be cut
    noise = np.random.default_rng(0).normal(0, sigma / 255, inside.shape[:2])[..., None]
    found = measured((255 * (0.3 + 0.4 * gt / 255)).astype(np.uint8), inside + noise)
    assert found.values["noise"] == pytest.approx(sigma, rel=0.06, abs=0.1)


@pytest.mark.parametrize(("dx", "dy"), [(1.5, 0.0), (-0.5, 1.0), (2.0, -2.0)])
def test_shift_in_gt_pixels(gt, dx, dy):
    by = np.float32([[1, 0, -dx], [0, 1, -dy]])
    moved = reduced(cv2.warpAffine(gt, by, (256, 256), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE))
    found = measured(gt, moved).values
    assert (found["shift_x"], found["shift_y"]) == pytest.approx((dx, dy), abs=0.12)
    expected = measured(gt, moved, expected=(dx, dy)).values
    assert (expected["shift_x"], expected["shift_y"]) == pytest.approx((0, 0), abs=0.12)


def test_stride_sampling_looks_up_and_to_the_left(gt):
    smooth = cv2.GaussianBlur(gt, (0, 0), 2)
    found = measured(gt, smooth[::4, ::4]).values
    assert (found["shift_x"], found["shift_y"]) == pytest.approx((-1.5, -1.5), abs=0.1)


@pytest.mark.parametrize("quality", [35, 50, 72, 90])
def test_jpeg_quality(gt, quality):
    inside = (0.15 + 0.7 * reduced(gt)).astype(np.float32)
    lq = jpeg_round_trip(inside, quality)
    assert measured(gt, lq).values["lq_quality"] == pytest.approx(quality, abs=1)


def test_an_old_jpeg_is_found_off_its_grid(gt):
    inside = (0.15 + 0.7 * gt / 255).astype(np.float32)
    y = np.ascontiguousarray(jpeg_round_trip(inside, 60)[3:, 5:] @ LUMA)
    assert grid_phase(y) == (5, 3)
    assert jpeg_lattice(y, phase=(5, 3)).quality == 60
    assert jpeg_lattice(y, phase=(5, 3)).gain > 1
    assert jpeg_lattice(np.ascontiguousarray(np.rint(inside * 255) @ (LUMA / 255))).gain < -0.1


def test_channels_in_another_order(gt):
    swap = measured(gt, reduced(gt)[..., ::-1])
    assert swap.values["swap"] == 1
    assert swap.values["swap_gain"] > 2


@pytest.mark.parametrize("change", [np.flipud, np.fliplr, np.rot90, np.transpose])
def test_hashes_know_a_turned_picture(gt, change):
    y = gt.astype(np.float32).mean(axis=2)
    turned = perceptual_hash(np.ascontiguousarray(change(y)))
    assert min((turned ^ one).bit_count() for one in turned_hashes(y)) <= 2
    other = perceptual_hash(c.leaves(4, 256).astype(np.float32).mean(axis=2))
    assert min((other ^ one).bit_count() for one in turned_hashes(y)) >= 12


def test_flat_and_dark_pictures_are_measured_without_a_warning():
    for level in (0, 128, 255):
        flat = np.full((64, 64, 3), level, np.uint8)
        found = measured(flat, flat[::4, ::4])
        assert found.hash == 0
        assert np.isnan(found.values["shift_x"])
        assert found.values["gt_flat"] == 1


def test_depth_and_channels_become_levels():
    grey = np.full((3, 4, 5, 1), 65535, np.uint16)
    levels = as_levels(grey)
    assert levels.shape == (4, 5, 3)
    assert levels.dtype == np.float32
    assert float(levels.max()) == pytest.approx(255)


def test_the_spectrum_of_a_small_picture_has_no_holes():
    """24 px have no frequency in some of 32 bins: what lies between the neighbours stands there."""
    from degradekit.audit import spectrum

    noise = np.random.default_rng(0).normal(0, 20, (24, 24)).astype(np.float32)
    assert spectrum.radial_power(noise)[3:].min() > 3
    found = spectrum.follow(noise, noise)
    assert np.allclose(found.transfer, 1)
    assert found.out[3:].min() > 3
