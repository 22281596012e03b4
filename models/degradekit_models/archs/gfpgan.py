"""GFPGAN: restores a face with a U-Net that steers a pretrained StyleGAN2 generator.

Shapes: N batch, C channels, S length of a style vector, L styles of an image.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor, nn

from degradekit_models.archs import gfpgan_layers
from degradekit_models.archs.gfpgan_layers import FaceLayers
from degradekit_models.archs.stylegan2 import (
    StyleGAN2Generator,
    StyleGAN2GeneratorBilinear,
    StyleGAN2GeneratorClean,
    channel_table,
    log2_size,
)
from degradekit_models.errors import ModelError

__all__ = ["GFPGANBilinear", "GFPGANv1", "GFPGANv1Clean"]


class _FaceRestorer(nn.Module):
    """The skeleton of all flavours: U-Net down and up, latents from its bottom, scales and shifts from its way up."""

    def __init__(
        self,
        layers: FaceLayers,
        decoder: nn.Module,
        *,
        out_size: int,
        num_style_feat: int,
        channel_multiplier: float,
        decoder_load_path: str | Path | None,
        fix_decoder: bool,
        input_is_latent: bool,
        different_w: bool,
        narrow: float,
        sft_half: bool,
    ) -> None:
        super().__init__()
        doublings = log2_size(out_size)
        channels = channel_table(channel_multiplier, narrow * 0.5)
        self.out_size = out_size
        self.num_style_feat = num_style_feat
        self.input_is_latent = input_is_latent
        self.different_w = different_w

        down = [2**level for level in range(doublings, 1, -1)]
        up = down[-2::-1]
        self.conv_body_first = layers.conv(3, channels[out_size], 1)
        self.conv_body_down = nn.ModuleList(layers.down(channels[size], channels[size // 2]) for size in down[:-1])
        self.final_conv = layers.conv(channels[4], channels[4], 3)
        self.conv_body_up = nn.ModuleList(layers.up(channels[size // 2], channels[size]) for size in up)
        self.toRGB = nn.ModuleList(layers.rgb(channels[size]) for size in up)
        num_latent = 2 * doublings - 2 if different_w else 1
        self.final_linear = layers.linear(channels[4] * 4 * 4, num_latent * num_style_feat)
        self.stylegan_decoder = decoder
        wide = 1 if sft_half else 2
        self.condition_scale = nn.ModuleList(
            layers.condition(channels[size], wide * channels[size], 1.0) for size in up
        )
        self.condition_shift = nn.ModuleList(
            layers.condition(channels[size], wide * channels[size], 0.0) for size in up
        )
        if decoder_load_path is not None:
            from degradekit_models.checkpoints import load_weights

            load_weights(decoder, decoder_load_path)
        if fix_decoder:
            decoder.requires_grad_(False)

    def forward(
        self, x: Tensor, *, return_rgb: bool = True, randomize_noise: bool = True
    ) -> tuple[Tensor, list[Tensor]]:
        """Restores a batch of aligned faces.

        Args:
            x: faces ``[N,3,out_size,out_size]`` RGB in [-1, 1].
            return_rgb: also return the images of the way up, 8 to out_size pixels; the training loss uses them.
            randomize_noise: fresh noise for every call; False takes the stored noise, and the result is reproducible.

        Returns:
            The restored faces ``[N,3,out_size,out_size]``, and the images of the way up, or an empty list.
        """
        if x.shape[-2:] != (self.out_size, self.out_size):
            raise ModelError(
                f"{type(self).__name__}: the face is {x.shape[-2]} x {x.shape[-1]}; this one was built for "
                f"{self.out_size} x {self.out_size}."
            )
        feat = self.conv_body_first(x)
        skips: list[Tensor] = []
        for block in self.conv_body_down:
            feat = block(feat)
            skips.append(feat)
        feat = self.final_conv(feat)
        style = self.final_linear(feat.flatten(1))
        if self.different_w:
            style = style.view(len(x), -1, self.num_style_feat)

        conditions: list[Tensor] = []
        images: list[Tensor] = []
        for i, block in enumerate(self.conv_body_up):
            feat = block(feat + skips.pop())
            conditions += [self.condition_scale[i](feat), self.condition_shift[i](feat)]
            if return_rgb:
                images.append(self.toRGB[i](feat))
        image, _ = self.stylegan_decoder(
            [style], input_is_latent=self.input_is_latent, randomize_noise=randomize_noise, conditions=conditions
        )
        return image, images


class GFPGANv1(_FaceRestorer):
    """Restores aligned faces; equalised layers with FIR filters, as published.

    Args:
        out_size: side of the face: a power of two from 8 to 1024.
        num_style_feat: length S of a style vector.
        channel_multiplier: factor on the channels from 64 pixels up.
        resample_kernel: taps of the low-pass filter.
        decoder_load_path: a weight file for the generator, or None.
        fix_decoder: whether the generator is kept as it is in training.
        num_mlp: layers of the generator's mapping network.
        lr_mlp: learning-rate factor of that network.
        input_is_latent: the U-Net gives latents rather than codes for the mapping network.
        different_w: one latent per layer rather than one for all.
        narrow: factor on all channels.
        sft_half: steer half the generator's channels rather than all, which keeps more of the input.

    Shape:
        ``[N,3,out_size,out_size]`` RGB in [-1, 1] -> (the same shape, list of images 8, 16 .. out_size pixels).

    Raises:
        ModelError: another size.

    Source:
        Wang et al., "Towards Real-World Blind Face Restoration with Generative Facial Prior", CVPR 2021.

    Example:
        >>> import torch
        >>> net = GFPGANv1(32, 16, num_mlp=1, narrow=0.0625, input_is_latent=True, different_w=True, sft_half=True)
        >>> face, images = net(torch.rand(1, 3, 32, 32) * 2 - 1)
        >>> face.shape, len(images)
        (torch.Size([1, 3, 32, 32]), 3)
    """

    def __init__(
        self,
        out_size: int,
        num_style_feat: int = 512,
        *,
        channel_multiplier: float = 1,
        resample_kernel: Sequence[float] = (1, 3, 3, 1),
        decoder_load_path: str | Path | None = None,
        fix_decoder: bool = True,
        num_mlp: int = 8,
        lr_mlp: float = 0.01,
        input_is_latent: bool = False,
        different_w: bool = False,
        narrow: float = 1,
        sft_half: bool = False,
    ) -> None:
        super().__init__(
            gfpgan_layers.equalized(resample_kernel),
            StyleGAN2Generator(
                out_size,
                num_style_feat,
                num_mlp=num_mlp,
                channel_multiplier=channel_multiplier,
                resample_kernel=resample_kernel,
                lr_mlp=lr_mlp,
                narrow=narrow,
            ),
            out_size=out_size,
            num_style_feat=num_style_feat,
            channel_multiplier=channel_multiplier,
            decoder_load_path=decoder_load_path,
            fix_decoder=fix_decoder,
            input_is_latent=input_is_latent,
            different_w=different_w,
            narrow=narrow,
            sft_half=sft_half,
        )


class GFPGANBilinear(_FaceRestorer):
    """Restores aligned faces; equalised layers with bilinear resizing, which convert exactly to the clean flavour.

    Args: as `GFPGANv1`, without a filter.

    Shape:
        as `GFPGANv1`.

    Source:
        Wang et al., "GFPGAN", CVPR 2021 (the released code).

    Example:
        >>> import torch
        >>> net = GFPGANBilinear(16, 8, num_mlp=1, narrow=0.0625)
        >>> net(torch.zeros(1, 3, 16, 16))[0].shape
        torch.Size([1, 3, 16, 16])
    """

    def __init__(
        self,
        out_size: int,
        num_style_feat: int = 512,
        *,
        channel_multiplier: float = 1,
        decoder_load_path: str | Path | None = None,
        fix_decoder: bool = True,
        num_mlp: int = 8,
        lr_mlp: float = 0.01,
        input_is_latent: bool = False,
        different_w: bool = False,
        narrow: float = 1,
        sft_half: bool = False,
    ) -> None:
        super().__init__(
            gfpgan_layers.equalized("bilinear"),
            StyleGAN2GeneratorBilinear(
                out_size,
                num_style_feat,
                num_mlp=num_mlp,
                channel_multiplier=channel_multiplier,
                lr_mlp=lr_mlp,
                narrow=narrow,
            ),
            out_size=out_size,
            num_style_feat=num_style_feat,
            channel_multiplier=channel_multiplier,
            decoder_load_path=decoder_load_path,
            fix_decoder=fix_decoder,
            input_is_latent=input_is_latent,
            different_w=different_w,
            narrow=narrow,
            sft_half=sft_half,
        )


class GFPGANv1Clean(_FaceRestorer):
    """Restores aligned faces; plain layers with bilinear resizing: versions 1.2, 1.3 and 1.4.

    Args: as `GFPGANv1`, without a filter and a learning-rate factor.

    Shape:
        as `GFPGANv1`.

    Source:
        Wang et al., "GFPGAN", CVPR 2021 (the released code, "clean" version).

    Example:
        >>> import torch
        >>> net = GFPGANv1Clean(16, 8, num_mlp=1, narrow=0.0625)
        >>> net(torch.zeros(1, 3, 16, 16), return_rgb=False)[1]
        []
    """

    def __init__(
        self,
        out_size: int,
        num_style_feat: int = 512,
        *,
        channel_multiplier: float = 1,
        decoder_load_path: str | Path | None = None,
        fix_decoder: bool = True,
        num_mlp: int = 8,
        input_is_latent: bool = False,
        different_w: bool = False,
        narrow: float = 1,
        sft_half: bool = False,
    ) -> None:
        super().__init__(
            gfpgan_layers.clean(),
            StyleGAN2GeneratorClean(
                out_size, num_style_feat, num_mlp=num_mlp, channel_multiplier=channel_multiplier, narrow=narrow
            ),
            out_size=out_size,
            num_style_feat=num_style_feat,
            channel_multiplier=channel_multiplier,
            decoder_load_path=decoder_load_path,
            fix_decoder=fix_decoder,
            input_is_latent=input_is_latent,
            different_w=different_w,
            narrow=narrow,
            sft_half=sft_half,
        )
