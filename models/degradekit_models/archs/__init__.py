"""The networks, one file per family, and the published configurations of each by name."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from degradekit_models.archs.rrdbnet import RRDBNet
from degradekit_models.archs.srresnet import MSRResNet
from degradekit_models.archs.srvgg import SRVGGNetCompact
from degradekit_models.archs.unet_discriminator import UNetDiscriminatorSN
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
