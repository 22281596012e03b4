"""From a config to the scheme that it names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightning.fabric import Fabric

from degradekit_models.train.cascade import Cascade
from degradekit_models.train.config import (
    CascadeConfig,
    Config,
    GFPGANConfig,
    RealBasicVSRConfig,
    RestorationConfig,
    StyleGAN2Config,
)
from degradekit_models.train.gfpgan import GFPGAN
from degradekit_models.train.real_basicvsr import RealBasicVSRScheme
from degradekit_models.train.restoration import Restoration
from degradekit_models.train.scheme import Scheme
from degradekit_models.train.stylegan2 import StyleGAN2

__all__ = ["make_scheme"]

SCHEMES: Mapping[type[Config], Any] = {
    RestorationConfig: Restoration,
    RealBasicVSRConfig: RealBasicVSRScheme,
    CascadeConfig: Cascade,
    GFPGANConfig: GFPGAN,
    StyleGAN2Config: StyleGAN2,
}


def make_scheme(config: Config, fabric: Fabric, *, allow_random_init: bool = False) -> Scheme:
    """The networks of a run, ready for the first step.

    Args:
        config: The run.
        fabric: Device, precision and processes.
        allow_random_init: Begin without the trained parts that the config leaves open, instead of refusing.

    Raises:
        ModelError: A network or a weight file is wrong or missing.
    """
    scheme: Scheme = SCHEMES[type(config)](config, fabric, allow_random_init=allow_random_init)
    return scheme
