"""What a network restores, and which inputs it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from torch import nn

from degradekit_models.archs.basicvsr import BasicVSR, IconVSR
from degradekit_models.archs.basicvsrpp import BasicVSRPlusPlus
from degradekit_models.archs.edvr import EDVR
from degradekit_models.archs.gfpgan import GFPGANBilinear, GFPGANv1, GFPGANv1Clean
from degradekit_models.archs.realbasicvsr import RealBasicVSR
from degradekit_models.archs.rrdbnet import RRDBNet
from degradekit_models.archs.srresnet import MSRResNet
from degradekit_models.archs.srvgg import SRVGGNetCompact
from degradekit_models.errors import ModelError

__all__ = ["FACE_NETWORKS", "Kind", "Traits", "traits_of"]

Kind: TypeAlias = Literal["image", "window", "clip"]
FACE_NETWORKS = (GFPGANv1, GFPGANBilinear, GFPGANv1Clean)


@dataclass(frozen=True)
class Traits:
    """What a network takes and returns.

    Attributes:
        kind: ``"image"`` takes ``[N,C,H,W]``; ``"window"`` takes frames ``[N,T,C,H,W]`` and returns the middle one;
            ``"clip"`` takes frames and returns as many.
        scale: output side / input side.
        channels: channels C that it takes: 3, or 1 of a network for grey pictures.
        multiple: H and W must be multiples of it.
        frames: frames T of the window; the fewest frames of a clip; 1 of an image.
        padding: which frames stand in beyond the ends of a window; see `archs.edvr_window.frame_indices`.
    """

    kind: Kind
    scale: int
    channels: int = 3
    multiple: int = 1
    frames: int = 1
    padding: Literal["replicate", "reflection_circle"] = "reflection_circle"


def traits_of(net: nn.Module) -> Traits:
    """Tells what a network restores.

    Raises:
        ModelError: it restores no pictures: a discriminator, a feature extractor, or a network for aligned faces.

    Example:
        >>> from degradekit_models import build
        >>> traits_of(build("rrdbnet_x2_23b", num_feat=4, num_block=1)).multiple
        2
    """
    if isinstance(net, RRDBNet):
        return Traits("image", net.scale, _channels(net.conv_first) // net.fold**2, multiple=net.fold)
    if isinstance(net, SRVGGNetCompact):
        return Traits("image", net.upscale, _channels(net.body[0]))
    if isinstance(net, MSRResNet):
        return Traits("image", net.upscale, _channels(net.conv_first))
    if isinstance(net, EDVR):
        padding: Literal["replicate", "reflection_circle"] = "replicate" if net.hr_in else "reflection_circle"
        return Traits("window", 1 if net.hr_in else 4, 3, net.multiple, net.num_frame, padding)
    if isinstance(net, IconVSR):
        return Traits("clip", 4, multiple=4, frames=2 * net.temporal_padding + 1)
    if isinstance(net, BasicVSR | RealBasicVSR):
        return Traits("clip", 4)
    if isinstance(net, BasicVSRPlusPlus):
        return Traits("clip", 4) if net.is_low_res_input else Traits("clip", 1, multiple=4)
    name = type(net).__name__
    if isinstance(net, FACE_NETWORKS):
        raise ModelError(f"{name} restores aligned faces: give it as the face model, beside a model for the picture.")
    raise ModelError(f"{name} restores no pictures: give an upscaling network.")


def _channels(conv: nn.Module) -> int:
    assert isinstance(conv, nn.Conv2d)
    return conv.in_channels
