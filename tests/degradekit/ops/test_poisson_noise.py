import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from degradekit.errors import OpError
from degradekit.fields import split_field
from degradekit.ops.poisson_noise import PoissonNoise, PoissonNoiseDraw, content_peak
from degradekit.poisson import level_table, poisson_field
from degradekit.rng import Draws, philox4x32, sample_key
from degradekit.types import Geometry

FIELD = Draws(sample_key(0, "cat.png", 0), "noise").field("noise")
LUMA = np.array([0.299, 0.587, 0.114])


def make(form="content", scale=1.0, photons=0.0, grey=False):
    return PoissonNoiseDraw(form=form, scale=scale, photons=photons, grey=grey, field=FIELD)


def image(t=1, h=14, w=11):
    return np.random.default_rng(0).uniform(-0.1, 1.1, (t, h, w, 3)).astype(np.float32)


def signal(x, grey):
    return np.clip(x.astype(np.float64) @ LUMA if grey else x.astype(np.float64), 0, 1)


def levels_of(x, grey):
    return np.floor(255 * signal(x, grey) + 0.5).astype(np.int64)


def words(first, count):
    """The words of the field, in plain integers."""
    key, stream = (int(part) for part in split_field(FIELD))
    out = []
    for block in range(first // 4, (first + count + 3) // 4):
        counter = (block, 0, stream & 0xFFFFFFFF, stream >> 32)
        out.extend(philox4x32(counter, (key & 0xFFFFFFFF, key >> 32)))
    return np.array(out[first % 4 :][:count], np.int64)


def level_counts(levels, first, peak):
    """Counts of one frame by the alias method, in int64."""
    word = words(first, levels.size).reshape(levels.shape)
    column = word >> 24
    entry = level_table(peak).reshape(256, 256).astype(np.int64)[levels, column]
    taken = np.where(word % 2**24 < entry % 2**24, column, entry >> 24)
    return taken + np.maximum(levels * peak // 256 - 128, 0)


def definition(draw, x):
    """The op in float64 numpy; counts from the field's tables or from poisson_field."""
    frames = []
    for i, frame in enumerate(x):
        v = signal(frame, draw.grey)
        if draw.form == "content":
            levels = levels_of(frame, draw.grey)
            peak = 2 ** int(np.ceil(np.log2(len(np.unique(levels)))))
            noise = level_counts(levels, i * levels.size, peak) / peak - levels / 255
        else:
            photons = np.float32(np.broadcast_to(draw.photons, len(x))[i])
            rates = (v.astype(np.float32) * photons).astype(np.float32)
            noise = poisson_field(FIELD, rates, first=i * v.size) / np.float64(photons) - v
        scale = np.broadcast_to(draw.scale, len(x))[i]
        frames.append(np.clip(frame + scale * (noise[..., None] if draw.grey else noise), 0, 1))
    return np.stack(frames)


def off_by(draw, x):
    """Largest difference from the definition, where the level is not within a float32 rounding of a tie."""
    difference = np.abs(draw.apply(x) - definition(draw, x))
    if draw.form == "content":
        tie = np.abs((255 * signal(x, draw.grey)) % 1 - 0.5) < 1e-4
        difference[tie] = 0
    return difference.max()


def draws(op, count, t=1):
    return [op.draw(Draws(sample_key(0, f"{i}.png", 0), "noise"), Geometry(t, 8, 8)) for i in range(count)]


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("scale", [0.05, 1.0, (3.0, 0.0, 0.5)])
def test_content_equals_its_definition(grey, scale):
    x, draw = image(t=3), make(scale=scale, grey=grey)
    assert off_by(draw, x) < 3e-6


@pytest.mark.parametrize("photons", [1.0, 30.0, 1000.0, 1e6, (10.0, 1e5, 300.0)])
def test_photons_equal_their_definition(photons):
    x, draw = image(t=3), make("photons", photons=photons)
    assert off_by(draw, x) < 3e-6


def test_grey_photons_equal_their_definition():
    # The luma is rounded to float32 in another order, so that one count in a million may differ by one.
    x, draw = image(t=3), make("photons", photons=1000.0, grey=True)
    difference = np.abs(draw.apply(x) - definition(draw, x))
    assert np.mean(difference > 3e-6) < 1e-3
    assert difference.max() < 2e-3


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 3), st.integers(1, 40), st.integers(1, 40), st.booleans())
def test_every_size_equals_its_definition(t, h, w, grey):
    x, draw = image(t, h, w), make(scale=0.7, grey=grey)
    assert off_by(draw, x) < 3e-6


@pytest.mark.parametrize("draw", [make(scale=0.0), make("photons", 0.0, 20.0), make(scale=0.0, grey=True)])
def test_no_noise_only_clips(draw):
    x = image()
    assert np.array_equal(draw.apply(x), np.clip(x, 0, 1))


@pytest.mark.parametrize("draw", [make(), make("photons", photons=5.0), make(grey=True)])
def test_black_stays_black(draw):
    x = np.zeros((1, 30, 30, 3), np.float32)
    assert np.array_equal(draw.apply(x), x)


@pytest.mark.parametrize(("photons", "x"), [(20, 0.3017), (100, 0.0011), (100, 0.5), (3000, 0.0307), (1e5, 0.7)])
@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_photons_have_the_moments_of_light(photons, x, scale):
    picture = np.full((1, 500, 500, 3), x, np.float32)
    noise = make("photons", scale, photons).apply(picture).astype(np.float64) - float(np.float32(x))
    # With scale <= 1 nothing falls below 0, and white is more than 5 deviations away.
    n, rate = noise.size, x * photons
    assert abs(noise.mean()) < 4 * scale * np.sqrt(x / photons / n)
    assert noise.var() == pytest.approx(scale**2 * x / photons, rel=5 * np.sqrt((2 + 1 / rate) / n))


@pytest.mark.parametrize(("distinct", "levels"), [(256, 11.3), (200, 11.3), (100, 16.0), (64, 22.6), (33, 22.6)])
def test_content_has_the_strength_of_basicsr(distinct, levels):
    # At mid-grey sqrt(x / V), in 8-bit levels; measured upstream for 256 and 100 levels: 11.3 and 15.9.
    x = np.full((1, 600, 200, 3), 128 / 255, np.float32)
    others = [level for level in range(256) if level != 128][: distinct - 1]
    x[0, 0].reshape(-1)[: len(others)] = np.array(others) / 255
    noise = make().apply(x)[0, 1:].astype(np.float64) - 128 / 255
    peak = 2 ** np.ceil(np.log2(len(np.unique(levels_of(x, grey=False)))))
    assert noise.std() == pytest.approx(np.sqrt(128 / 255 / peak), rel=0.006)
    assert noise.std() * 255 == pytest.approx(levels, abs=0.1)
    assert abs(noise.mean()) < 4 * noise.std() / np.sqrt(noise.size)


def test_colour_counts_all_channels_and_grey_the_luma():
    x = np.zeros((1, 1, 4, 3), np.float32)
    x[0, 0, :, 0], x[0, 0, :, 1] = [0, 0.1, 0.2, 0.3], [0.4, 0.5, 0.6, 0.7]
    assert content_peak(x.reshape(-1), 1) == 8
    assert content_peak(x.reshape(-1), 3) == 4


@given(st.sets(st.integers(0, 255), min_size=1), st.integers(1, 30))
def test_peak_is_the_next_power_of_two(levels, repeats):
    x = np.tile(np.array(sorted(levels), np.float32) / 255, repeats)
    assert content_peak(x.astype(np.float32), 1) == 2 ** int(np.ceil(np.log2(len(levels))))


def test_levels_seen_late_count():
    x = np.zeros(100_000, np.float32)
    x[-200:] = np.arange(200) / 255
    assert content_peak(x, 1) == 256
    assert content_peak(x[:-100], 1) == 128


def test_content_looks_at_each_frame_alone():
    x = np.zeros((2, 16, 16, 3), np.float32)
    x[0, ..., :] = 1
    x[1] = (np.arange(256).reshape(16, 16, 1) / 255).astype(np.float32)
    y = make().apply(x)
    assert set(np.unique(y[0])) <= {0, 1}  # one level: V = 1, counts are whole
    assert len(np.unique(y[1])) > 100


@pytest.mark.parametrize("draw", [make(grey=True), make("photons", photons=200.0, grey=True)])
def test_grey_noise_is_the_same_in_every_channel(draw):
    x = np.random.default_rng(1).uniform(0.4, 0.6, (1, 60, 60, 3)).astype(np.float32)
    noise = draw.apply(x) - x
    assert np.abs(noise - noise[..., :1]).max() < 1e-6
    assert noise.std() > 0.01


@pytest.mark.parametrize("draw", [make(), make("photons", photons=50.0), make(grey=True)])
def test_what_is_not_a_number_stays_visible(draw):
    x = np.full((1, 8, 8, 3), 0.5, np.float32)
    x[0, 3, 3, 1] = np.nan
    found = np.argwhere(np.isnan(draw.apply(x)).any(axis=3))
    assert found.tolist() == [[0, 3, 3]]


def test_input_may_be_strided_and_is_untouched():
    x = image(h=40)[:, ::2, :, ::-1]
    before = x.copy()
    assert np.array_equal(make().apply(x), make().apply(before))
    assert np.array_equal(x, before)


def test_grey_needs_rgb():
    with pytest.raises(OpError, match="needs RGB, the clip has 1 channels"):
        make(grey=True).apply(np.zeros((1, 8, 8, 1), np.float32))


def test_ranges_and_chances():
    op = PoissonNoise.model_validate(
        {"form": {"content": 0.3, "photons": 0.7}, "scale_range": [0.05, 3], "grey_probability": 0.4}
    )
    drawn = draws(op, 2000)
    scales = np.array([d.scale for d in drawn])
    assert scales.min() >= 0.05
    assert scales.max() <= 3
    assert scales.mean() == pytest.approx(1.525, rel=0.05)
    assert np.mean([d.grey for d in drawn]) == pytest.approx(0.4, abs=0.05)
    assert np.mean([d.form == "photons" for d in drawn]) == pytest.approx(0.7, abs=0.05)
    assert all((d.photons == 0) == (d.form == "content") for d in drawn)
    photons = np.array([d.photons for d in drawn if d.form == "photons"])
    assert np.log10(photons).mean() == pytest.approx(3, abs=0.1)


def test_numbers_may_follow_the_frames():
    op = PoissonNoise.model_validate({"scale_range": {"uniform": [0.5, 1], "over_time": "iid"}})
    (draw,) = draws(op, 1, t=3)
    assert len(set(draw.scale)) == 3
    assert PoissonNoiseDraw.from_json(draw.to_json()) == draw


@pytest.mark.parametrize("ranges", [{"scale_range": -1}, {"photons_range": [0, 10]}, {"grey_probability": 1.5}])
def test_impossible_ranges_are_refused(ranges):
    with pytest.raises(ValidationError):
        PoissonNoise.model_validate(ranges)


@pytest.mark.parametrize(
    ("distinct", "levels", "content"),
    [(256, 11.3, 11.3), (100, 11.3, 16.0), (16, 11.3, 45.2), (2, 11.3, 127.8), (1, 11.3, 180.7)],
)
def test_few_levels_do_not_make_noise_unless_asked_for(distinct, levels, content):
    """Standard deviation at mid-grey in 8-bit levels: the code of BasicSR destroys drawings and flat crops."""
    x = np.full((1, 200, 200, 3), 128 / 255, np.float32)
    others = np.setdiff1d(np.arange(256), [128])[: distinct - 1]
    x.reshape(-1)[: len(others)] = others / np.float32(255)
    for form, want in (("levels", levels), ("content", content)):
        noise = (make(form=form, scale=0.1).apply(x) - x)[:, 1:] / 0.1
        assert abs(255 * noise.std() / want - 1) < 0.02
        assert abs(noise.mean()) < 4 * noise.std() / noise.size**0.5 + 1e-4


def test_levels_are_content_on_a_photograph_bit_for_bit():
    x = np.random.default_rng(1).random((2, 64, 64, 3), np.float32)
    for grey in (False, True):
        a, b = make(form="levels", grey=grey).apply(x), make(form="content", grey=grey).apply(x)
        np.testing.assert_array_equal(a, b)


def test_the_byte_range_of_mmagic_makes_the_noise_sixteen_times_weaker():
    x = np.random.default_rng(1).uniform(127.5, 128.5, (1, 200, 200, 3)).astype(np.float32) / np.float32(255)
    x.reshape(-1)[:256] = np.arange(256) / np.float32(255)
    op = PoissonNoise.model_validate({"form": "content", "compat": {"byte_range": True}})
    draw = op.draw(Draws(sample_key(0, "cat.png", 0), "noise"), Geometry(1, 200, 200))
    assert draw.form == "content_bytes"
    weak, true = (255 * (d.apply(x) - x)[:, 1:].std() for d in (draw, make()))
    assert abs(weak - 0.71) < 0.01 and abs(true - 11.3) < 0.1
    assert abs(true / weak / 255**0.5 - 1) < 0.02
    with pytest.raises(ValidationError, match="byte_range is a fault of form content"):
        PoissonNoise.model_validate({"form": "levels", "compat": {"byte_range": True}})
