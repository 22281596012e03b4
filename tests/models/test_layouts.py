import pytest
import torch

from degradekit_models.archs.gfpgan import GFPGANBilinear, GFPGANv1Clean
from degradekit_models.layouts import LAYOUTS, bilinear_to_clean, to_basicsr

MMAGIC = {
    "mmagic_spynet": "spynet",
    "mmagic_basicvsr": "basicvsr",
    "mmagic_iconvsr_reds": "iconvsr_reds",
    "mmagic_iconvsr_vimeo90k": "iconvsr_vimeo90k",
    "mmagic_edvr_m": "edvr_m_x4_sr_reds",
    "mmagic_edvr_l": "edvr_l_x4_sr_reds",
    "mmagic_basicvsrpp_c64n7": "basicvsrpp_c64n7",
    "mmagic_basicvsrpp_c128n25_lowres": "basicvsrpp_c128n25_lowres",
    "mmagic_basicvsrpp_c128n25_samesize": "basicvsrpp_c128n25_samesize",
}


def _numbered(keys):
    """A state_dict whose values tell which key they came from."""
    return {key: torch.tensor(i) for i, key in enumerate(keys)}


@pytest.mark.parametrize("name", MMAGIC)
def test_mmagic_names_become_the_published_ones(manifests, name):
    shapes = {key: tuple(shape) for key, shape, *_ in manifests[name]["keys"]}
    theirs = {k: torch.empty(s, device="meta") for k, s in shapes.items()}
    named, layout = to_basicsr(theirs | {"step_counter": torch.zeros(1)})
    assert layout == "mmagic"
    expected = {key: tuple(shape) for key, shape, *_ in manifests[MMAGIC[name]]["keys"]}
    assert {k: tuple(v.shape) for k, v in named.items()} == expected


def test_mmagic_tensors_keep_their_partners(mappings):
    for ours, theirs in mappings["mmagic_to_basicsr"]:
        named, _ = to_basicsr({theirs: torch.zeros(1)} | {"upsample1.upsample_conv.weight": torch.zeros(1)})
        assert ours in named, (theirs, list(named))


@pytest.mark.parametrize(("column", "layout"), [(1, "ESRGAN (RRDB_trunk)"), (2, "ESRGAN (model.N)")])
def test_esrgan_names_become_the_published_ones(mappings, column, layout):
    pairs = mappings["rrdbnet_layouts"]
    named, found = to_basicsr(_numbered(p[column] for p in pairs))
    assert found == layout
    assert named == _numbered(p[0] for p in pairs)


@pytest.mark.parametrize("table", ["edvr_original_layout", "stylegan2_rosinality_to_basicsr"])
def test_other_original_names_become_the_published_ones(mappings, table):
    pairs = mappings[table]
    extra = {"to_rgbs.0.upsample.kernel": torch.zeros(4, 4)} if "style" in table else {}
    named, layout = to_basicsr(_numbered(p[1] for p in pairs) | extra)
    assert layout == ("stylegan2-pytorch" if extra else "EDVR (first release)")
    assert named == _numbered(p[0] for p in pairs)


def test_predeblur_of_the_low_resolution_network_has_its_own_first_name():
    named, _ = to_basicsr(_numbered(["pcd_align.L1_dcnpack.weight", "pre_deblur.conv_first.weight"]))
    assert list(named) == ["pcd_align.dcn_pack.l1.weight", "predeblur.conv_first.weight"]


def test_published_names_are_left_alone_and_no_two_layouts_claim_a_file(manifests, mappings):
    for name, manifest in manifests.items():
        if not name.startswith("mmagic_"):
            keys = _numbered(k for k, *_ in manifest["keys"])
            assert to_basicsr(keys) == (keys, "BasicSR"), name
    assert len({layout.name for layout in LAYOUTS}) == len(LAYOUTS)


@torch.no_grad()
def test_bilinear_gfpgan_becomes_a_clean_one_of_equal_output(golden, mappings):
    g = golden("gfpgan_bilinear_reduced")
    arguments = g.meta["constructor"]
    bilinear = g.fill(GFPGANBilinear(**arguments))
    clean = GFPGANv1Clean(**{k: v for k, v in arguments.items() if k != "lr_mlp"}).eval()
    converted = bilinear_to_clean(bilinear.state_dict())
    clean.load_state_dict(converted, strict=True)
    face, images = clean(g.input("x"), randomize_noise=False)
    g.check(out=face, **{f"out_rgb_{image.shape[-1]}": image for image in images})
    # The mapping network, which the published switches bypass:
    style = torch.randn(3, arguments["num_style_feat"])
    torch.testing.assert_close(clean.stylegan_decoder.style_mlp(style), bilinear.stylegan_decoder.style_mlp(style))
    named = {ours: theirs for ours, theirs, _ in mappings["gfpgan_bilinear_to_clean"]}
    assert {ours: theirs for ours, theirs in zip(converted, bilinear.state_dict(), strict=True) if ours in named} == {
        ours: theirs for ours, theirs in named.items() if ours in converted
    }
