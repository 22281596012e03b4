"""The networks, one file per family, and the published configurations of each by name."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from degradekit_models.archs.arcface import ResNetArcFace
from degradekit_models.archs.basicvsr import BasicVSR, IconVSR
from degradekit_models.archs.basicvsrpp import BasicVSRPlusPlus
from degradekit_models.archs.edvr import EDVR, EDVRFeatureExtractor
from degradekit_models.archs.facial_component_discriminator import FacialComponentDiscriminator
from degradekit_models.archs.gfpgan import GFPGANBilinear, GFPGANv1, GFPGANv1Clean
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
from degradekit_models.errors import ModelError

__all__ = ["ARCHS", "Arch", "build"]


@dataclass(frozen=True)
class Arch:
    """A published configuration: the class and every constructor argument that it was released with."""

    cls: type[nn.Module]
    arguments: Mapping[str, Any]


_RGB = {"num_in_ch": 3, "num_out_ch": 3}
_RESNET = _RGB | {"num_feat": 64, "num_block": 16}
_RRDB = _RGB | {"num_feat": 64, "num_block": 23, "num_grow_ch": 32}
_SRVGG = _RGB | {"num_feat": 64, "upscale": 4, "act_type": "prelu"}
_EDVR_M = _RGB | {
    "num_feat": 64,
    "num_frame": 5,
    "deformable_groups": 8,
    "num_extract_block": 5,
    "num_reconstruct_block": 10,
    "center_frame_idx": None,
    "hr_in": False,
    "with_predeblur": False,
    "with_tsa": True,
}
_EDVR_L = _EDVR_M | {"num_feat": 128, "num_reconstruct_block": 40}
_EXTRACTOR = {"num_feat": 64, "load_path": None}
_BASICVSR = {"num_feat": 64, "num_block": 30, "spynet_path": None}
_ICONVSR = _BASICVSR | {"keyframe_stride": 5, "edvr_path": None}
_REALBASICVSR = {
    "mid_channels": 64,
    "num_propagation_blocks": 20,
    "num_cleaning_blocks": 20,
    "dynamic_refine_thres": 255,
    "spynet_path": None,
}
_BASICVSRPP = {
    "mid_channels": 64,
    "num_blocks": 7,
    "max_residue_magnitude": 10,
    "is_low_res_input": True,
    "spynet_path": None,
    "cpu_cache_length": 100,
}
_BASICVSRPP_LARGE = _BASICVSRPP | {"mid_channels": 128, "num_blocks": 25}
_FIR = (1, 3, 3, 1)
_STYLE = {"num_style_feat": 512, "num_mlp": 8, "narrow": 1}
_STYLEGAN2 = _STYLE | {"resample_kernel": _FIR, "lr_mlp": 0.01}
_STYLEGAN2_D = {"resample_kernel": _FIR, "stddev_group": 4, "narrow": 1}
_GFPGAN = _STYLE | {
    "out_size": 512,
    "channel_multiplier": 1,
    "decoder_load_path": None,
    "fix_decoder": True,
    "input_is_latent": True,
    "different_w": True,
    "sft_half": True,
}
_ARCFACE = {"block": "IRBlock", "layers": (2, 2, 2, 2)}

ARCHS: dict[str, Arch] = {
    "msrresnet_x2": Arch(MSRResNet, _RESNET | {"upscale": 2}),
    "msrresnet_x3": Arch(MSRResNet, _RESNET | {"upscale": 3}),
    "msrresnet_x4": Arch(MSRResNet, _RESNET | {"upscale": 4}),
    "rrdbnet_x4_23b": Arch(RRDBNet, _RRDB | {"scale": 4}),
    "rrdbnet_x2_23b": Arch(RRDBNet, _RRDB | {"scale": 2}),
    "rrdbnet_x1_23b": Arch(RRDBNet, _RRDB | {"scale": 1}),
    "rrdbnet_x4_anime6b": Arch(RRDBNet, _RRDB | {"scale": 4, "num_block": 6}),
    "srvgg_animevideov3": Arch(SRVGGNetCompact, _SRVGG | {"num_conv": 16}),
    "srvgg_general_x4v3": Arch(SRVGGNetCompact, _SRVGG | {"num_conv": 32}),
    "vgg_discriminator_128": Arch(VGGStyleDiscriminator, {"num_in_ch": 3, "num_feat": 64, "input_size": 128}),
    "vgg_discriminator_256": Arch(VGGStyleDiscriminator, {"num_in_ch": 3, "num_feat": 64, "input_size": 256}),
    "unet_discriminator_sn": Arch(UNetDiscriminatorSN, {"num_in_ch": 3, "num_feat": 64, "skip_connection": True}),
    "spynet": Arch(SpyNet, {"load_path": None}),
    "edvr_m_x4_sr_reds": Arch(EDVR, _EDVR_M),
    "edvr_m_wotsa_x4_sr_reds": Arch(EDVR, _EDVR_M | {"with_tsa": False}),
    "edvr_l_x4_sr_reds": Arch(EDVR, _EDVR_L),
    "edvr_l_wotsa_x4_sr_reds": Arch(EDVR, _EDVR_L | {"with_tsa": False}),
    "edvr_l_x4_sr_vimeo90k": Arch(EDVR, _EDVR_L | {"num_frame": 7}),
    "edvr_l_x4_srblur_reds": Arch(EDVR, _EDVR_L | {"with_predeblur": True}),
    "edvr_l_deblur_reds": Arch(EDVR, _EDVR_L | {"with_predeblur": True, "hr_in": True}),
    "edvr_feature_extractor_f5": Arch(EDVRFeatureExtractor, _EXTRACTOR | {"num_input_frame": 5}),
    "edvr_feature_extractor_f7": Arch(EDVRFeatureExtractor, _EXTRACTOR | {"num_input_frame": 7}),
    "basicvsr": Arch(BasicVSR, _BASICVSR),
    "iconvsr_reds": Arch(IconVSR, _ICONVSR | {"temporal_padding": 2}),
    "iconvsr_vimeo90k": Arch(IconVSR, _ICONVSR | {"temporal_padding": 3}),
    "realbasicvsr": Arch(RealBasicVSR, _REALBASICVSR),
    "basicvsrpp_c64n7": Arch(BasicVSRPlusPlus, _BASICVSRPP),
    "basicvsrpp_c64n15_samesize": Arch(BasicVSRPlusPlus, _BASICVSRPP | {"num_blocks": 15, "is_low_res_input": False}),
    "basicvsrpp_c128n25_lowres": Arch(BasicVSRPlusPlus, _BASICVSRPP_LARGE),
    "basicvsrpp_c128n25_samesize": Arch(BasicVSRPlusPlus, _BASICVSRPP_LARGE | {"is_low_res_input": False}),
    "stylegan2_generator_1024_c2": Arch(StyleGAN2Generator, _STYLEGAN2 | {"out_size": 1024, "channel_multiplier": 2}),
    "stylegan2_generator_512_c2": Arch(StyleGAN2Generator, _STYLEGAN2 | {"out_size": 512, "channel_multiplier": 2}),
    "stylegan2_generator_512_c1": Arch(StyleGAN2Generator, _STYLEGAN2 | {"out_size": 512, "channel_multiplier": 1}),
    "stylegan2_generator_256_c2": Arch(StyleGAN2Generator, _STYLEGAN2 | {"out_size": 256, "channel_multiplier": 2}),
    "stylegan2_generator_clean_512_c2": Arch(
        StyleGAN2GeneratorClean, _STYLE | {"out_size": 512, "channel_multiplier": 2}
    ),
    "stylegan2_discriminator_1024_c2": Arch(
        StyleGAN2Discriminator, _STYLEGAN2_D | {"out_size": 1024, "channel_multiplier": 2}
    ),
    "stylegan2_discriminator_512_c1": Arch(
        StyleGAN2Discriminator, _STYLEGAN2_D | {"out_size": 512, "channel_multiplier": 1}
    ),
    "stylegan2_discriminator_256_c2": Arch(
        StyleGAN2Discriminator, _STYLEGAN2_D | {"out_size": 256, "channel_multiplier": 2}
    ),
    "gfpganv1_original": Arch(GFPGANv1, _GFPGAN | {"resample_kernel": _FIR, "lr_mlp": 0.01}),
    "gfpgan_bilinear_c1": Arch(GFPGANBilinear, _GFPGAN | {"lr_mlp": 0.01}),
    "gfpganv1_clean_c2": Arch(GFPGANv1Clean, _GFPGAN | {"channel_multiplier": 2, "fix_decoder": False}),
    "facial_component_discriminator": Arch(FacialComponentDiscriminator, {}),
    "resnet_arcface18": Arch(ResNetArcFace, _ARCFACE | {"use_se": False}),
    "resnet_arcface18_se": Arch(ResNetArcFace, _ARCFACE | {"use_se": True}),
    "vgg19_features": Arch(VGG19Features, {}),
}


def build(name: str, **overrides: Any) -> nn.Module:
    """Builds a freshly initialised network by name.

    Args:
        name: a key of `ARCHS`.
        **overrides: constructor arguments that replace the recorded ones.

    Raises:
        ModelError: the name or an argument is unknown.

    Example:
        >>> build("rrdbnet_x4_23b", num_block=1, num_feat=8).scale
        4
    """
    if name not in ARCHS:
        raise ModelError(f"build: no network is called {name!r}; {_hint(name, ARCHS)}")
    arch = ARCHS[name]
    accepted = inspect.signature(arch.cls).parameters
    for key in overrides:
        if key not in accepted:
            raise ModelError(f"build({name!r}): {arch.cls.__name__} takes no argument {key!r}; {_hint(key, accepted)}")
    return arch.cls(**{**arch.arguments, **overrides})


def _hint(word: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(word, known, n=3)
    return f"did you mean {' or '.join(map(repr, close))}?" if close else f"known: {', '.join(known) or 'none'}."
