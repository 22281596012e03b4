"""The second stage of EDVR: a shallower network that refines the frames of the first."""

from __future__ import annotations

from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Tensor

from degradekit_models.archs.edvr import EDVR
from degradekit_models.errors import ModelError
from degradekit_models.restore.clips import restore_frames
from degradekit_models.restore.upscale import Restorer
from degradekit_models.train.config import CascadeConfig
from degradekit_models.train.networks import make_network
from degradekit_models.train.restoration import Restoration
from degradekit_models.train.scheme import Pairs
from degradekit_models.train.validate import Restore, to_frames, to_levels

__all__ = ["Cascade"]


class Cascade(Restoration):
    """Restoration of what a frozen first network restored: of a clip, every window of frames that lies in it.

    The clip has as many frames as the second network's window plus what the first network's window reaches beyond.

    Args:
        config: The run.
        fabric: Device, precision and processes.
        allow_random_init: Begin without a trained first network, instead of refusing.

    Raises:
        ModelError: The networks or the clip's length do not fit each other, or a weight file is wrong or missing.

    Source:
        Wang et al., "EDVR", CVPRW 2019, section 3.4 (two-stage restoration).
    """

    config: CascadeConfig

    def __init__(self, config: CascadeConfig, fabric: Fabric, *, allow_random_init: bool = False) -> None:
        if config.first.weights is None and not allow_random_init:
            raise ModelError("first.weights is missing: give the trained first stage, or --allow-random-init.")
        first = make_network(config.first, allow_random_init=allow_random_init)
        super().__init__(config, fabric, allow_random_init=allow_random_init)
        second = self.generator.bare
        if not (isinstance(first, EDVR) and isinstance(second, EDVR) and second.hr_in):
            raise ModelError(
                "a cascade is an EDVR and one that takes its frames: give generator.arguments hr_in and with_predeblur."
            )
        needed = first.num_frame + second.num_frame - 1
        if config.data.clip != needed:
            raise ModelError(
                f"data.clip is {config.data.clip}; windows of {first.num_frame} and {second.num_frame} take {needed}."
            )
        self.first: Any = fabric.to_device(first.eval().requires_grad_(False))

    def _restored(self, pairs: Pairs) -> tuple[Tensor, dict[str, Tensor]]:
        return self.generator(self._first_stage(pairs.lq)), {}

    @torch.no_grad()
    def _first_stage(self, clip: Tensor) -> Tensor:
        """The frames of a batch of clips that have a whole window around them, restored."""
        windows = clip.unfold(1, self.first.num_frame, 1).movedim(-1, 2)
        with self.fabric.autocast():
            restored = [self.first(window).float().clamp(0, 1) for window in windows.unbind(1)]
        return torch.stack(restored, dim=1)

    def restore(self) -> Restore:
        """Both stages one after the other; at the ends of a clip frames stand in, as when restoring videos."""
        device = str(self.fabric.device)
        stages = [Restorer(net, device=device) for net in (self.first, self.averaged())]

        def restored(clip: Any) -> Any:
            frames: Any = to_frames(clip)
            for stage in stages:
                frames = restore_frames(stage, frames)
            return to_levels(torch.stack(list(frames)))

        return restored
