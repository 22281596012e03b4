"""The zoo as a table: papers, sizes and cost of every network, and the files that were published for it.

No weights are shipped. A digest is of the published file; where only the start of one is known, it is part of the
file's name, as its authors put it there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from degradekit_models.archs import ARCHS, build
from degradekit_models.errors import ModelError

__all__ = ["PAPERS", "WEIGHTS", "Cost", "Weights", "find_weights", "measure", "outline"]


@dataclass(frozen=True)
class Weights:
    """A published weight file.

    Attributes:
        name: the file's name without its suffix; what ``--model`` takes.
        arch: the network, a name of `ARCHS`.
        url: of the official release; None where there is only a folder in a browser.
        sha256: digest, or its first eight digits where no more is known; None where nothing is.
        licence: SPDX identifier of the release it is part of.
        file: the file's name.
    """

    name: str
    arch: str
    url: str | None
    sha256: str | None
    licence: str
    file: str


@dataclass(frozen=True)
class Cost:
    """What a network costs.

    Attributes:
        parameters: number of weights.
        macs: multiply-accumulate operations of one forward pass, per frame of a video network.
        size: (height, width) of the input in pixels that they were counted for.
    """

    parameters: int
    macs: int
    size: tuple[int, int]


_BASICVSR = "Chan et al., BasicVSR, CVPR 2021"
_STYLEGAN2 = "Karras et al., StyleGAN2, CVPR 2020"
_GFPGAN = "Wang et al., GFPGAN, CVPR 2021"
PAPERS = {
    "MSRResNet": "Ledig et al., SRGAN, CVPR 2017",
    "RRDBNet": "Wang et al., ESRGAN, ECCVW 2018",
    "SRVGGNetCompact": "Wang et al., Real-ESRGAN, ICCVW 2021",
    "VGGStyleDiscriminator": "Ledig et al., SRGAN, CVPR 2017",
    "UNetDiscriminatorSN": "Wang et al., Real-ESRGAN, ICCVW 2021",
    "SpyNet": "Ranjan & Black, SPyNet, CVPR 2017",
    "EDVR": "Wang et al., EDVR, CVPRW 2019",
    "EDVRFeatureExtractor": _BASICVSR,
    "BasicVSR": _BASICVSR,
    "IconVSR": _BASICVSR,
    "BasicVSRPlusPlus": "Chan et al., BasicVSR++, CVPR 2022",
    "RealBasicVSR": "Chan et al., RealBasicVSR, CVPR 2022",
    "StyleGAN2Generator": _STYLEGAN2,
    "StyleGAN2GeneratorClean": _GFPGAN,
    "StyleGAN2Discriminator": _STYLEGAN2,
    "GFPGANv1": _GFPGAN,
    "GFPGANBilinear": _GFPGAN,
    "GFPGANv1Clean": _GFPGAN,
    "FacialComponentDiscriminator": _GFPGAN,
    "ResNetArcFace": "Deng et al., ArcFace, CVPR 2019",
    "VGG19Features": "Simonyan & Zisserman, VGG, ICLR 2015",
}
"""Class of the network -> where it was published."""

_REALESRGAN_URL = "https://github.com/xinntao/Real-ESRGAN/releases/download/"
_GFPGAN_URL = "https://github.com/TencentARC/GFPGAN/releases/download/"


def _of(arch: str, url: str | None, sha256: str | None, licence: str, file: str = "") -> Weights:
    file = file or (url or "").rpartition("/")[2]
    return Weights(file.rpartition(".")[0], arch, url, sha256, licence, file)


def _esrgan(arch: str, path: str, sha256: str | None) -> Weights:
    return _of(arch, _REALESRGAN_URL + path, sha256, "BSD-3-Clause")


def _gfpgan(arch: str, path: str, sha256: str | None) -> Weights:
    return _of(arch, _GFPGAN_URL + path, sha256, "Apache-2.0")


def _basicsr(arch: str, *stems: str) -> tuple[Weights, ...]:
    """Files of BasicSR's model zoo, whose names end with the first eight digits of their digest."""
    return tuple(_of(arch, None, stem.rpartition("-")[2], "Apache-2.0", f"{stem}.pth") for stem in stems)


WEIGHTS: tuple[Weights, ...] = (
    _esrgan(
        "rrdbnet_x4_23b",
        "v0.1.0/RealESRGAN_x4plus.pth",
        "4fa0d38905f75ac06eb49a7951b426670021be3018265fd191d2125df9d682f1",
    ),
    _esrgan("rrdbnet_x4_23b", "v0.1.1/RealESRNet_x4plus.pth", None),
    _esrgan("rrdbnet_x4_23b", "v0.1.1/ESRGAN_SRx4_DF2KOST_official-ff704c30.pth", "ff704c30"),
    *_basicsr("rrdbnet_x4_23b", "ESRGAN_PSNR_SRx4_DF2K_official-150ff491"),
    _esrgan(
        "rrdbnet_x2_23b",
        "v0.2.1/RealESRGAN_x2plus.pth",
        "49fafd45f8fd7aa8d31ab2a22d14d91b536c34494a5cfe31eb5d89c2fa266abb",
    ),
    _esrgan(
        "rrdbnet_x4_anime6b",
        "v0.2.2.4/RealESRGAN_x4plus_anime_6B.pth",
        "f872d837d3c90ed2e05227bed711af5671a6fd1c9f7d7e91c911a61f155e99da",
    ),
    _esrgan(
        "srvgg_animevideov3",
        "v0.2.5.0/realesr-animevideov3.pth",
        "b8a8376811077954d82ca3fcf476f1ac3da3e8a68a4f4d71363008000a18b75d",
    ),
    _esrgan(
        "srvgg_general_x4v3",
        "v0.2.5.0/realesr-general-x4v3.pth",
        "8dc7edb9ac80ccdc30c3a5dca6616509367f05fbc184ad95b731f05bece96292",
    ),
    _esrgan(
        "srvgg_general_x4v3",
        "v0.2.5.0/realesr-general-wdn-x4v3.pth",
        "1641f8c4464b9f097c9fdda5589273713f67cf59f3d909e0bd688f0cee269dca",
    ),
    _esrgan("unet_discriminator_sn", "v0.2.2.3/RealESRGAN_x4plus_netD.pth", None),
    _esrgan("unet_discriminator_sn", "v0.2.2.3/RealESRGAN_x2plus_netD.pth", None),
    _esrgan("unet_discriminator_sn", "v0.2.2.4/RealESRGAN_x4plus_anime_6B_netD.pth", None),
    *_basicsr("spynet", "spynet_sintel_final-3d2a1287"),
    *_basicsr("edvr_m_x4_sr_reds", "EDVR_M_x4_SR_REDS_official-32075921"),
    *_basicsr("edvr_m_wotsa_x4_sr_reds", "EDVR_M_woTSA_x4_SR_REDS_official-1edf645c"),
    *_basicsr("edvr_l_x4_sr_reds", "EDVR_L_x4_SR_REDS_official-9f5f5039"),
    *_basicsr("edvr_l_x4_sr_vimeo90k", "EDVR_L_x4_SR_Vimeo90K_official-162b54e4"),
    *_basicsr("edvr_l_x4_srblur_reds", "EDVR_L_x4_SRblur_REDS_official-983d7b8e"),
    *_basicsr("edvr_l_deblur_reds", "EDVR_L_deblur_REDS_official-ca46bd8c", "EDVR_L_deblurcomp_REDS_official-0e988e5c"),
    *_basicsr("edvr_feature_extractor_f5", "EDVR_REDS_pretrained_for_IconVSR-f62a2f1e"),
    *_basicsr("edvr_feature_extractor_f7", "EDVR_Vimeo90K_pretrained_for_IconVSR-ee48ee92"),
    *_basicsr(
        "basicvsr", "BasicVSR_REDS4-543c8261", "BasicVSR_Vimeo90K_BIx4-2a29695a", "BasicVSR_Vimeo90K_BDx4-e9bf46eb"
    ),
    *_basicsr("stylegan2_generator_1024_c2", "stylegan2_ffhq_config_f_1024_official-3ab41b38"),
    *_basicsr("stylegan2_discriminator_1024_c2", "stylegan2_ffhq_config_f_1024_discriminator_official-a386354a"),
    _gfpgan("stylegan2_generator_512_c1", "v0.1.0/StyleGAN2_512_Cmul1_FFHQ_B12G4_scratch_800k.pth", None),
    _gfpgan("gfpganv1_original", "v0.1.0/GFPGANv1.pth", None),
    _gfpgan(
        "gfpganv1_clean_c2",
        "v0.2.0/GFPGANCleanv1-NoCE-C2.pth",
        "29e25ee90c170f4231163f4c83df6b59c968b73f3ce00cb884015ae005db083c",
    ),
    _gfpgan(
        "gfpganv1_clean_c2",
        "v1.3.0/GFPGANv1.3.pth",
        "c953a88f2727c85c3d9ae72e2bd4846bbaf59fe6972ad94130e23e7017524a70",
    ),
    _gfpgan(
        "gfpganv1_clean_c2",
        "v1.3.0/GFPGANv1.4.pth",
        "e2cd4703ab14f4d01fd1383a8a8b266f9a5833dacee8e6a79d3bf21a1b6be5ad",
    ),
    _gfpgan("resnet_arcface18", "v0.1.0/arcface_resnet18.pth", None),
    _of("vgg19_features", "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth", "dcbb9e9d", "BSD-3-Clause"),
)


def find_weights(name: str) -> Weights:
    """Finds a published file by its name, with or without suffix.

    Raises:
        ModelError: there is none; names of networks are answered with the files that were published for them.

    Example:
        >>> find_weights("RealESRGAN_x4plus").arch
        'rrdbnet_x4_23b'
    """
    for weights in WEIGHTS:
        if name in (weights.name, weights.file):
            return weights
    if name in ARCHS:
        files = [weights.name for weights in WEIGHTS if weights.arch == name]
        known = f"published for it: {', '.join(files)}" if files else "nothing was published for it; give a file"
        raise ModelError(f"{name} is a network, not a weight file; {known}.")
    raise ModelError(f"{name!r} is neither a file nor a published one; see `degradekit-models list`.")


class _NoInitialisation(TorchFunctionMode):
    """Leaves out drawing weights, which takes three quarters of the time even where tensors have no data."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return func(*args, **kwargs)


def outline(name: str) -> nn.Module:
    """Builds a network whose tensors have shapes and no data.

    Example:
        >>> sum(p.numel() for p in outline("srvgg_animevideov3").parameters())
        621424
    """
    with torch.device("meta"), _NoInitialisation():
        return build(name)


def measure(name: str, size: tuple[int, int] = (64, 64)) -> Cost:
    """Counts the weights of a network and the multiply-accumulate operations of a forward pass.

    Convolutions and matrix products count; the tensors have no data, so that nothing is computed.

    Args:
        name: a key of `ARCHS`.
        size: height and width of the input; networks for one size keep theirs.

    Example:
        >>> measure("srvgg_animevideov3").parameters
        621424
    """
    from torch.utils.flop_counter import FlopCounterMode

    net = outline(name).eval()
    with torch.device("meta"):
        inputs, options, frames = _inputs(net, size)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            net(*inputs, **options)
    parameters = sum(p.numel() for p in net.parameters())
    first = inputs[0]
    height, width = first.shape[-2:] if isinstance(first, Tensor) else (ARCHS[name].arguments["out_size"],) * 2
    return Cost(parameters, counter.get_total_flops() // 2 // frames, (height, width))


def _inputs(net: Any, size: tuple[int, int]) -> tuple[tuple[Any, ...], dict[str, Any], int]:
    """Arguments of a forward pass, and how many frames it restores."""
    name = type(net).__name__
    if name in ("EDVR", "EDVRFeatureExtractor"):
        return (torch.empty(1, net.num_frame, 3, *size),), {}, 1
    if name in ("BasicVSR", "IconVSR", "BasicVSRPlusPlus", "RealBasicVSR"):
        return (torch.empty(1, 7, 3, *size),), {}, 7
    if name == "SpyNet":
        return (torch.empty(1, 3, *size), torch.empty(1, 3, *size)), {}, 1
    if name.startswith("StyleGAN2Generator"):
        return ([torch.empty(1, net.num_style_feat)],), {}, 1
    if name.startswith("GFPGAN"):
        return (torch.empty(1, 3, 512, 512),), {"return_rgb": False}, 1
    if name == "ResNetArcFace":
        return (torch.empty(1, 1, 128, 128),), {}, 1
    fixed = getattr(net, "input_size", None) or getattr(net, "out_size", None)
    return (torch.empty(1, 3, *((fixed, fixed) if fixed else size)),), {}, 1
