"""Key names of one network in the files of different projects, translated into the names used here (BasicSR's).

A layout is recognised by a key, then every key is rewritten by a list of regular expressions.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

__all__ = ["LAYOUTS", "Layout", "bilinear_to_clean", "to_basicsr"]

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Layout:
    """One way of naming tensors.

    Attributes:
        name: what a message calls it.
        sign: expression that a key of such a file matches, and no key of another.
        rename: (expression, replacement) pairs, applied to every key in order.
        drop: expression of keys that have no counterpart.
    """

    name: str
    sign: str
    rename: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...]
    drop: str = field(default=r"(?!)")


_ESRGAN_NEW = Layout(
    name="ESRGAN (RRDB_trunk)",
    sign=r"^RRDB_trunk\.",
    rename=(
        (r"^RRDB_trunk\.(\d+)\.RDB(\d)\.", r"body.\1.rdb\2."),
        (r"^trunk_conv\.", "conv_body."),
        (r"^upconv(\d)\.", r"conv_up\1."),
        (r"^HRconv\.", "conv_hr."),
    ),
)
_ESRGAN_OLD = Layout(
    name="ESRGAN (model.N)",
    sign=r"^model\.1\.sub\.0\.RDB1\.",
    rename=(
        (r"^model\.0\.", "conv_first."),
        (r"^model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.", r"body.\1.rdb\2.conv\3."),
        (r"^model\.1\.sub\.\d+\.(weight|bias)$", r"conv_body.\1"),
        (r"^model\.3\.", "conv_up1."),
        (r"^model\.6\.", "conv_up2."),
        (r"^model\.8\.", "conv_hr."),
        (r"^model\.10\.", "conv_last."),
    ),
)
_EDVR_OLD = Layout(
    name="EDVR (first release)",
    sign=r"^pcd_align\.L1_dcnpack\.",
    rename=(
        (r"conv_offset_mask\.", "conv_offset."),
        (r"^pcd_align\.L(\d)_dcnpack\.", r"pcd_align.dcn_pack.l\1."),
        (r"^pcd_align\.L(\d)_offset_conv(\d)\.", r"pcd_align.offset_conv\2.l\1."),
        (r"^pcd_align\.L(\d)_fea_conv\.", r"pcd_align.feat_conv.l\1."),
        (r"^fea_L(\d)_conv(\d)\.", r"conv_l\1_\2."),
        (r"^tsa_fusion\.tAtt_2\.", "fusion.temporal_attn1."),
        (r"^tsa_fusion\.tAtt_1\.", "fusion.temporal_attn2."),
        (r"^tsa_fusion\.fea_fusion\.", "fusion.feat_fusion."),
        (r"^tsa_fusion\.sAtt_add_(\d)\.", r"fusion.spatial_attn_add\1."),
        (r"^tsa_fusion\.sAtt_L(\d)\.", r"fusion.spatial_attn_l\1."),
        (r"^tsa_fusion\.sAtt_(\d)\.", r"fusion.spatial_attn\1."),
        (r"^tsa_fusion\.", "fusion."),
        (r"^recon_trunk\.", "reconstruction."),
        (r"^HRconv\.", "conv_hr."),
        (r"^pre_deblur\.conv_first(_1)?\.", "predeblur.conv_first."),
        (r"^pre_deblur\.conv_first_2\.", "predeblur.stride_conv_hr1."),
        (r"^pre_deblur\.conv_first_3\.", "predeblur.stride_conv_hr2."),
        (r"^pre_deblur\.deblur_L(\d)_conv\.", r"predeblur.stride_conv_l\1."),
        (r"^pre_deblur\.RB_L3_1\.", "predeblur.resblock_l3."),
        (r"^pre_deblur\.RB_L2_(\d)\.", r"predeblur.resblock_l2_\1."),
        (r"^pre_deblur\.RB_L1_(\d)\.", lambda m: f"predeblur.resblock_l1.{int(m[1]) - 1}."),
    ),
)
_MMAGIC = Layout(
    name="mmagic",
    sign=r"(^|\.)(upsample1\.upsample_conv|(back|for)ward_resblocks|pcd_alignment|basic_module\.\d\.basic_module\.\d\.conv)\.",
    rename=(
        (
            r"(basic_module\.\d)\.basic_module\.(\d)\.conv\.",
            lambda m: f"{m[1]}.basic_module.{2 * int(m[2])}.",
        ),
        (r"(^|\.)upsample(\d)\.upsample_conv\.", r"\1upconv\2."),
        (r"(^|\.)(backward|forward)_resblocks\.", r"\1\2_trunk."),
        (r"feat_l(\d)_conv(\d)\.conv\.", r"conv_l\1_\2."),
        (r"pcd_alignment\.", "pcd_align."),
        (r"((?:pcd_align|fusion)\..*)\.conv\.", r"\1."),
    ),
    drop=r"^step_counter$",
)
_STYLEGAN2 = Layout(
    name="stylegan2-pytorch",
    sign=r"^(input\.input|convs\.1\.conv1\.0\.weight)$",
    rename=(
        (r"^style\.", "style_mlp."),
        (r"^input\.input$", "constant_input.weight"),
        (r"^noises\.noise_", "noises.noise"),
        (r"^conv1\.", "style_conv1."),
        (r"^convs\.(\d+)\.(?=noise|conv\.|activate)", r"style_convs.\1."),
        (r"^convs\.", "conv_body."),
        (r"^(style_conv1|style_convs\.\d+)\.noise\.", r"\1."),
        (r"^(style_conv1|style_convs\.\d+|to_rgb1|to_rgbs\.\d+)\.conv\.", r"\1.modulated_conv."),
    ),
    drop=r"\.kernel$",
)
LAYOUTS: tuple[Layout, ...] = (_ESRGAN_NEW, _ESRGAN_OLD, _EDVR_OLD, _MMAGIC, _STYLEGAN2)


def to_basicsr(tensors: Mapping[str, Tensor]) -> tuple[Tensors, str]:
    """Translates the keys of a flat state_dict.

    Returns:
        The tensors under the names used here, and the name of the layout they came in.

    Example:
        >>> import torch
        >>> to_basicsr({"RRDB_trunk.0.RDB1.conv1.weight": torch.zeros(1), "HRconv.bias": torch.zeros(1)})
        ({'body.0.rdb1.conv1.weight': tensor([0.]), 'conv_hr.bias': tensor([0.])}, 'ESRGAN (RRDB_trunk)')
    """
    for layout in LAYOUTS:
        if any(re.search(layout.sign, key) for key in tensors):
            kept = {key: value for key, value in tensors.items() if not re.search(layout.drop, key)}
            return {_rename(key, layout): value for key, value in kept.items()}, layout.name
    return dict(tensors), "BasicSR"


def bilinear_to_clean(tensors: Mapping[str, Tensor], lr_mlp: float = 0.01) -> Tensors:
    """Turns weights of `GFPGANBilinear` into weights of `GFPGANv1Clean` with the same output.

    The scales of the equalised layers and the gain sqrt(2) of their activations are multiplied into weights and biases.

    Args:
        tensors: state_dict of a `GFPGANBilinear`.
        lr_mlp: learning-rate factor that its mapping network was built with.

    Source:
        Wang et al., "GFPGAN", CVPR 2021 (the released "clean" version).

    Example:
        >>> import torch
        >>> bilinear_to_clean({"toRGB.0.weight": torch.ones(3, 4, 1, 1)})["toRGB.0.weight"].unique()
        tensor([0.5000])
    """
    return {_clean_name(key): _clean_value(key, value, lr_mlp) for key, value in tensors.items()}


def _rename(key: str, layout: Layout) -> str:
    for pattern, replacement in layout.rename:
        key = re.sub(pattern, replacement, key)
    return key


def _clean_name(key: str) -> str:
    key = re.sub(r"^(conv_body_first|final_conv)\.[01]\.", r"\1.", key)
    key = re.sub(r"^(conv_body_(?:down|up)\.\d+\.(?:conv1|conv2|skip))\.[012]\.", r"\1.", key)
    key = re.sub(r"^(conv_body_up\.\d+\.conv2)\.activation\.", r"\1.", key)
    key = re.sub(r"\.style_mlp\.(\d+)\.", lambda m: f".style_mlp.{2 * int(m[1]) - 1}.", key)
    return re.sub(r"(style_conv(?:1|s\.\d+))\.activate\.", r"\1.", key)


def _clean_value(key: str, value: Tensor, lr_mlp: float) -> Tensor:
    """The tensor times the gain of its layer, for weights also over the square root of its fan-in."""
    if re.search(r"noises|constant_input|to_rgb.*\d\.bias$|toRGB\.\d+\.bias$|final_linear\.bias|modulation\.bias", key):
        return value
    if re.search(r"style_conv(1|s\.\d+)\.(weight|activate\.bias)$", key):
        scaled = value * math.sqrt(2)
        return scaled.view(1, -1, 1, 1) if key.endswith("bias") else scaled
    gain = 1.0
    if re.search(r"^(conv_body_first|final_conv)\.|\.conv1\.|^condition_\w+\.\d+\.0\.|style_mlp", key):
        gain = math.sqrt(2)  # a plain leaky ReLU follows
    elif ".skip." in key:
        gain = 1.0 / math.sqrt(2)  # the sum of a residual block is divided by sqrt(2); conv2 loses its own gain to it
    if "style_mlp" in key:
        gain *= lr_mlp
    if key.endswith("bias"):
        return value * gain
    dims = value.shape[2:] if value.ndim == 5 else value.shape[1:]
    return value * (gain / math.sqrt(math.prod(dims)))
