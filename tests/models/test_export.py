import numpy as np
import pytest
import torch

from degradekit_models.archs import build
from degradekit_models.archs.edvr import EDVR
from degradekit_models.archs.gfpgan import GFPGANv1Clean
from degradekit_models.errors import ModelError
from degradekit_models.export import export

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def small(name):
    options = {
        "rrdbnet_x2_23b": {"num_feat": 4, "num_block": 1, "num_grow_ch": 4},
        "srvgg_animevideov3": {"num_feat": 4, "num_conv": 1},
        "msrresnet_x3": {"num_feat": 4, "num_block": 1},
    }
    return build(name, **options[name]).eval()


@pytest.mark.parametrize("name", ["rrdbnet_x2_23b", "srvgg_animevideov3", "msrresnet_x3"])
def test_onnx_runs_elsewhere_at_any_size(tmp_path, name):
    onnxruntime = pytest.importorskip("onnxruntime")
    net = small(name)
    assert export(net, tmp_path / "net.onnx", size=(32, 24)) < 1e-5
    assert [p.name for p in tmp_path.iterdir()] == ["net.onnx"]
    session = onnxruntime.InferenceSession(str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"])
    x = torch.rand(3, 3, 18, 42)
    with torch.no_grad():
        expected = net(x).numpy()
    np.testing.assert_allclose(session.run(None, {"input": x.numpy()})[0], expected, atol=1e-5)


@pytest.mark.parametrize("suffix", [".ts", ".pt2"])
def test_torch_formats_run_at_any_size(tmp_path, suffix):
    net = small("srvgg_animevideov3")
    assert export(net, tmp_path / f"net{suffix}") < 1e-6
    path = str(tmp_path / f"net{suffix}")
    again = torch.jit.load(path) if suffix == ".ts" else torch.export.load(path).module()
    x = torch.rand(2, 3, 20, 30)
    with torch.no_grad():
        torch.testing.assert_close(again(x), net(x))


def test_faces_are_exported_with_their_stored_noise(tmp_path):
    net = GFPGANv1Clean(8, 8, num_mlp=1, narrow=0.0625, input_is_latent=True, different_w=True, sft_half=True).eval()
    assert export(net, tmp_path / "face.ts") < 1e-6
    x = torch.rand(1, 3, 8, 8) * 2 - 1
    with torch.no_grad():
        expected = net(x, randomize_noise=False)[0]
        torch.testing.assert_close(torch.jit.load(str(tmp_path / "face.ts"))(x), expected)


def test_windows_are_exported_for_one_size(tmp_path):
    net = EDVR(num_feat=8, num_frame=1, deformable_groups=2, num_extract_block=1, num_reconstruct_block=1)
    assert export(net, tmp_path / "edvr.ts", size=(9, 11)) < 1e-6


def test_numbers_that_differ_are_not_kept(tmp_path, monkeypatch):
    from degradekit_models import export as module

    def wrong(net, example, path, free):
        path.write_bytes(b"")
        return lambda x: net(x) * 1.01

    monkeypatch.setitem(module._WRITERS, "torchscript", wrong)
    with pytest.raises(ModelError, match="differ from the network's"):
        export(small("msrresnet_x3"), tmp_path / "net.ts")
    assert not list(tmp_path.iterdir())
    with pytest.raises(ModelError, match=r"\.bin is no format"):
        export(small("msrresnet_x3"), tmp_path / "net.bin")
    with pytest.raises(ModelError, match="restores no pictures"):
        export(build("unet_discriminator_sn", num_feat=4), tmp_path / "net.ts")
