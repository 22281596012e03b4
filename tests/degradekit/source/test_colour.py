import imagecodecs
import numpy as np
import pytest

from degradekit.errors import SourceError
from degradekit.source.colour import composite, to_srgb, unpremultiply

D65 = (0.3127, 0.3290, 1.0)
SRGB_PRIMARIES = (0.64, 0.33, 1.0, 0.30, 0.60, 1.0, 0.15, 0.06, 1.0)


def rgb_profile(gamma):
    return imagecodecs.cms_profile("rgb", whitepoint=D65, primaries=SRGB_PRIMARIES, gamma=gamma)


def srgb_encoded(linear):
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.fixture
def colours():
    return np.random.default_rng(1).integers(0, 256, (40, 50, 3), dtype=np.uint8)


def test_profile_of_another_gamma_is_converted_by_the_curves(colours):
    converted = to_srgb(colours, rgb_profile(1.8))
    expected = srgb_encoded((colours / 255) ** 1.8) * 255
    assert np.abs(converted - expected).max() <= 1
    assert np.abs(converted.astype(int) - colours).max() > 15


def test_sixteen_bits_stay_sixteen_bits(colours):
    fine = colours.astype(np.uint16) * 257 - np.minimum(colours, 91)
    converted = to_srgb(fine, rgb_profile(1.8))
    expected = srgb_encoded((fine / 65535) ** 1.8) * 65535
    assert converted.dtype == np.uint16
    assert np.abs(converted - expected).max() <= 40  # of 65535: Little CMS evaluates in single precision


def test_wide_gamut_in_sixteen_bits_agrees_with_eight(colours):
    wide = imagecodecs.cms_profile("adobergb")
    eight, sixteen = to_srgb(colours, wide), to_srgb(colours.astype(np.uint16) * 257, wide)
    assert np.abs(sixteen / 257 - eight).max() < 1


def test_grey_stays_grey_under_every_profile():
    ramp = np.arange(256, dtype=np.uint8).reshape(1, 256, 1)
    for profile in (imagecodecs.cms_profile("gray", gamma=1.8), rgb_profile(1.8)):
        converted = to_srgb(ramp, profile)
        assert (converted == converted[..., :1]).all()
        assert np.abs(converted[..., 0] - srgb_encoded((ramp[..., 0] / 255) ** 1.8) * 255).max() <= 1


def test_srgb_under_any_name_changes_nothing(colours):
    curve = np.linspace(0, 1, 1024)
    linear = np.where(curve <= 0.04045, curve / 12.92, ((curve + 0.055) / 1.055) ** 2.4).astype(np.float32)
    table = imagecodecs.cms_profile("rgb", whitepoint=D65, primaries=SRGB_PRIMARIES, transferfunction=linear)
    assert table != imagecodecs.cms_profile("srgb")
    for profile in (table, imagecodecs.cms_profile("srgb"), None):
        assert to_srgb(colours, profile) is colours


def test_plain_cmyk_is_light_times_light():
    ink = np.random.default_rng(2).integers(0, 256, (6, 7, 4), dtype=np.uint8)
    light = (1 - ink[..., :3] / 255) * (1 - ink[..., 3:] / 255)
    assert np.abs(to_srgb(ink, None) - light * 255).max() <= 0.5
    fine = ink.astype(np.uint16) * 257
    assert np.abs(to_srgb(fine, None) - light * 65535).max() <= 0.5


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        (b"junk", "set extract.icc to ignore"),
        (imagecodecs.cms_profile("gray", gamma=2.2), "is for b'GRAY', the image has 3 channels"),
        (imagecodecs.cms_profile("srgb")[:200], "cannot be used"),
    ],
)
def test_unusable_profile_is_refused(colours, profile, words):
    with pytest.raises(SourceError, match=r"shot.png.*profile") as caught:
        to_srgb(colours, profile, uri="shot.png")
    assert words in str(caught.value)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(("policy", "behind"), [("white", 1.0), ("black", 0.0)])
def test_composite_is_the_mix_to_nearest(dtype, policy, behind):
    full = np.iinfo(dtype).max
    rng = np.random.default_rng(3)
    rgb = rng.integers(0, full + 1, (9, 9, 3)).astype(dtype)
    alpha = rng.integers(0, full + 1, (9, 9)).astype(dtype)
    rgb[0], alpha[0] = full, full
    opacity = alpha[..., None] / full
    mixed = composite(rgb, alpha, policy, uri="a.png")
    assert mixed.dtype == dtype
    assert np.abs(mixed - (rgb * opacity + behind * full * (1 - opacity))).max() <= 0.5 + 1e-6


def test_other_alpha_policies(colours):
    alpha = np.full((40, 50), 255, np.uint8)
    for policy in ("white", "black", "drop", "refuse"):
        assert composite(colours, alpha, policy, uri="a.png") is colours
    alpha[:20] = 254
    assert composite(colours, alpha, "drop", uri="a.png") is colours
    with pytest.raises(SourceError, match=r"a\.png: 50\.0% of the pixels are transparent; set extract\.alpha"):
        composite(colours, alpha, "refuse", uri="a.png")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_unpremultiply_undoes_the_product(dtype):
    full = np.iinfo(dtype).max
    alpha = np.linspace(1, full, 50).round().astype(dtype).reshape(5, 10)
    straight = np.full((5, 10, 3), full, dtype)
    premultiplied = np.repeat(alpha[..., None], 3, axis=2)
    assert np.array_equal(unpremultiply(premultiplied, alpha), straight)
    assert not unpremultiply(premultiplied, np.zeros_like(alpha)).any()
