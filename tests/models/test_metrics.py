import numpy as np
import pytest

from degradekit_models.errors import ModelError
from degradekit_models.metrics import gmsd, gradient_energy, high_frequency_power, luma, psnr, ssim
from degradekit_models.niqe import NiqeModel, fit_niqe, niqe


@pytest.fixture
def pair(golden):
    """The published functions read the arrays as BGR."""
    g = golden("metrics")
    return g, g.arrays["in_a_hwc_u8"][..., ::-1], g.arrays["in_b_hwc_u8"][..., ::-1]


@pytest.mark.parametrize("crop", [0, 4])
@pytest.mark.parametrize("y", [False, True])
def test_psnr_and_ssim_equal_the_published_ones(pair, crop, y):
    g, a, b = pair
    # Theirs rounds the luma to float32.
    tolerance = 1e-6 if y else 1e-12
    assert psnr(a, b, crop=crop, y=y) == pytest.approx(float(g.arrays[f"psnr_crop{crop}_y{int(y)}"]), rel=tolerance)
    assert ssim(a, b, crop=crop, y=y) == pytest.approx(float(g.arrays[f"ssim_crop{crop}_y{int(y)}"]), rel=tolerance)


def test_grey_pictures_and_luma_equal_the_published_ones(pair):
    g, a, b = pair
    assert psnr(a, a) == float("inf")
    assert psnr(a[..., 2], b[..., 2]) == pytest.approx(float(g.arrays["psnr_gray"]), rel=1e-12)
    assert ssim(a[..., 2], b[..., 2]) == pytest.approx(float(g.arrays["ssim_gray"]), rel=1e-12)
    np.testing.assert_allclose(luma(a), g.arrays["y_channel"][..., 0], atol=1e-4)


def test_gmsd_against_its_formula():
    """A step of height d in each, after halving: Prewitt's magnitude is d beside the step and 0 elsewhere."""
    a, b = np.zeros((16, 16), np.uint8), np.zeros((16, 16), np.uint8)
    a[:, 8:], b[:, 8:] = 60, 20
    beside = (2 * 60 * 20 + 170) / (60**2 + 20**2 + 170)
    assert gmsd(a, b) == pytest.approx(np.std([1.0] * 6 + [beside] * 2))
    assert gmsd(a, b) == gmsd(b, a)
    assert gmsd(np.stack([a] * 3, -1), np.stack([b] * 3, -1)) == pytest.approx(gmsd(a, b))


def test_blur_takes_sharpness_and_structure_away():
    import cv2

    (sharp,) = pictures(1, seed=3)
    blurred = [cv2.GaussianBlur(sharp, (0, 0), sigma) for sigma in (1.0, 2.0)]
    for measure in (gradient_energy, high_frequency_power):
        assert measure(sharp) > measure(blurred[0]) > measure(blurred[1])
    assert 0 < gmsd(sharp, blurred[0], crop=4) < gmsd(sharp, blurred[1], crop=4)
    with pytest.raises(ModelError, match="differ in size"):
        gmsd(sharp, sharp[1:])


def test_high_frequencies_are_those_beyond_the_cutoff():
    x = np.arange(128)
    slow, fast = (
        np.tile(128 + 50 * np.sin(2 * np.pi * f * x), (128, 1)).round().astype(np.uint8) for f in (1 / 16, 1 / 4)
    )
    assert high_frequency_power(fast) == pytest.approx(50**2 / 2, rel=0.01)
    assert high_frequency_power(slow) < 0.5
    assert high_frequency_power(fast.T) == pytest.approx(high_frequency_power(fast))


def test_pictures_that_cannot_be_compared_are_refused():
    a = np.zeros((12, 12, 3), np.uint8)
    for other, options, message in (
        (a[:8], {}, "12 x 12 x 3 and 8 x 12 x 3"),
        (a.astype(np.float32), {}, "take uint8"),
        (a, {"crop": 6}, "leaves nothing"),
    ):
        with pytest.raises(ModelError, match=message):
            psnr(a, other, **options)
    with pytest.raises(ModelError, match="needs 11 x 11"):
        ssim(a, a, crop=1)


def pictures(count, seed):
    """Something like photographs: sums of noise over octaves, with a power law, and a few edges."""
    import cv2

    rng = np.random.default_rng(seed)
    for _ in range(count):
        total = np.zeros((288, 288))
        for octave in range(7):
            small = rng.normal(size=(max(288 >> octave, 2),) * 2)
            total += cv2.resize(small, (288, 288), interpolation=cv2.INTER_CUBIC) * 1.6**octave
        total += 6 * (np.add.outer(np.arange(288), np.arange(288)) % 97 > 48)
        total = (total - total.mean()) / total.std()
        yield (128 + 50 * total).clip(0, 255).astype(np.uint8)


def test_niqe_rises_with_blur_and_noise(tmp_path):
    import cv2

    fit_niqe(pictures(8, 0)).save(tmp_path / "good.npz")
    model = NiqeModel.load(tmp_path / "good.npz")
    rng = np.random.default_rng(5)
    for picture in pictures(3, 1):
        good = niqe(picture, model)
        blurred = [niqe(cv2.GaussianBlur(picture, (0, 0), s), model) for s in (1, 2)]
        noisy = niqe((picture + rng.normal(0, 25, picture.shape)).clip(0, 255).astype(np.uint8), model)
        assert good < blurred[0] < blurred[1]
        assert good < noisy


def test_niqe_finds_the_parameters_of_its_distribution():
    from degradekit_models.niqe import _asymmetric

    rng = np.random.default_rng(0)
    shape, left, right = _asymmetric(rng.normal(0, 2, 400_000))
    assert shape == pytest.approx(2, abs=0.03)  # a Gaussian of scale sqrt(2) sigma
    assert left == pytest.approx(2 * 2**0.5, rel=0.02) and right == pytest.approx(2 * 2**0.5, rel=0.02)
    values = rng.laplace(0, 1, 400_000)
    shape, left, right = _asymmetric(np.where(values > 0, 3 * values, values))
    assert left < right


def test_niqe_says_what_it_needs(tmp_path):
    with pytest.raises(ModelError, match="0 sharp patches"):
        fit_niqe([])
    model = NiqeModel(np.zeros(36), np.eye(36))
    with pytest.raises(ModelError, match="96 x 96 is the least"):
        niqe(np.zeros((95, 200), np.uint8), model)
    assert np.isfinite(niqe(np.full((96, 96), 7, np.uint8), model))  # flat
    (tmp_path / "bad.npz").write_bytes(b"no")
    with pytest.raises(ModelError, match="is no NIQE model"):
        NiqeModel.load(tmp_path / "bad.npz")
    np.savez(tmp_path / "odd.npz", mean=np.zeros(3), covariance=np.eye(3))
    with pytest.raises(ModelError, match=r"of shape \(3,\)"):
        NiqeModel.load(tmp_path / "odd.npz")
