"""A network, a device and a way to cut: everything that running on pictures and clips needs."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from degradekit_models.errors import ModelError
from degradekit_models.restore.pictures import Array, Picture
from degradekit_models.restore.tiles import Tiling, run_tiled
from degradekit_models.restore.traits import traits_of

__all__ = ["Restorer", "resize", "to_grey"]

LUMA = np.array((0.299, 0.587, 0.114), np.float32)
"""BT.601, as OpenCV turns colour into grey."""


class Restorer:
    """Runs one network.

    Args:
        net: a network that `traits.traits_of` knows; it is moved to the device and put into evaluation mode.
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"``; None takes an accelerator where there is one.
        half: compute in float16; for accelerators.
        tiling: how pictures are cut.
        channels_last: lay features out with channels innermost.
        compiled: hand the network to ``torch.compile``; the first picture of every size then waits for the compiler.

    Raises:
        ModelError: the network restores no pictures, or the device does not exist.

    Example:
        >>> from degradekit_models import build
        >>> restorer = Restorer(build("srvgg_animevideov3", num_feat=4, num_conv=1), device="cpu")
        >>> restorer.picture(Picture(np.zeros((5, 6, 3), np.float32)), outscale=2).rgb.shape
        (10, 12, 3)
    """

    def __init__(
        self,
        net: nn.Module,
        *,
        device: str | None = None,
        half: bool = False,
        tiling: Tiling | None = None,
        channels_last: bool = False,
        compiled: bool = False,
    ) -> None:
        self.traits = traits_of(net)
        self.tiling = tiling or Tiling()
        self.device = pick_device(device)
        self.dtype = torch.float16 if half else torch.float32
        layout: dict[str, Any] = {"memory_format": torch.channels_last} if channels_last else {}
        net = net.eval().to(self.device, self.dtype, **layout)
        self._net = torch.compile(net) if compiled else net

    @torch.inference_mode()
    def tensor(self, x: Tensor) -> Tensor:
        """Runs the network on ``[N,C,H,W]`` (image) or ``[N,T,C,H,W]`` (window, clip).

        Args:
            x: RGB in [0, 1] on the CPU.

        Returns:
            What the network returns, on the CPU in float32, unclipped.

        Raises:
            ModelError: memory ran out.
        """
        traits = self.traits

        def call(tile: Tensor) -> Tensor:
            out: Tensor = self._net(tile.to(self.device, self.dtype))
            return out.to("cpu", torch.float32)

        try:
            return run_tiled(call, x, self.tiling, scale=traits.scale, multiple=traits.multiple)
        except torch.OutOfMemoryError:
            h, w = x.shape[-2:]
            size = self.tiling.size or max(h, w)
            raise ModelError(
                f"{h} x {w} pixels in tiles of {size} do not fit into the memory of {self.device}; "
                f"try --tile {max(size // 2, 32)}."
            ) from None

    def picture(self, picture: Picture, outscale: float | None = None) -> Picture:
        """Restores a picture; alpha goes through the network as a grey picture does.

        Args:
            picture: the picture.
            outscale: output side / input side; None keeps the scale of the network. Another than the network's is
                reached by resizing its result.
        """
        if self.traits.kind != "image":
            raise ModelError(
                f"this network restores {self.traits.kind}s of frames: give a video or a folder of frames."
            )
        rgb = self._image(picture.rgb)
        alpha = None
        if picture.alpha is not None:
            alpha = to_grey(self._image(np.repeat(picture.alpha[..., None], 3, axis=2)))[..., 0]
        if picture.grey:
            rgb = to_grey(rgb)
        if outscale is not None and outscale != self.traits.scale:
            h, w = picture.rgb.shape[:2]
            size = (math.floor(h * outscale), math.floor(w * outscale))
            rgb = resize(rgb, size)
            alpha = None if alpha is None else resize(alpha, size)
        return replace(picture, rgb=rgb, alpha=alpha)

    def _image(self, rgb: Array) -> Array:
        x = torch.from_numpy(rgb).movedim(-1, 0)[None]
        # A network for grey pictures restores the channels one by one.
        out = self.tensor(x.movedim(1, 0) if self.traits.channels == 1 else x)
        out = out.movedim(0, 1) if self.traits.channels == 1 else out
        restored: Array = out[0].movedim(0, -1).clamp(0, 1).contiguous().numpy()
        return restored


def pick_device(name: str | None) -> torch.device:
    """The device of this name, or the best there is.

    Raises:
        ModelError: there is no such device.

    Example:
        >>> pick_device("cpu").type
        'cpu'
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"--device {name}: {reason}") from None
    return device


def resize(values: Array, size: tuple[int, int]) -> Array:
    """Resizes ``[H,W]`` or ``[H,W,C]`` to (height, width): Lanczos, and averages of areas from a half downwards.

    Lanczos as OpenCV has it reads a fixed 8 x 8 pixels: reduced further, it would skip some.

    Example:
        >>> resize(np.ones((4, 4), np.float32), (2, 6)).shape
        (2, 6)
    """
    h, w = values.shape[:2]
    if (h, w) == size:
        return values
    if 0 in size:
        raise ModelError(f"a picture of {h} x {w} would be resized to {size[0]} x {size[1]}; raise --outscale.")
    method = cv2.INTER_AREA if size[0] * 2 <= h and size[1] * 2 <= w else cv2.INTER_LANCZOS4
    out: Array = cv2.resize(values, size[::-1], interpolation=method)
    return out.clip(0, 1)


def to_grey(rgb: Array) -> Array:
    """Replaces all channels of ``[H,W,3]`` by their luma.

    Example:
        >>> to_grey(np.ones((1, 1, 3), np.float32)).round(6).tolist()
        [[[1.0, 1.0, 1.0]]]
    """
    return np.repeat((rgb @ LUMA)[..., None], 3, axis=2)
