"""What a StyleGAN2 generator is made of, in three flavours: filtered, bilinear and clean.

* filtered: equalised layers, FIR low-pass filters around every change of size (Karras et al.);
* bilinear: equalised layers, bilinear resizing;
* clean: plain layers, bilinear resizing: what runs anywhere and what converters aim at.

Shapes: N batch, C channels, H x W pixels, S length of a style vector.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from degradekit_models.archs.equalized import SLOPE, EqualLinear, FusedLeakyReLU, Smooth

__all__ = ["ModulatedConv2d", "NormStyleCode", "StyleConv", "StyleLayers", "ToRGB", "clean", "equalized"]


class NormStyleCode(nn.Module):
    """Scales every style vector to unit mean square.

    Shape:
        ``[N,S]`` -> ``[N,S]``.

    Example:
        >>> import torch
        >>> NormStyleCode()(torch.full((1, 4), 3.0)).round(decimals=4).tolist()
        [[1.0, 1.0, 1.0, 1.0]]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalises style codes."""
        return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-8)


class ModulatedConv2d(nn.Module):
    """Convolves with a kernel whose input channels are scaled by a style, and normalises the expected output variance.

    Scaling the input and the output is the same map as scaling the kernel, and needs no kernel per sample.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: odd side of the kernel.
        modulation: style ``[N,S]`` -> scales ``[N,in_channels]``.
        equalized: store weights at unit variance and scale them at run time.
        demodulate: whether to normalise.
        up: None keeps the size; ``"bilinear"`` doubles it first; a `Smooth` doubles it by a transposed convolution and
            filters the result.

    Shape:
        x ``[N,in_channels,H,W]``, style ``[N,S]`` -> ``[N,out_channels,H,W]``, or twice the size.

    Source:
        Karras et al., "StyleGAN2", CVPR 2020, section 2.2, eq. 1-3.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> conv = ModulatedConv2d(4, 6, 3, modulation=nn.Linear(5, 4), up="bilinear")
        >>> conv(torch.rand(2, 4, 8, 8), torch.rand(2, 5)).shape
        torch.Size([2, 6, 16, 16])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        modulation: nn.Module,
        equalized: bool = False,
        demodulate: bool = True,
        up: Smooth | str | None = None,
    ) -> None:
        super().__init__()
        norm = 1.0 / math.sqrt(in_channels * kernel_size**2)
        self.scale = norm if equalized else 1.0
        self.demodulate = demodulate
        self.padding = kernel_size // 2
        weight = torch.randn(1, out_channels, in_channels, kernel_size, kernel_size)
        self.weight = nn.Parameter(weight if equalized else weight * norm)
        self.modulation = modulation
        self.bilinear = up == "bilinear"
        self.smooth = up if isinstance(up, Smooth) else None

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Convolves features under a style."""
        scales = self.modulation(style)
        weight = self.weight[0] * self.scale
        out = x * scales[:, :, None, None]
        if self.smooth is not None:
            out = self.smooth(F.conv_transpose2d(out, weight.transpose(0, 1), stride=2))
        else:
            out = F.conv2d(_double(out) if self.bilinear else out, weight, padding=self.padding)
        if self.demodulate:
            energy = scales.square() @ weight.square().sum(dim=(2, 3)).mT
            out = out * torch.rsqrt(energy + 1e-8)[:, :, None, None]
        return out


class StyleConv(nn.Module):
    """A modulated 3 x 3 convolution, then noise of learned strength, a bias and a leaky ReLU with gain sqrt(2).

    Args:
        conv: the modulated convolution.
        activate: a `FusedLeakyReLU`; None is the clean flavour, with a bias of its own and the gain on the convolution.
        out_channels: channels C of the output.

    Shape:
        x ``[N,in_channels,H,W]``, style ``[N,S]``, noise ``[1 or N,1,H',W']`` or None -> ``[N,C,H',W']``.

    Source:
        Karras et al., "StyleGAN2", CVPR 2020, figure 2.

    Example:
        >>> import torch
        >>> conv = equalized((1, 3, 3, 1)).style_conv(4, 6, 5, True)
        >>> conv(torch.rand(1, 4, 8, 8), torch.rand(1, 5), torch.zeros(1, 1, 16, 16)).shape
        torch.Size([1, 6, 16, 16])
    """

    def __init__(self, conv: ModulatedConv2d, activate: FusedLeakyReLU | None, *, out_channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        if activate is None:
            self.bias = nn.Parameter(torch.zeros(1, out_channels, 1, 1))
        self.modulated_conv = conv
        self.activate = activate

    def forward(self, x: Tensor, style: Tensor, noise: Tensor | None = None) -> Tensor:
        """Convolves features under a style; without noise given, fresh noise is drawn."""
        out = self.modulated_conv(x, style)
        if noise is None:
            noise = torch.randn(len(out), 1, *out.shape[-2:], dtype=out.dtype, device=out.device)
        if self.activate is not None:
            return self.activate(out + self.weight * noise)
        return F.leaky_relu(math.sqrt(2) * out + self.weight * noise + self.bias, SLOPE)


class ToRGB(nn.Module):
    """Turns features into RGB under a style and adds the image of the level below, enlarged.

    Args:
        conv: a modulated 1 x 1 convolution without demodulation.
        enlarge: doubles the image of the level below.

    Shape:
        x ``[N,C,H,W]``, style ``[N,S]``, skip ``[N,3,H/2,W/2]`` or None -> ``[N,3,H,W]``.

    Source:
        Karras et al., "StyleGAN2", CVPR 2020, section 4.

    Example:
        >>> import torch
        >>> rgb = clean().to_rgb(4, 5)
        >>> rgb(torch.rand(1, 4, 8, 8), torch.rand(1, 5), torch.rand(1, 3, 4, 4)).shape
        torch.Size([1, 3, 8, 8])
    """

    def __init__(self, conv: ModulatedConv2d, enlarge: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))
        self.modulated_conv = conv
        self.enlarge = enlarge

    def forward(self, x: Tensor, style: Tensor, skip: Tensor | None = None) -> Tensor:
        """Makes an image of features."""
        out = self.modulated_conv(x, style) + self.bias
        return out if skip is None else out + self.enlarge(skip)


@dataclass(frozen=True)
class StyleLayers:
    """How to make the layers of one flavour.

    Attributes:
        mlp: (layers, S) -> mapping network.
        style_conv: (in, out, S, double the size) -> `StyleConv`.
        to_rgb: (in, S) -> `ToRGB`.
    """

    mlp: Callable[[int, int], nn.Sequential]
    style_conv: Callable[[int, int, int, bool], StyleConv]
    to_rgb: Callable[[int, int], ToRGB]


def equalized(taps: Sequence[float] | None, lr_mlp: float = 0.01) -> StyleLayers:
    """Makes equalised layers: filtered with these taps, or bilinear with None.

    Example:
        >>> len(equalized(None).mlp(2, 4))
        3
    """

    def modulation(num_style_feat: int, channels: int) -> nn.Module:
        return EqualLinear(num_style_feat, channels, bias_init=1.0)

    def mlp(num_mlp: int, num_style_feat: int) -> nn.Sequential:
        layers = (EqualLinear(num_style_feat, num_style_feat, lr_mul=lr_mlp, activate=True) for _ in range(num_mlp))
        return nn.Sequential(NormStyleCode(), *layers)

    def style_conv(in_channels: int, out_channels: int, num_style_feat: int, double: bool) -> StyleConv:
        up = None if not double else "bilinear" if taps is None else Smooth(taps, (1, 1), gain=4.0)
        mod = modulation(num_style_feat, in_channels)
        conv = ModulatedConv2d(in_channels, out_channels, 3, modulation=mod, equalized=True, up=up)
        return StyleConv(conv, FusedLeakyReLU(out_channels), out_channels=out_channels)

    def to_rgb(in_channels: int, num_style_feat: int) -> ToRGB:
        mod = modulation(num_style_feat, in_channels)
        conv = ModulatedConv2d(in_channels, 3, 1, modulation=mod, equalized=True, demodulate=False)
        return ToRGB(conv, _double if taps is None else Smooth(taps, (2, 1), up=2, gain=4.0))

    return StyleLayers(mlp, style_conv, to_rgb)


def clean() -> StyleLayers:
    """Makes plain layers with bilinear resizing.

    Example:
        >>> [type(m).__name__ for m in clean().mlp(1, 4)]
        ['NormStyleCode', 'Linear', 'LeakyReLU']
    """

    def linear(in_channels: int, out_channels: int, bias: float, slope: float) -> nn.Linear:
        layer = nn.Linear(in_channels, out_channels)
        nn.init.kaiming_normal_(layer.weight, a=slope)
        nn.init.constant_(layer.bias, bias)
        return layer

    def mlp(num_mlp: int, num_style_feat: int) -> nn.Sequential:
        layers: list[nn.Module] = [NormStyleCode()]
        for _ in range(num_mlp):
            layers += [linear(num_style_feat, num_style_feat, 0.0, SLOPE), nn.LeakyReLU(SLOPE, inplace=True)]
        return nn.Sequential(*layers)

    def modulation(num_style_feat: int, channels: int) -> nn.Module:
        return linear(num_style_feat, channels, 1.0, 1.0)  # slope one: unit gain, the layer is linear

    def style_conv(in_channels: int, out_channels: int, num_style_feat: int, double: bool) -> StyleConv:
        mod = modulation(num_style_feat, in_channels)
        conv = ModulatedConv2d(in_channels, out_channels, 3, modulation=mod, up="bilinear" if double else None)
        return StyleConv(conv, None, out_channels=out_channels)

    def to_rgb(in_channels: int, num_style_feat: int) -> ToRGB:
        mod = modulation(num_style_feat, in_channels)
        return ToRGB(ModulatedConv2d(in_channels, 3, 1, modulation=mod, demodulate=False), _double)

    return StyleLayers(mlp, style_conv, to_rgb)


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
