import argparse
import pickle
import re

import pytest
import torch
from safetensors.torch import save_file

import degradekit_models
from degradekit_models.archs import build
from degradekit_models.archs.basicvsr import BasicVSR
from degradekit_models.archs.edvr import EDVR
from degradekit_models.archs.gfpgan import GFPGANBilinear, GFPGANv1, GFPGANv1Clean
from degradekit_models.archs.spynet import SpyNet
from degradekit_models.archs.srresnet import MSRResNet
from degradekit_models.archs.stylegan2 import StyleGAN2GeneratorClean
from degradekit_models.archs.vgg import VGG19Features
from degradekit_models.checkpoints import load_checkpoint, load_weights, read_checkpoint
from degradekit_models.errors import CheckpointError


@pytest.fixture
def net():
    torch.manual_seed(0)
    return MSRResNet(num_feat=8, num_block=2, upscale=2)


def _equal(a, b):
    return list(a.state_dict()) == list(b.state_dict()) and all(
        torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    )


@pytest.mark.parametrize(
    "form", ["flat", "before 1.6", "params", "params_ema", "state_dict", "module", "compiled", "safetensors"]
)
def test_every_container_is_read(tmp_path, net, form):
    state = net.state_dict()
    path = tmp_path / ("net.safetensors" if form == "safetensors" else "net.pth")
    if form == "safetensors":
        save_file(state, path)
    elif form == "before 1.6":  # the pickle format of the first ESRGAN files
        torch.save(state, path, _use_new_zipfile_serialization=False)
    elif form in ("flat", "module", "compiled"):
        prefix = {"flat": "", "module": "module.", "compiled": "_orig_mod."}[form]
        torch.save({prefix + k: v for k, v in state.items()}, path)
    else:
        torch.save({form: state, "iter": 7}, path)
    again = degradekit_models.load_checkpoint(path)
    assert isinstance(again, MSRResNet)
    assert not again.training
    assert _equal(again, net)


def test_averaged_weights_come_first_unless_others_are_asked_for(tmp_path, net):
    path = tmp_path / "net.pth"
    zeros = {k: torch.zeros_like(v) for k, v in net.state_dict().items()}
    torch.save({"params": zeros, "params_ema": net.state_dict()}, path)
    assert read_checkpoint(path).key == "params_ema"
    assert _equal(load_checkpoint(path), net)
    assert load_checkpoint(path, key="params").conv_first.weight.abs().max() == 0
    with pytest.raises(CheckpointError, match="has no 'params_raw'; it holds params, params_ema"):
        load_checkpoint(path, key="params_raw")


def test_mmagic_files_give_the_averaged_generator(tmp_path, net):
    def theirs(state, prefix):
        return {prefix + k.replace("upconv1.", "upsample1.upsample_conv."): v for k, v in state.items()}

    zeros = {k: torch.zeros_like(v) for k, v in net.state_dict().items()}
    state = theirs(zeros, "generator.") | theirs(net.state_dict(), "generator_ema.")
    state |= {"step_counter": torch.zeros(1), "discriminator.conv.weight": torch.zeros(1)}
    path = tmp_path / "mmagic.pth"
    torch.save({"meta": {"epoch": 3}, "state_dict": state}, path)
    checkpoint = read_checkpoint(path)
    assert (checkpoint.key, checkpoint.layout) == ("state_dict", "mmagic")
    assert _equal(load_checkpoint(path), net)


@pytest.mark.parametrize("column", [1, 2])
def test_original_esrgan_files_load(tmp_path, mappings, column):
    torch.manual_seed(0)
    small = build("rrdbnet_x4_23b", num_feat=4, num_grow_ch=2, num_block=23)
    names = {p[0]: p[column] for p in mappings["rrdbnet_layouts"]}
    torch.save({names[k]: v for k, v in small.state_dict().items()}, tmp_path / "old.pth")
    assert _equal(load_checkpoint(tmp_path / "old.pth"), small)


def test_stylegan2_pytorch_files_give_the_averaged_generator(tmp_path, mappings):
    torch.manual_seed(0)
    small = build("stylegan2_generator_1024_c2", num_style_feat=4, narrow=0.03125)
    names = {p[0]: p[1] for p in mappings["stylegan2_rosinality_to_basicsr"]}
    state = {names[k]: v for k, v in small.state_dict().items()}
    content = {"g": {}, "g_ema": state | {"to_rgbs.0.upsample.kernel": torch.zeros(4, 4)}, "latent_avg": torch.zeros(4)}
    torch.save(content, tmp_path / "ffhq.pt")
    assert _equal(load_checkpoint(tmp_path / "ffhq.pt"), small)


def test_a_flow_file_without_statistics_loads_alone_and_inside(tmp_path):
    torch.manual_seed(0)
    flow = SpyNet()
    path = tmp_path / "spynet.pth"
    torch.save({"params": {k: v for k, v in flow.state_dict().items() if k.startswith("basic_module")}}, path)
    assert _equal(load_checkpoint(path), flow)
    assert _equal(BasicVSR(8, 1, spynet_path=path).spynet, flow)


def test_a_decoder_loads_into_gfpgan(tmp_path):
    torch.manual_seed(0)
    decoder = StyleGAN2GeneratorClean(16, 8, num_mlp=1, channel_multiplier=1, narrow=0.0625)
    path = tmp_path / "decoder.pth"
    torch.save({"params_ema": decoder.state_dict()}, path)
    face = GFPGANv1Clean(16, 8, num_mlp=1, narrow=0.0625, decoder_load_path=path)
    assert _equal(face.stylegan_decoder, decoder)


def test_vgg_files_may_bring_their_classifier(tmp_path):
    torch.manual_seed(0)
    net = VGG19Features()
    path = tmp_path / "vgg19.pth"
    torch.save(net.state_dict() | {"classifier.0.weight": torch.zeros(2, 2)}, path)
    assert _equal(load_checkpoint(path), net)


def test_a_twin_network_is_loaded_by_building_it_first(tmp_path):
    torch.manual_seed(0)
    bilinear = GFPGANBilinear(16, 8, num_mlp=1, narrow=0.0625)
    path = tmp_path / "face.pth"
    torch.save(bilinear.state_dict(), path)
    assert isinstance(load_checkpoint(path), GFPGANv1)  # equal names and shapes
    other = GFPGANBilinear(16, 8, num_mlp=1, narrow=0.0625)
    load_weights(other, path)
    assert _equal(other, bilinear)


def test_a_named_network_must_be_the_one_in_the_file(tmp_path, net):
    path = tmp_path / "net.pth"
    compact = build("srvgg_animevideov3")
    torch.save({"params": compact.state_dict()}, path)
    assert _equal(load_checkpoint(path, arch="srvgg_animevideov3"), compact)
    torch.save(net.state_dict(), path)
    with pytest.raises(CheckpointError, match="not those of SRVGGNetCompact"):
        load_checkpoint(path, arch="srvgg_animevideov3")


def test_half_precision_files_load_in_full(tmp_path, net):
    path = tmp_path / "half.pth"
    torch.save({k: v.half() for k, v in net.state_dict().items()}, path)
    again = load_checkpoint(path)
    assert again.conv_first.weight.dtype == torch.float32
    assert torch.equal(again.conv_first.weight, net.conv_first.weight.half().float())


def test_what_does_not_fit_is_counted_and_named(tmp_path, net):
    state = net.state_dict()
    state["extra.weight"] = torch.zeros(1)
    del state["conv_hr.bias"]
    state["conv_last.weight"] = torch.zeros(3, 9, 3, 3)
    path = tmp_path / "odd.pth"
    torch.save({"params": state}, path)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    with pytest.raises(CheckpointError) as caught:
        load_weights(net, path)
    message = str(caught.value)
    for part in (
        "odd.pth (params, BasicSR names)",
        "not those of MSRResNet",
        "1 missing (conv_hr.bias)",
        "1 left over (extra.weight)",
        "conv_last.weight is (3, 9, 3, 3), not (3, 8, 3, 3)",
    ):
        assert part in message
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


def test_files_with_other_objects_are_refused_unrun(tmp_path):
    path = tmp_path / "evil.pth"
    torch.save({"params": argparse.Namespace(a=1)}, path)
    with pytest.raises(CheckpointError, match=r"argparse\.Namespace, which safe loading refuses"):
        read_checkpoint(path)


class Malicious:
    """Runs a command when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        import os

        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("form", ["zip", "before 1.6", "bare pickle"])
def test_malicious_pickles_are_refused_with_the_name_of_what_they_call(tmp_path, net, form):
    path, mark = tmp_path / "evil.pth", tmp_path / "ran"
    content = {"params": net.state_dict(), "extra": Malicious(mark)}
    if form == "bare pickle":
        path.write_bytes(pickle.dumps({"extra": Malicious(mark)}, protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form == "zip")
    with pytest.raises(CheckpointError, match=r"evil\.pth: (holds (posix|os)\.system, which|it is a pickle)"):
        load_checkpoint(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!DOCTYPE html><html><body>Not found", "a web page, as a download that failed leaves, 36 bytes"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a pointer of Git LFS, not the file itself"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "it is a picture, 48 bytes"),
        (b"\x1f\x8b" + bytes(20), "a gzip archive: unpack it"),
        (b"", "begins with b'', 0 bytes long"),
        (b"nonsense of some length", "begins with b'nonsense', 23 bytes"),
    ],
)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_foreign_files_are_told_by_what_they_are(tmp_path, content, words, suffix):
    path = tmp_path / f"net{suffix}"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=re.escape(words)):
        read_checkpoint(path)


def test_safetensors_are_known_under_any_name(tmp_path, net):
    save_file(net.state_dict(), tmp_path / "net.pth")
    assert _equal(load_checkpoint(tmp_path / "net.pth"), net)


@pytest.mark.parametrize("name", ["cut.pth", "cut.safetensors"])
def test_damaged_files_are_named(tmp_path, net, name):
    path = tmp_path / name
    if name.endswith("pth"):
        torch.save(net.state_dict(), path)
    else:
        save_file(net.state_dict(), path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(CheckpointError, match=r"cut\.\w+: "):
        read_checkpoint(path)


def test_files_without_weights_say_what_they_hold(tmp_path):
    for content, words in (
        ({"epoch": 3, "iter": 10}, "holds no weights, only epoch, iter"),
        ([torch.zeros(1)], "holds a list"),
    ):
        torch.save(content, tmp_path / "net.pth")
        with pytest.raises(CheckpointError, match=words):
            read_checkpoint(tmp_path / "net.pth")
    with pytest.raises(CheckpointError, match="no such file"):
        read_checkpoint(tmp_path / "missing.pth")


def test_an_unknown_network_is_shown_with_its_file(tmp_path):
    torch.save({"encoder.weight": torch.zeros(2)}, tmp_path / "net.pth")
    with pytest.raises(CheckpointError, match=r"net.pth: detect: no known network among 1 tensors"):
        load_checkpoint(tmp_path / "net.pth")


def test_a_window_network_of_the_first_release_loads(tmp_path, mappings):
    torch.manual_seed(0)
    net = EDVR(num_feat=16, num_frame=3, deformable_groups=2, num_extract_block=2, num_reconstruct_block=3)
    names = dict(mappings["edvr_original_layout"])
    torch.save({names[k]: v for k, v in net.state_dict().items()}, tmp_path / "edvr.pth")
    again = load_checkpoint(tmp_path / "edvr.pth").eval()
    assert _equal(again, net)
    x = torch.rand(1, 3, 3, 8, 8)
    with torch.no_grad():
        assert torch.equal(again(x), net.eval()(x))
