"""Checkpoints saved here are recognised by spandrel wherever it knows the network, and compute the same there.

spandrel imports torchvision, of which these networks use nothing; where it is not installed, an empty stand-in is.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import pytest
import torch

from degradekit_models.archs import build
from degradekit_models.archs.gfpgan import GFPGANv1Clean
from degradekit_models.checkpoints import load_checkpoint
from degradekit_models.zoo import outline

STANDS_IN = ("torchvision", "torchvision.ops", "torchvision.transforms", "torchvision.transforms.functional")


class _Anything(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


@pytest.fixture(scope="module")
def spandrel() -> Iterator[Any]:
    pytest.importorskip("safetensors")
    if find_spec("spandrel") is None:
        pytest.skip("spandrel is not installed")
    stubbed = [] if find_spec("torchvision") else list(STANDS_IN)
    for name in stubbed:
        module = _Anything(name)
        module.__spec__, module.__path__ = ModuleSpec(name, None, is_package=True), []
        sys.modules[name] = module
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import spandrel

        yield spandrel
    except ImportError as error:
        pytest.skip(f"spandrel does not import here: {error}")
    finally:
        for name in [*stubbed, *(n for n in sys.modules if n.partition(".")[0] == "spandrel")]:
            sys.modules.pop(name, None)


@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "options", "architecture"),
    [
        ("rrdbnet_x4_23b", {"num_feat": 16, "num_block": 2}, "ESRGAN"),
        ("rrdbnet_x2_23b", {"num_feat": 16, "num_block": 2}, "ESRGAN"),
        ("rrdbnet_x1_23b", {"num_feat": 16, "num_block": 2}, "ESRGAN"),
        ("rrdbnet_x4_anime6b", {"num_feat": 16}, "ESRGAN"),
        ("srvgg_animevideov3", {"num_feat": 16, "num_conv": 4}, "RealESRGAN Compact"),
        ("srvgg_general_x4v3", {"num_feat": 16, "num_conv": 4, "upscale": 2}, "RealESRGAN Compact"),
    ],
)
def test_upscalers_are_recognised_and_equal(tmp_path, spandrel, name, options, architecture):
    torch.manual_seed(0)
    net = build(name, **options).eval()
    path = tmp_path / "net.pth"
    torch.save({"params_ema": net.state_dict()}, path)
    theirs = spandrel.ModelLoader().load_from_file(path)
    assert theirs.architecture.name == architecture
    assert theirs.scale == {"rrdbnet_x4": 4, "rrdbnet_x2": 2, "rrdbnet_x1": 1}.get(name[:10], options.get("upscale", 4))
    x = torch.rand(1, 3, 16, 20)
    torch.testing.assert_close(theirs.model.eval()(x), net(x), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(load_checkpoint(path)(x), net(x), rtol=0, atol=0)


@torch.no_grad()
def test_gfpgan_is_recognised_and_equal(spandrel):
    """Recognised at full size by its names; computed small, as the full one takes a minute to build there."""
    names = outline("gfpganv1_clean_c2").state_dict()
    known = spandrel.MAIN_REGISTRY.architectures("detection")
    assert next(a.architecture.id for a in known if a.detect(names)) == "GFPGAN"
    small = {"num_mlp": 1, "narrow": 0.0625, "input_is_latent": True, "different_w": True, "sft_half": True}
    torch.manual_seed(0)
    net = GFPGANv1Clean(32, 16, **small).eval()
    for weight in net.parameters():
        if weight.numel() == 1:
            torch.nn.init.zeros_(weight)  # the strength of noise, of which theirs draws a new one at every call
    module = import_module("spandrel.architectures.GFPGAN.__arch.gfpganv1_clean_arch")
    theirs = module.GFPGANv1Clean(
        out_size=32, num_style_feat=16, channel_multiplier=1, decoder_load_path=None, fix_decoder=False, **small
    )
    theirs.load_state_dict(net.state_dict(), strict=True)
    x = torch.rand(1, 3, 32, 32) * 2 - 1
    out = theirs.eval()(x)
    expected = net(x, return_rgb=False, randomize_noise=False)[0]
    torch.testing.assert_close(out[0] if isinstance(out, tuple) else out, expected, rtol=1e-5, atol=1e-5)
