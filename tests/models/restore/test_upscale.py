import numpy as np
import pytest
import torch

from degradekit_models.archs import build
from degradekit_models.archs.rrdbnet import RRDBNet
from degradekit_models.errors import ModelError
from degradekit_models.restore.pictures import Picture
from degradekit_models.restore.tiles import Tiling
from degradekit_models.restore.traits import traits_of
from degradekit_models.restore.upscale import Restorer, pick_device, resize


def restorer(golden, seeded, scale, **options):
    net = RRDBNet(num_feat=16, num_block=1, num_grow_ch=8, scale=scale)
    seeded(net, [r for r in golden.meta["rules"] if r["kind"] != "const"])
    with torch.no_grad():
        net.conv_last.bias.fill_(0.5)
    return Restorer(net, device="cpu", **options)


def picture_of(levels):
    """From OpenCV's order, as the stored inputs are."""
    bits = 8 * levels.itemsize
    values = levels.astype(np.float32) / (2**bits - 1)
    if values.ndim == 2:
        return Picture(np.repeat(values[..., None], 3, axis=2), bits=bits, grey=True)
    alpha = values[..., 3] if values.shape[2] == 4 else None
    return Picture(np.ascontiguousarray(values[..., 2::-1]), alpha, bits=bits)


def levels_of(picture):
    top = 2**picture.bits - 1
    if picture.grey:
        return (picture.rgb[..., 0] * top).round()
    out = picture.rgb[..., ::-1]
    return ((out if picture.alpha is None else np.dstack((out, picture.alpha))) * top).round()


@pytest.mark.parametrize(
    ("name", "source", "scale", "outscale"),
    [
        ("x4_plain", "bgr_u8", 4, None),
        ("x2_oddsize", "bgr_u8", 2, None),
        ("x4_outscale3.5", "bgr_u8", 4, 3.5),
        ("x4_rgba", "bgra_u8", 4, None),
        ("x4_u16", "bgr_u16", 4, None),
        ("x4_gray", "gray_u8", 4, None),
    ],
)
def test_pictures_equal_those_of_the_published_inference(golden, seeded, name, source, scale, outscale):
    g = golden("inference")
    out = levels_of(restorer(g, seeded, scale).picture(picture_of(g.arrays[f"in_{source}"]), outscale))
    expected = g.arrays[f"enhance_{name}"].astype(np.float64)
    # Theirs resizes after rounding, and turns the rounded colours into grey.
    allowed = 2 if source == "bgr_u16" else 1
    assert np.abs(out[::3, ::3] - expected).max() <= allowed


def test_tiles_give_the_same_picture(golden, seeded):
    g = golden("inference")
    source = picture_of(g.arrays["in_bgr_u8"])
    for scale in (4, 2):
        whole = restorer(g, seeded, scale).picture(source)
        tiled = restorer(g, seeded, scale, tiling=Tiling(8, overlap=64, batch=4)).picture(source)
        assert np.abs(levels_of(whole) - levels_of(tiled)).max() <= 1


def test_half_precision_is_close(golden, seeded):
    g = golden("inference")
    source = picture_of(g.arrays["in_bgra_u8"])
    full, half = (restorer(g, seeded, 4, half=h, channels_last=h).picture(source) for h in (False, True))
    assert np.abs(levels_of(full) - levels_of(half)).max() <= 4


def test_networks_for_grey_restore_the_channels_one_by_one():
    torch.manual_seed(0)
    net = build("srvgg_animevideov3", num_in_ch=1, num_out_ch=1, num_feat=4, num_conv=1)
    grey = Restorer(net, device="cpu")
    rgb = np.random.default_rng(0).random((6, 5, 3), np.float32)
    out = grey.picture(Picture(rgb)).rgb
    with torch.no_grad():
        for c in range(3):
            one = net(torch.from_numpy(rgb[None, None, ..., c])).clamp(0, 1)[0, 0].numpy()
            np.testing.assert_allclose(out[..., c], one, atol=1e-6)


@pytest.mark.parametrize("outscale", [0.5, 1, 1.7, 6])
def test_any_scale_is_reached(outscale):
    torch.manual_seed(0)
    net = Restorer(build("srvgg_animevideov3", num_feat=4, num_conv=1), device="cpu")
    alpha = np.linspace(0, 1, 35, dtype=np.float32).reshape(5, 7)
    out = net.picture(Picture(np.full((5, 7, 3), 0.5, np.float32), alpha), outscale)
    assert out.rgb.shape == (int(5 * outscale), int(7 * outscale), 3)
    assert out.alpha.shape == out.rgb.shape[:2]
    with pytest.raises(ModelError, match="raise --outscale"):
        net.picture(Picture(np.zeros((1, 1, 3), np.float32)), 0.5)


def test_reduction_averages_what_lanczos_would_skip():
    stripes = np.zeros((8, 64), np.float32)
    stripes[:, ::2] = 1
    assert np.abs(resize(stripes, (2, 16)) - 0.5).max() < 1e-6


def test_what_cannot_restore_pictures_is_refused():
    with pytest.raises(ModelError, match="UNetDiscriminatorSN restores no pictures"):
        traits_of(build("unet_discriminator_sn", num_feat=4))
    from degradekit_models.archs.gfpgan import GFPGANv1Clean

    with pytest.raises(ModelError, match="restores aligned faces"):
        traits_of(GFPGANv1Clean(16, 8, num_mlp=1, narrow=0.0625))
    with pytest.raises(ModelError, match="--device nonsense"):
        pick_device("nonsense")
    clip = Restorer(build("basicvsr", num_feat=4, num_block=1), device="cpu")
    with pytest.raises(ModelError, match="give a video"):
        clip.picture(Picture(np.zeros((4, 4, 3), np.float32)))


def test_memory_that_runs_out_is_told_with_a_remedy(monkeypatch):
    net = Restorer(build("srvgg_animevideov3", num_feat=4, num_conv=1), device="cpu", tiling=Tiling(64))

    def full(tile):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(net, "_net", full)
    with pytest.raises(ModelError, match="try --tile 32"):
        net.picture(Picture(np.zeros((4, 4, 3), np.float32)))
