"""The generators of StyleGAN2, also the decoders of GFPGAN.

Shapes: N batch, S length of a style vector, L number of styles of an image, C channels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from degradekit_models.archs.stylegan2_layers import StyleLayers, clean, equalized
from degradekit_models.errors import ModelError

__all__ = [
    "StyleGAN2Generator",
    "StyleGAN2GeneratorBilinear",
    "StyleGAN2GeneratorClean",
    "channel_table",
    "log2_size",
]


def channel_table(channel_multiplier: float, narrow: float = 1.0) -> dict[int, int]:
    """Lists the channels of every resolution of StyleGAN2.

    Args:
        channel_multiplier: factor on the channels from 64 pixels up: 2 in the large networks, 1 in the small ones.
        narrow: factor on all channels.

    Example:
        >>> channel_table(1)[512], channel_table(2)[512], channel_table(1, 0.5)[4]
        (32, 64, 256)
    """
    wide = dict.fromkeys((4, 8, 16, 32), 512)
    thin = {size: 16384 // size * channel_multiplier for size in (64, 128, 256, 512, 1024)}
    return {size: int(channels * narrow) for size, channels in (wide | thin).items()}


def log2_size(out_size: int) -> int:
    """The number of doublings from one pixel to `out_size`.

    Raises:
        ModelError: not a power of two from 8 to 1024.

    Example:
        >>> log2_size(512)
        9
    """
    if out_size not in (8, 16, 32, 64, 128, 256, 512, 1024):
        raise ModelError(f"StyleGAN2: out_size is {out_size}; powers of two from 8 to 1024 exist.")
    return int(math.log2(out_size))


class ConstantInput(nn.Module):
    """The learned 4 x 4 features that every image starts from."""

    def __init__(self, num_channel: int, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, num_channel, size, size))

    def forward(self, batch: int) -> Tensor:
        """Repeats the constant for a batch; ``[N,C,size,size]``."""
        return self.weight.repeat(batch, 1, 1, 1)


class _Generator(nn.Module):
    """The skeleton of all flavours: mapping network, a constant, two styled convolutions and an RGB per level."""

    def __init__(
        self, layers: StyleLayers, *, out_size: int, num_style_feat: int, num_mlp: int, channels: dict[int, int]
    ) -> None:
        super().__init__()
        doublings = log2_size(out_size)
        self.num_style_feat = num_style_feat
        self.num_latent = 2 * doublings - 2
        self.num_layers = 2 * doublings - 3
        self.style_mlp = layers.mlp(num_mlp, num_style_feat)
        self.constant_input = ConstantInput(channels[4], 4)
        self.style_conv1 = layers.style_conv(channels[4], channels[4], num_style_feat, False)
        self.to_rgb1 = layers.to_rgb(channels[4], num_style_feat)
        self.style_convs = nn.ModuleList()
        self.to_rgbs = nn.ModuleList()
        self.noises = nn.Module()
        for i in range(self.num_layers):
            side = 2 ** ((i + 5) // 2)
            self.noises.register_buffer(f"noise{i}", torch.randn(1, 1, side, side))
        for level in range(3, doublings + 1):
            before, after = channels[2 ** (level - 1)], channels[2**level]
            self.style_convs.append(layers.style_conv(before, after, num_style_feat, True))
            self.style_convs.append(layers.style_conv(after, after, num_style_feat, False))
            self.to_rgbs.append(layers.to_rgb(after, num_style_feat))

    def forward(
        self,
        styles: Sequence[Tensor],
        *,
        input_is_latent: bool = False,
        noise: Sequence[Tensor | None] | None = None,
        randomize_noise: bool = True,
        truncation: float = 1.0,
        truncation_latent: Tensor | None = None,
        inject_index: int | None = None,
        return_latents: bool = False,
        conditions: Sequence[Tensor] = (),
    ) -> tuple[Tensor, Tensor | None]:
        """Generates images from one style, or from two mixed ones.

        Args:
            styles: one or two codes ``[N,S]``, or one stack of latents ``[N,L,S]`` with `input_is_latent`.
            input_is_latent: the codes have been through the mapping network already.
            noise: noise for every layer, ``[1 or N,1,side,side]`` each; None follows `randomize_noise`.
            randomize_noise: fresh noise for every call; False takes the stored noise, and the image is reproducible.
            truncation: 1 keeps the latents, towards 0 they approach `truncation_latent`: fewer surprises, less variety.
            truncation_latent: mean latent ``[1,S]``, see `mean_latent`; needed if truncation is below 1.
            inject_index: with two codes, the first style of the second one; None draws it.
            return_latents: return the latents too.
            conditions: per level from 8 pixels up a scale and a shift ``[N,K,side,side]`` for the last K channels.

        Returns:
            Images ``[N,3,out_size,out_size]`` around [-1, 1], and latents ``[N,L,S]`` or None.
        """
        latents = self._latents(styles, input_is_latent, truncation, truncation_latent, inject_index)
        if noise is None:
            stored = [self.noises.get_buffer(f"noise{i}") for i in range(self.num_layers)]
            noise = [None] * self.num_layers if randomize_noise else stored
        image = self._synthesize(latents, noise, conditions)
        return image, latents if return_latents else None

    def mean_latent(self, num_latent: int) -> Tensor:
        """Averages the latents of `num_latent` random codes: the anchor of truncation, ``[1,S]``."""
        code = torch.randn(num_latent, self.num_style_feat, device=self.constant_input.weight.device)
        return self.style_mlp(code).mean(dim=0, keepdim=True)

    def _latents(
        self,
        styles: Sequence[Tensor],
        input_is_latent: bool,
        truncation: float,
        truncation_latent: Tensor | None,
        inject_index: int | None,
    ) -> Tensor:
        """One latent per styled layer, ``[N,L,S]``."""
        codes = list(styles) if input_is_latent else [self.style_mlp(style) for style in styles]
        if truncation < 1.0:
            if truncation_latent is None:
                raise ModelError("StyleGAN2: truncation below 1 needs truncation_latent, see mean_latent.")
            codes = [truncation_latent + truncation * (code - truncation_latent) for code in codes]
        if len(codes) == 1:
            only = codes[0]
            return only if only.ndim == 3 else only.unsqueeze(1).repeat(1, self.num_latent, 1)
        if len(codes) != 2:
            raise ModelError(f"StyleGAN2: {len(codes)} styles; give one, or two to mix.")
        cut = int(torch.randint(1, self.num_latent, ())) if inject_index is None else inject_index
        first, second = (code.unsqueeze(1) for code in codes)
        return torch.cat((first.repeat(1, cut, 1), second.repeat(1, self.num_latent - cut, 1)), dim=1)

    def _synthesize(self, latents: Tensor, noise: Sequence[Tensor | None], conditions: Sequence[Tensor]) -> Tensor:
        if latents.shape[1:] != (self.num_latent, self.num_style_feat):
            raise ModelError(
                f"StyleGAN2: latents are {tuple(latents.shape)}; give [N,{self.num_latent},{self.num_style_feat}]."
            )
        feat = self.style_conv1(self.constant_input(len(latents)), latents[:, 0], noise[0])
        image = self.to_rgb1(feat, latents[:, 1])
        for level, to_rgb in enumerate(self.to_rgbs):
            i = 2 * level + 1
            feat = self.style_convs[i - 1](feat, latents[:, i], noise[i])
            if i < len(conditions):
                feat = _condition(feat, conditions[i - 1], conditions[i])
            feat = self.style_convs[i](feat, latents[:, i + 1], noise[i + 1])
            image = to_rgb(feat, latents[:, i + 2], image)
        return image


class StyleGAN2Generator(_Generator):
    """Generates images from random codes, with FIR filters around every change of size.

    Args:
        out_size: side of the image: a power of two from 8 to 1024.
        num_style_feat: length S of a style vector.
        num_mlp: layers of the mapping network.
        channel_multiplier: factor on the channels from 64 pixels up.
        resample_kernel: taps of the low-pass filter.
        lr_mlp: learning-rate factor of the mapping network.
        narrow: factor on all channels.

    Shape:
        list of ``[N,S]`` -> (``[N,3,out_size,out_size]`` RGB around [-1, 1], latents ``[N,L,S]`` or None).

    Raises:
        ModelError: another size, or styles that do not fit.

    Source:
        Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", CVPR 2020.

    Example:
        >>> import torch
        >>> net = StyleGAN2Generator(32, 16, num_mlp=2, narrow=0.03125)
        >>> image, _ = net([torch.randn(2, 16)], randomize_noise=False)
        >>> image.shape
        torch.Size([2, 3, 32, 32])
    """

    def __init__(
        self,
        out_size: int,
        num_style_feat: int = 512,
        *,
        num_mlp: int = 8,
        channel_multiplier: float = 2,
        resample_kernel: Sequence[float] = (1, 3, 3, 1),
        lr_mlp: float = 0.01,
        narrow: float = 1,
    ) -> None:
        super().__init__(
            equalized(resample_kernel, lr_mlp),
            out_size=out_size,
            num_style_feat=num_style_feat,
            num_mlp=num_mlp,
            channels=channel_table(channel_multiplier, narrow),
        )


class StyleGAN2GeneratorBilinear(_Generator):
    """Generates images from random codes, with bilinear resizing and equalised layers.

    Args: as `StyleGAN2Generator`, without a filter.

    Shape:
        as `StyleGAN2Generator`.

    Source:
        Wang et al., "GFPGAN", CVPR 2021 (the released code).

    Example:
        >>> import torch
        >>> net = StyleGAN2GeneratorBilinear(16, 8, num_mlp=1, narrow=0.03125)
        >>> net([torch.randn(1, 8)])[0].shape
        torch.Size([1, 3, 16, 16])
    """

    def __init__(
        self,
        out_size: int,
        num_style_feat: int = 512,
        *,
        num_mlp: int = 8,
        channel_multiplier: float = 2,
        lr_mlp: float = 0.01,
        narrow: float = 1,
    ) -> None:
        super().__init__(
            equalized(None, lr_mlp),
            out_size=out_size,
            num_style_feat=num_style_feat,
            num_mlp=num_mlp,
            channels=channel_table(channel_multiplier, narrow),
        )


class StyleGAN2GeneratorClean(_Generator):
    """Generates images from random codes, with bilinear resizing and plain layers.

    Args: as `StyleGAN2Generator`, without a filter and a learning-rate factor.

    Shape:
        as `StyleGAN2Generator`.

    Source:
        Wang et al., "GFPGAN", CVPR 2021 (the released code, "clean" version).

    Example:
        >>> import torch
        >>> net = StyleGAN2GeneratorClean(16, 8, num_mlp=1, narrow=0.03125)
        >>> net([torch.randn(1, 8)])[0].shape
        torch.Size([1, 3, 16, 16])
    """

    def __init__(
        self,
        out_size: int,
        num_style_feat: int = 512,
        *,
        num_mlp: int = 8,
        channel_multiplier: float = 2,
        narrow: float = 1,
    ) -> None:
        super().__init__(
            clean(),
            out_size=out_size,
            num_style_feat=num_style_feat,
            num_mlp=num_mlp,
            channels=channel_table(channel_multiplier, narrow),
        )


def _condition(feat: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Scales and shifts the last channels, as many as the condition has; the others pass (channel-split SFT)."""
    same, changed = feat.split((feat.shape[1] - scale.shape[1], scale.shape[1]), dim=1)
    return torch.cat((same, changed * scale + shift), dim=1)
