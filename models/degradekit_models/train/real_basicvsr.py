"""RealBasicVSR: the frames that go into the recurrent network are held to clean ones as well."""

from __future__ import annotations

from lightning.fabric import Fabric
from torch import Tensor
from torch.nn import functional as F

from degradekit_models.archs.realbasicvsr import RealBasicVSR
from degradekit_models.errors import ModelError
from degradekit_models.train.config import RealBasicVSRConfig
from degradekit_models.train.restoration import Restoration
from degradekit_models.train.scheme import Pairs, pixel_loss
from degradekit_models.train.sharpen import sharpen

__all__ = ["RealBasicVSRScheme"]


class RealBasicVSRScheme(Restoration):
    """Restoration with a term on the cleaned frames; both stages, without and with an adversary.

    Args:
        config: The run.
        fabric: Device, precision and processes.
        allow_random_init: Begin without the trained parts that the config leaves open, instead of refusing.

    Raises:
        ModelError: The generator is no RealBasicVSR, or a weight file is wrong or missing.

    Source:
        Chan et al., "Investigating Tradeoffs in Real-World Video Super-Resolution", CVPR 2022, section 3.1.
    """

    config: RealBasicVSRConfig

    def __init__(self, config: RealBasicVSRConfig, fabric: Fabric, *, allow_random_init: bool = False) -> None:
        super().__init__(config, fabric, allow_random_init=allow_random_init)
        if not isinstance(self.generator.bare, RealBasicVSR):
            raise ModelError(f"generator.arch: {config.generator.arch} does not clean frames; give realbasicvsr.")

    def _restored(self, pairs: Pairs) -> tuple[Tensor, dict[str, Tensor]]:
        restored, cleaned = self.generator(pairs.lq, return_cleaned=True)
        frames = pairs.gt.flatten(0, 1)
        frames = sharpen(frames) if self.config.sharpen.pixel else frames
        target = F.interpolate(frames, size=cleaned.shape[-2:], mode="area").view_as(cleaned)
        return restored, {"cleaning": pixel_loss(self.config.cleaning, cleaned, target)}
