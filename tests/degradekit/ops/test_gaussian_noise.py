import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from degradekit.errors import OpError
from degradekit.fields import normal_field
from degradekit.ops.gaussian_noise import GaussianNoise, GaussianNoiseDraw
from degradekit.ops.normal_noise import draw_mix, random_rotation
from degradekit.rng import Draws, sample_key
from degradekit.types import Geometry

FIELD = Draws(sample_key(0, "cat.png", 0), "noise").field("noise")
MIX = (0.9, 0.0, 0.0, 0.3, 0.6, 0.0, 0.2, 0.1, 0.7)
KINDS = ["independent", "grey", "chroma", "full"]


def make(correlation="independent", sigma=0.05):
    mix = MIX if correlation == "full" else draw_mix(correlation, Draws(0))
    return GaussianNoiseDraw(sigma=sigma, correlation=correlation, mix=mix, field=FIELD)


def draws(op, count):
    return [op.draw(Draws(sample_key(0, f"{i}.png", 0), "noise"), Geometry(1, 8, 8)) for i in range(count)]


def image(t=1, h=20, w=31, c=3):
    return np.random.default_rng(0).uniform(-0.1, 1.1, (t, h, w, c)).astype(np.float32)


def definition(draw, x):
    """The op in float64 numpy."""
    t, h, w = x.shape[:3]
    field = {
        "independent": lambda: normal_field(FIELD, x.size).reshape(x.shape),
        "grey": lambda: np.repeat(normal_field(FIELD, t * h * w).reshape(t, h, w, 1), 3, axis=3),
        "chroma": lambda: normal_field(FIELD, 4 * t * h * w).reshape(t, h, w, 4)[..., :3],
        "full": lambda: normal_field(FIELD, 4 * t * h * w).reshape(t, h, w, 4)[..., :3],
    }[draw.correlation]
    noise = field().astype(np.float64)
    if draw.mix:
        noise = noise @ np.array(draw.mix).reshape(3, 3).T
    sigma = np.broadcast_to(np.array(draw.sigma, np.float64), t).reshape(t, 1, 1, 1)
    return np.clip(x + sigma * noise, 0, 1)


@pytest.mark.parametrize("correlation", KINDS)
@pytest.mark.parametrize("sigma", [0.0, 1 / 255, 0.1, 1.0, (0.02, 0.0, 0.3)])
def test_equals_its_definition(correlation, sigma):
    x = image(t=3)
    draw = make(correlation, sigma)
    assert np.abs(draw.apply(x) - definition(draw, x)).max() < 2e-6


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3), st.integers(1, 40), st.integers(1, 40), st.sampled_from(KINDS))
def test_every_size_equals_its_definition(t, h, w, correlation):
    x, draw = image(t, h, w), make(correlation)
    assert np.abs(draw.apply(x) - definition(draw, x)).max() < 1e-6


@pytest.mark.parametrize("correlation", KINDS)
def test_no_noise_only_clips(correlation):
    x = image()
    assert np.array_equal(make(correlation, 0.0).apply(x), np.clip(x, 0, 1))


def test_strength_is_sigma():
    noise = make(sigma=0.05).apply(np.full((1, 300, 300, 3), 0.5, np.float32)).astype(np.float64) - 0.5
    assert abs(noise.mean()) < 4 * 0.05 / np.sqrt(noise.size)
    assert noise.std() == pytest.approx(0.05, rel=4 / np.sqrt(2 * noise.size))
    assert np.abs(np.corrcoef(noise.reshape(-1, 3).T) - np.eye(3)).max() < 4 / np.sqrt(noise.size / 3)


def test_grey_noise_is_the_same_in_every_channel():
    noise = make("grey").apply(np.full((1, 50, 50, 3), 0.5, np.float32)) - 0.5
    assert (noise == noise[..., :1]).all()
    assert noise.std() == pytest.approx(0.05, rel=0.06)


def test_chroma_noise_leaves_the_luma():
    noise = make("chroma").apply(np.full((1, 200, 200, 3), 0.5, np.float32)).astype(np.float64) - 0.5
    red, green, blue = np.moveaxis(noise, -1, 0)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    assert np.abs(luma).max() < 1e-6
    cb, cr = (blue - luma) / 1.772, (red - luma) / 1.402
    assert cb.std() == pytest.approx(0.05, rel=0.02)
    assert cr.std() == pytest.approx(0.05, rel=0.02)
    assert abs(np.corrcoef(cb.ravel(), cr.ravel())[0, 1]) < 4 / 200


def test_full_noise_has_the_covariance_of_its_mix():
    noise = make("full").apply(np.full((1, 400, 400, 3), 0.5, np.float32)).astype(np.float64) - 0.5
    m = np.array(MIX).reshape(3, 3)
    assert np.cov(noise.reshape(-1, 3).T) / 0.05**2 == pytest.approx(m @ m.T, abs=4 * 1.5 / 400)


def test_frames_have_their_own_noise():
    noise = make().apply(np.full((2, 40, 40, 3), 0.5, np.float32)) - 0.5
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 4 / np.sqrt(noise[0].size)


def test_what_is_not_a_number_stays_visible():
    x = np.full((1, 8, 8, 3), 0.5, np.float32)
    x[0, 3, 3, 1] = np.nan
    assert np.flatnonzero(np.isnan(make().apply(x))).tolist() == [(3 * 8 + 3) * 3 + 1]


def test_input_may_be_strided_and_is_untouched():
    x = image(h=40)[:, ::2, :, ::-1]
    before = x.copy()
    assert np.array_equal(make().apply(x), make().apply(before))
    assert np.array_equal(x, before)


def test_one_channel():
    x = image(c=1)
    assert np.abs(make().apply(x) - definition(make(), x)).max() < 1e-6
    with pytest.raises(OpError, match="needs RGB, the clip has 1 channels"):
        make("grey").apply(x)


def test_ranges_and_chances():
    op = GaussianNoise.model_validate(
        {"sigma_range": ["1/255", "30/255"], "correlation": {"independent": 0.6, "grey": 0.4}}
    )
    drawn = draws(op, 2000)
    sigmas = np.array([d.sigma for d in drawn])
    assert sigmas.min() >= 1 / 255
    assert sigmas.max() <= 30 / 255
    assert sigmas.mean() == pytest.approx(15.5 / 255, rel=0.03)
    assert np.mean([d.correlation == "grey" for d in drawn]) == pytest.approx(0.4, abs=0.05)
    assert len({d.field for d in drawn}) == len(drawn)


def test_sigma_above_one_is_refused():
    with pytest.raises(ValidationError, match="write 25/255"):
        GaussianNoise.model_validate({"sigma_range": [1, 25]})


def test_random_covariances():
    drawn = draws(GaussianNoise.model_validate({"sigma_range": 0.1, "correlation": "full"}), 4000)
    m = np.array([d.mix for d in drawn]).reshape(-1, 3, 3)
    assert np.array_equal(m, np.tril(m))
    covariance = m @ m.transpose(0, 2, 1)
    variance = covariance[:, range(3), range(3)]
    assert covariance.min() >= 0
    assert variance.max() <= 1
    assert variance.mean(axis=0) == pytest.approx(0.5, abs=0.02)
    correlation = covariance[:, [0, 0, 1], [1, 2, 2]] / np.sqrt(variance[:, [0, 0, 1]] * variance[:, [1, 2, 2]])
    assert correlation.mean(axis=0) == pytest.approx(0.24, abs=0.02)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_rotations_are_rotations(a, b, c):
    r = np.array(random_rotation(a, b, c))
    assert r @ r.T == pytest.approx(np.eye(3), abs=1e-12)
    assert np.linalg.det(r) == pytest.approx(1)
