"""Which network a state_dict belongs to, and with which constructor arguments, read off its keys and shapes.

What shapes cannot tell keeps the value of the published networks: the key-frame stride of IconVSR, the filter of
StyleGAN2, whether GFPGAN resizes through filters or bilinearly.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from torch import Tensor, nn

from degradekit_models.archs import ARCHS
from degradekit_models.archs.arcface import ResNetArcFace
from degradekit_models.archs.basicvsr import BasicVSR, IconVSR
from degradekit_models.archs.basicvsrpp import BasicVSRPlusPlus
from degradekit_models.archs.edvr import EDVR, EDVRFeatureExtractor
from degradekit_models.archs.facial_component_discriminator import FacialComponentDiscriminator
from degradekit_models.archs.gfpgan import GFPGANv1, GFPGANv1Clean
from degradekit_models.archs.realbasicvsr import RealBasicVSR
from degradekit_models.archs.rrdbnet import RRDBNet
from degradekit_models.archs.spynet import SpyNet
from degradekit_models.archs.srresnet import MSRResNet
from degradekit_models.archs.srvgg import SRVGGNetCompact
from degradekit_models.archs.stylegan2 import StyleGAN2Generator, StyleGAN2GeneratorClean
from degradekit_models.archs.stylegan2_discriminator import StyleGAN2Discriminator
from degradekit_models.archs.unet_discriminator import UNetDiscriminatorSN
from degradekit_models.archs.vgg import VGG19Features
from degradekit_models.archs.vgg_discriminator import VGGStyleDiscriminator
from degradekit_models.errors import CheckpointError

__all__ = ["Detected", "detect"]

Tensors: TypeAlias = Mapping[str, Tensor]
Arguments: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Detected:
    """A recognised network.

    Attributes:
        cls: its class.
        arguments: constructor arguments that the shapes tell.
    """

    cls: type[nn.Module]
    arguments: Arguments

    @property
    def name(self) -> str | None:
        """The first published configuration with these arguments, or None."""
        for name, arch in ARCHS.items():
            if arch.cls is self.cls and all(arch.arguments.get(k) == v for k, v in self.arguments.items()):
                return name
        return None

    def build(self) -> nn.Module:
        """Builds the network, freshly initialised; what the shapes do not tell is as published, if it was."""
        published = {} if self.name is None else ARCHS[self.name].arguments
        return self.cls(**{**published, **self.arguments})


def detect(tensors: Tensors) -> Detected:
    """Recognises a network from its tensors.

    Args:
        tensors: flat state_dict with the names used here; see `layouts.to_basicsr`.

    Raises:
        CheckpointError: no known network has such keys.

    Example:
        >>> from degradekit_models import build
        >>> found = detect(build("rrdbnet_x2_23b", num_block=2).state_dict())
        >>> found.cls.__name__, found.arguments["scale"], found.arguments["num_block"]
        ('RRDBNet', 2, 2)
    """
    for sign, read in _SIGNS:
        if any(re.search(sign, key) for key in tensors):
            try:
                return Detected(*read(tensors))
            except KeyError as missing:
                raise CheckpointError(
                    f"detect: a key matches {sign!r}, but {missing} is missing; the file is incomplete."
                ) from None
    shown = ", ".join(f"{key} {tuple(value.shape)}" for key, value in list(tensors.items())[:4])
    raise CheckpointError(f"detect: no known network among {len(tensors)} tensors ({shown}, ...); name the arch.")


def _count(tensors: Tensors, pattern: str) -> int:
    """One more than the largest number that the group of the pattern takes in any key."""
    return 1 + max((int(m[1]) for key in tensors if (m := re.search(pattern, key))), default=-1)


def _rrdbnet(t: Tensors) -> tuple[type[nn.Module], Arguments]:
    num_feat, folded = t["conv_first.weight"].shape[:2]
    out_ch = len(t["conv_last.weight"])
    scale = {1: 4, 4: 2, 16: 1}.get(folded // out_ch)
    if scale is None:
        raise CheckpointError(f"detect: an RRDBNet of {folded} input and {out_ch} output channels has no known scale.")
    arguments = {"num_in_ch": out_ch, "num_out_ch": out_ch, "num_feat": num_feat, "scale": scale}
    grow = len(t["body.0.rdb1.conv1.weight"])
    return RRDBNet, arguments | {"num_block": _count(t, r"^body\.(\d+)\."), "num_grow_ch": grow}


def _msrresnet(t: Tensors) -> tuple[type[nn.Module], Arguments]:
    num_feat, in_ch = t["conv_first.weight"].shape[:2]
    upscale = 4 if "upconv2.weight" in t else math.isqrt(len(t["upconv1.weight"]) // num_feat)
    ends = {"num_in_ch": in_ch, "num_out_ch": len(t["conv_last.weight"])}
    return MSRResNet, ends | {"num_feat": num_feat, "num_block": _count(t, r"^body\.(\d+)\."), "upscale": upscale}


def _srvgg(t: Tensors) -> tuple[type[nn.Module], Arguments]:
    last = _count(t, r"^body\.(\d+)\.") - 1
    num_feat, in_ch = t["body.0.weight"].shape[:2]
    upscale = math.isqrt(len(t[f"body.{last}.weight"]) // in_ch)
    arguments = {"num_in_ch": in_ch, "num_out_ch": in_ch, "num_feat": num_feat, "num_conv": last // 2 - 1}
    if "body.1.weight" not in t:
        raise CheckpointError("detect: an SRVGGNetCompact without PReLU; build it with its act_type and load into it.")
    return SRVGGNetCompact, arguments | {"upscale": upscale, "act_type": "prelu"}


def _vgg_discriminator(t: Tensors) -> tuple[type[nn.Module], Arguments]:
    num_feat, in_ch = t["conv0_0.weight"].shape[:2]
    size = 256 if "conv5_0.weight" in t else 128
    return VGGStyleDiscriminator, {"num_in_ch": in_ch, "num_feat": num_feat, "input_size": size}


def _unet_discriminator(t: Tensors) -> tuple[type[nn.Module], Arguments]:
    num_feat, in_ch = t["conv0.weight"].shape[:2]
    return UNetDiscriminatorSN, {"num_in_ch": in_ch, "num_feat": num_feat, "skip_connection": True}


def _edvr(t: Tensors) -> tuple[type[nn.Module], Arguments]:
    num_feat = len(t["conv_l2_1.weight"])
    with_tsa = "fusion.feat_fusion.weight" in t
    num_frame = t["fusion.feat_fusion.weight" if with_tsa else "fusion.weight"].shape[1] // num_feat
    if "conv_last.weight" not in t:
        return EDVRFeatureExtractor, {"num_input_frame": num_frame, "num_feat": num_feat}
    predeblur = "predeblur.conv_first.weight" in t
    first = t["predeblur.conv_first.weight" if predeblur else "conv_first.weight"]
    return EDVR, {
        "num_in_ch": first.shape[1],
        "num_out_ch": len(t["conv_last.weight"]),
        "num_feat": num_feat,
        "num_frame": num_frame,
        "deformable_groups": len(t["pcd_align.cas_dcnpack.conv_offset.weight"]) // 27,
        "num_extract_block": _count(t, r"^feature_extraction\.(\d+)\."),
        "num_reconstruct_block": _count(t, r"^reconstruction\.(\d+)\."),
        "center_frame_idx": None,
        "hr_in": "predeblur.stride_conv_hr1.weight" in t,
        "with_predeblur": predeblur,
        "with_tsa": with_tsa,
    }


def _basicvsr(t: Tensors) -> tuple[type[nn.Module], Arguments]:
    num_feat = len(t["backward_trunk.main.0.weight"])
    arguments = {"num_feat": num_feat, "num_block": _count(t, r"^backward_trunk\.main\.2\.(\d+)\.")}
    if "edvr.fusion.feat_fusion.weight" not in t:
        return BasicVSR, arguments
    frames = t["edvr.fusion.feat_fusion.weight"].shape[1] // num_feat
    return IconVSR, arguments | {"temporal_padding": frames // 2}


def _realbasicvsr(t: Tensors) -> tuple[type[nn.Module], Arguments]:
    return RealBasicVSR, {
        "mid_channels": len(t["basicvsr.backward_trunk.main.0.weight"]),
        "num_propagation_blocks": _count(t, r"^basicvsr\.backward_trunk\.main\.2\.(\d+)\."),
        "num_cleaning_blocks": _count(t, r"^image_cleaning\.0\.main\.2\.(\d+)\."),
    }


def _basicvsrpp(t: Tensors) -> tuple[type[nn.Module], Arguments]:
    return BasicVSRPlusPlus, {
        "mid_channels": len(t["backbone.backward_1.main.0.weight"]),
        "num_blocks": _count(t, r"^backbone\.backward_1\.main\.2\.(\d+)\."),
        "is_low_res_input": "feat_extract.main.0.weight" in t,
    }


def _widths(bottom: int, top: int, out_size: int) -> Arguments:
    """Multipliers of `channel_table`, from the channels at 4 pixels and at out_size."""
    narrow = bottom / 512
    return {"narrow": narrow, "channel_multiplier": top * out_size / (16384 * narrow) if out_size > 32 else 1}


def _style_arguments(t: Tensors, prefix: str) -> Arguments:
    levels = _count(t, rf"^{re.escape(prefix)}to_rgbs\.(\d+)\.")
    out_size = 2 ** (levels + 2)
    top = t[f"{prefix}style_convs.{2 * levels - 1}.modulated_conv.weight"].shape[1]
    mlp = [key for key in t if re.fullmatch(rf"{re.escape(prefix)}style_mlp\.\d+\.weight", key)]
    return {
        "out_size": out_size,
        "num_style_feat": t[f"{prefix}style_conv1.modulated_conv.modulation.weight"].shape[1],
        "num_mlp": len(mlp),
    } | _widths(t[f"{prefix}constant_input.weight"].shape[1], top, out_size)


def _stylegan2_generator(t: Tensors) -> tuple[type[nn.Module], Arguments]:
    cls = StyleGAN2GeneratorClean if "style_conv1.bias" in t else StyleGAN2Generator
    return cls, _style_arguments(t, "")


def _stylegan2_discriminator(t: Tensors) -> tuple[type[nn.Module], Arguments]:
    out_size = 2 ** (_count(t, r"^conv_body\.(\d+)\.") + 1)
    widths = _widths(len(t["final_conv.0.weight"]), len(t["conv_body.0.0.weight"]), out_size)
    return StyleGAN2Discriminator, {"out_size": out_size} | widths


def _gfpgan(t: Tensors) -> tuple[type[nn.Module], Arguments]:
    arguments = _style_arguments(t, "stylegan_decoder.")
    num_latent = len(t["final_linear.weight"]) // arguments["num_style_feat"]
    condition = t["condition_scale.0.2.weight"]
    # A stack of latents bypasses the mapping network in every published file; shapes cannot tell.
    switches = {"different_w": num_latent > 1, "input_is_latent": num_latent > 1}
    switches["sft_half"] = condition.shape[0] == condition.shape[1]
    cls = GFPGANv1Clean if "conv_body_first.weight" in t else GFPGANv1
    return cls, arguments | switches


def _arcface(t: Tensors) -> tuple[type[nn.Module], Arguments]:
    layers = tuple(_count(t, rf"^layer{i}\.(\d+)\.") for i in (1, 2, 3, 4))
    return ResNetArcFace, {"block": "IRBlock", "layers": layers, "use_se": "layer1.0.se.fc.0.weight" in t}


_SIGNS: tuple[tuple[str, Callable[[Tensors], tuple[type[nn.Module], Arguments]]], ...] = (
    (r"^stylegan_decoder\.", _gfpgan),
    (r"^style_conv1\.", _stylegan2_generator),
    (r"^conv_body\.0\.0\.weight$", _stylegan2_discriminator),
    (r"^backbone\.backward_1\.", _basicvsrpp),
    (r"^image_cleaning\.", _realbasicvsr),
    (r"^backward_trunk\.", _basicvsr),
    (r"^pcd_align\.", _edvr),
    (r"^basic_module\.\d\.basic_module\.", lambda t: (SpyNet, {})),
    (r"^body\.0\.rdb1\.", _rrdbnet),
    (r"^body\.0\.conv1\.", _msrresnet),
    (r"^body\.0\.weight$", _srvgg),
    (r"^conv1\.weight_orig$", _unet_discriminator),
    (r"^bn0_1\.", _vgg_discriminator),
    (r"^layer1\.0\.bn0\.", _arcface),
    (r"^features\.34\.", lambda t: (VGG19Features, {})),
    (r"^conv5\.1\.bias$", lambda t: (FacialComponentDiscriminator, {})),
)
