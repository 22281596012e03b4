import pytest
import torch

from degradekit_models.archs.rrdbnet import RRDBNet
from degradekit_models.checkpoints import load_checkpoint, read_checkpoint
from degradekit_models.errors import CheckpointError, ModelError
from degradekit_models.interpolate import interpolate, save_weights


def small():
    return RRDBNet(num_feat=16, num_block=1, num_grow_ch=8, scale=4)


@torch.no_grad()
def test_mixed_weights_equal_the_published_ones(golden, tmp_path, seeded):
    g = golden("inference")
    a, b = small(), small()
    seeded(a, [r for r in g.meta["rules"] if r["kind"] != "const"])
    # The second network is drawn under other names, as the golden says.
    import re
    import zlib

    import numpy as np

    rules = [r for r in g.meta["rules"] if r["kind"] != "const"]
    for name, value in b.state_dict().items():
        rule = next((r for r in rules if re.search(r["match"], "b." + name)), {"kind": "plain", "gain": 0.1})
        gain = rule.get("gain", 1.0) / (np.prod(value.shape[1:]) ** 0.5 if rule["kind"] == "fan_in" else 1)
        z = np.random.Generator(np.random.Philox(key=zlib.crc32(("b." + name).encode())))
        value.copy_(torch.from_numpy(np.float32(gain) * z.standard_normal(size=tuple(value.shape), dtype=np.float32)))
    for net in (a, b):
        net.conv_last.bias.fill_(0.5)
    torch.save({"params_ema": a.state_dict(), "params": {}}, tmp_path / "a.pth")
    torch.save(b.state_dict(), tmp_path / "b.pth")
    mixed = interpolate(tmp_path / "a.pth", tmp_path / "b.pth", alpha=0.7)
    name = "conv_last.weight"
    np.testing.assert_allclose(mixed[name], g.arrays[f"dni_0.3_0.7_{name}"], atol=1e-6)


def test_ends_are_the_files_themselves_and_networks_load(tmp_path):
    torch.manual_seed(0)
    a, b = small(), small()
    torch.save({"params_ema": a.state_dict(), "params": b.state_dict()}, tmp_path / "a.pth")
    save_weights(b.state_dict(), tmp_path / "b.safetensors")
    for alpha, expected in ((0.0, a), (1.0, b)):
        mixed = interpolate(tmp_path / "a.pth", tmp_path / "b.safetensors", alpha=alpha)
        assert all(torch.equal(mixed[k], v) for k, v in expected.state_dict().items())
    raw = interpolate(tmp_path / "a.pth", tmp_path / "a.pth", alpha=0.3, key="params")
    assert all(torch.equal(raw[k], v) for k, v in b.state_dict().items())
    save_weights(raw, tmp_path / "mixed.pth")
    assert read_checkpoint(tmp_path / "mixed.pth").key == "params"
    assert isinstance(load_checkpoint(tmp_path / "mixed.pth"), RRDBNet)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.pth", "b.safetensors", "mixed.pth"]


def test_networks_that_differ_are_refused(tmp_path):
    torch.save(small().state_dict(), tmp_path / "a.pth")
    other = RRDBNet(num_feat=16, num_block=2, num_grow_ch=8, scale=2)
    torch.save(other.state_dict(), tmp_path / "b.pth")
    with pytest.raises(CheckpointError, match=r"31 tensors differ in name or shape \(body\.1\."):
        interpolate(tmp_path / "a.pth", tmp_path / "b.pth", alpha=0.5)
    with pytest.raises(ModelError, match="not finite"):
        interpolate(tmp_path / "a.pth", tmp_path / "a.pth", alpha=float("nan"))
    with pytest.raises(ModelError, match="cannot be written"):
        save_weights({}, tmp_path / "missing" / "a.pth")
