import itertools
import struct

import imagecodecs
import numpy as np
import pytest

from degradekit.errors import SourceError
from degradekit.source.colour import composite, to_srgb, unpremultiply

D65 = (0.3127, 0.3290, 1.0)
SRGB_PRIMARIES = (0.64, 0.33, 1.0, 0.30, 0.60, 1.0, 0.15, 0.06, 1.0)


def rgb_profile(gamma):
    return imagecodecs.cms_profile("rgb", whitepoint=D65, primaries=SRGB_PRIMARIES, gamma=gamma)


def table_profile(space, corners):
    """An ICC 2 profile that interpolates Lab between the corners of the device cube (lut8Type, two nodes an axis)."""
    n = len(space.strip())
    nodes = [corners(corner) for corner in itertools.product((0, 1), repeat=n)]
    clut = b"".join(bytes([round(lightness * 2.55), 128 + a, 128 + b]) for lightness, a, b in nodes)
    identity = struct.pack(">9i", *np.eye(3, dtype=int).ravel() * 65536)
    ramp = bytes(range(256))
    a2b = b"mft1" + bytes([0, 0, 0, 0, n, 3, 2, 0]) + identity + ramp * n + clut + ramp * 3
    a2b += bytes(-len(a2b) % 4)
    d50 = struct.pack(">3i", 63190, 65536, 54061)
    white = b"XYZ " + bytes(4) + d50
    size = 156 + len(a2b) + len(white)
    head = struct.pack(">I4sI4s4s4s6H", size, b"test", 0x02400000, b"prtr", space, b"Lab ", 2020, 1, 1, 0, 0, 0)
    head = (head + b"acsp" + bytes(28) + d50).ljust(128, b"\0")
    tags = struct.pack(">I4sII4sII", 2, b"A2B0", 156, len(a2b), b"wtpt", 156 + len(a2b), len(white))
    return head + tags + a2b + white


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


def test_ink_is_full_at_the_largest_value():
    def corners(ink):
        return (0, 0, 0) if ink[3] else (100 - 20 * sum(ink[:3]), 60 * (ink[1] - ink[0]), 60 * (ink[2] - ink[1]))

    inks = np.array([[[0, 0, 0, 0], [0, 0, 0, 255], [0, 255, 255, 0], [255, 0, 0, 0]]], np.uint8)
    white, black, red, cyan = to_srgb(inks, table_profile(b"CMYK", corners))[0].tolist()
    assert white == [255, 255, 255] and black == [0, 0, 0]
    assert red[0] > red[1] and red[0] > red[2] and cyan[0] < cyan[1]


def test_tables_are_evaluated_and_not_approximated(colours):
    def corners(rgb):
        r, g, b = rgb
        return 20 * r + 70 * g + 10 * b, 90 * (r - g), 45 * (r + g) - 90 * b

    profile = table_profile(b"RGB ", corners)
    exact = to_srgb(colours.astype(np.uint16) * 257, profile) / 257
    assert np.abs(to_srgb(colours, profile) - exact).max() <= 0.5


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
