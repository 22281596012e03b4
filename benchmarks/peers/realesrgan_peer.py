"""Real-ESRGAN's published degradation (basicsr 1.4.2, realesrgan 0.3.0 from PyPI) on one CPU core.

The real ``RealESRGANDataset.__getitem__`` makes the kernels, the real ``RealESRGANModel.feed_data`` makes the LQ; it is
left where it would cut the training crop, when the 100x100 LQ is complete. Bent, with no work added or removed: see
``bare.py``; ``.cuda()`` does nothing; the file client and the image decoder hand out a crop from memory, as BGR
float32 like the real decoder; for a batch, the padded image is made contiguous, because on the CPU the layout that
DiffJPEG leaves behind makes ``.view`` refuse.
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from bare import stub_torchvision, stub_trainer, without_init
from serve import GT, SCALE, Call, Pool, serve
from torch.utils.data import default_collate

KERNELS = ["iso", "aniso", "generalized_iso", "generalized_aniso", "plateau_iso", "plateau_aniso"]
SHARES = [0.45, 0.25, 0.12, 0.03, 0.12, 0.03]
OPTIONS: dict[str, Any] = {
    "scale": SCALE, "gt_size": 256, "queue_size": 180,
    "resize_prob": [0.2, 0.7, 0.1], "resize_range": [0.15, 1.5], "gaussian_noise_prob": 0.5, "noise_range": [1, 30],
    "poisson_scale_range": [0.05, 3], "gray_noise_prob": 0.4, "jpeg_range": [30, 95],
    "second_blur_prob": 0.8, "resize_prob2": [0.3, 0.4, 0.3], "resize_range2": [0.3, 1.2],
    "gaussian_noise_prob2": 0.5, "noise_range2": [1, 25], "poisson_scale_range2": [0.05, 2.5],
    "gray_noise_prob2": 0.4, "jpeg_range2": [30, 95],
}  # fmt: skip
DATASET: dict[str, Any] = {
    "io_backend": {"type": "memory"}, "dataroot_gt": "", "use_hflip": True, "use_rot": False,
    "blur_kernel_size": 21, "kernel_list": KERNELS, "kernel_prob": SHARES, "sinc_prob": 0.1,
    "blur_sigma": [0.2, 3], "betag_range": [0.5, 4], "betap_range": [1, 2],
    "blur_kernel_size2": 21, "kernel_list2": KERNELS, "kernel_prob2": SHARES, "sinc_prob2": 0.1,
    "blur_sigma2": [0.2, 1.5], "betag_range2": [0.5, 4], "betap_range2": [1, 2], "final_sinc_prob": 0.8,
}  # fmt: skip


class LqComplete(Exception):
    """Raised where ``feed_data`` goes on to what is no degradation: cropping and the pair pool."""


def load() -> tuple[Any, Any]:
    """Import the two modules whose code runs, past everything around them."""
    stub_torchvision()
    without_init("basicsr", "basicsr.data", "basicsr.models", "realesrgan", "realesrgan.data", "realesrgan.models")
    stub_trainer()
    torch.nn.Module.cuda = lambda self, device=None: self  # type: ignore[method-assign]
    import realesrgan.data.realesrgan_dataset as dataset
    import realesrgan.models.realesrgan_model as model

    def leave(*_: Any, **__: Any) -> None:
        raise LqComplete

    model.paired_random_crop = leave
    return dataset, model


def make_dataset(module: Any, pool: Pool) -> Any:
    """The real dataset over crops in memory."""
    bgr = np.ascontiguousarray(pool[..., ::-1])
    module.FileClient = lambda kind, **_: SimpleNamespace(get=lambda path, key: bgr[int(path)])
    module.imfrombytes = lambda crop, float32: crop.astype(np.float32) / 255.0
    with tempfile.TemporaryDirectory() as folder:
        listing = Path(folder) / "meta_info.txt"
        listing.write_text("".join(f"{i}\n" for i in range(len(pool))))
        dataset = module.RealESRGANDataset({**DATASET, "meta_info": str(listing)})
    dataset.io_backend_opt = dict(dataset.io_backend_opt)
    return dataset


def row(pool: Pool, batch: int, usm: bool) -> Call:
    dataset = make_dataset(DATASET_MODULE, pool)
    model = MODEL_MODULE.RealESRGANModel(OPTIONS)
    if not usm:
        model.usm_sharpener = torch.nn.Identity()
    layout = _contiguous_pad if batch > 1 else F

    def call(i: int) -> int:
        FILTERS.F = layout
        data = default_collate([dataset[(i * batch + j) % len(pool)] for j in range(batch)])
        try:
            model.feed_data(data)
        except LqComplete:
            assert model.lq.shape == (batch, 3, GT // SCALE, GT // SCALE)
        return batch

    return call


_contiguous_pad = SimpleNamespace(conv2d=F.conv2d, pad=lambda *a, **k: F.pad(*a, **k).contiguous())


def reseed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    DATASET_MODULE, MODEL_MODULE = load()
    import basicsr.utils.img_process_util as FILTERS

    serve(
        {
            "batch 1": lambda pool: row(pool, 1, True),
            "batch 1, no USM": lambda pool: row(pool, 1, False),
            "batch 12": lambda pool: row(pool, 12, True),
            "batch 12, no USM": lambda pool: row(pool, 12, False),
        },
        reseed=reseed,
        packages=("realesrgan", "basicsr", "torch", "numpy", "opencv-python-headless"),
    )
