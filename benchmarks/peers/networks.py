"""One side of ``models.py``: the networks of this project or those of basicsr, in a process of its own.

Both sides fill their networks with the same weights, which are functions of the tensors' names, and say what came out,
so that the parent knows that the same was computed. basicsr's deformable networks have no CPU code; they are no rows.
"""

from __future__ import annotations

import json
import os
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

sys.path.insert(0, str(Path(__file__).parent))
from bare import absent, stub_torchvision, without_init

Build = Callable[[], torch.nn.Module]

RRDB = {"num_in_ch": 3, "num_out_ch": 3, "num_feat": 64, "num_grow_ch": 32}
SRVGG = {"num_in_ch": 3, "num_out_ch": 3, "num_feat": 64, "upscale": 4, "act_type": "prelu"}
INPUTS: dict[str, list[tuple[int, ...]]] = {
    "msrresnet_x4": [(1, 3, 64, 64)],
    "rrdbnet_x4_23b": [(1, 3, 32, 32)],
    "rrdbnet_x2_23b": [(1, 3, 64, 64)],
    "rrdbnet_x4_anime6b": [(1, 3, 48, 48)],
    "srvgg_animevideov3": [(1, 3, 96, 96)],
    "srvgg_general_x4v3": [(1, 3, 96, 96)],
    "unet_discriminator_sn": [(1, 3, 128, 128)],
    "vgg_discriminator_128": [(1, 3, 128, 128)],
    "spynet": [(1, 3, 128, 128)] * 2,
    "basicvsr": [(1, 3, 3, 64, 64)],
}
OPTIONS = ("channels_last", "compile")


def ours() -> dict[str, Build]:
    from degradekit_models.archs import build

    return {name: lambda name=name: build(name) for name in INPUTS}  # type: ignore[misc]


def basicsr() -> dict[str, Build]:
    stub_torchvision()
    import types

    without_init("basicsr", "basicsr.archs", "basicsr.utils", "basicsr.ops", "basicsr.ops.dcn")
    sys.modules["basicsr.ops.dcn"].ModulatedDeformConvPack = torch.nn.Module  # type: ignore[attr-defined]
    sys.modules["basicsr.ops.dcn"].modulated_deform_conv = absent  # type: ignore[attr-defined]
    logger = types.SimpleNamespace(info=absent, warning=absent)
    sys.modules["basicsr.utils"].get_root_logger = lambda *_: logger  # type: ignore[attr-defined]
    from basicsr.archs.basicvsr_arch import BasicVSR
    from basicsr.archs.discriminator_arch import UNetDiscriminatorSN, VGGStyleDiscriminator
    from basicsr.archs.rrdbnet_arch import RRDBNet
    from basicsr.archs.spynet_arch import SpyNet
    from basicsr.archs.srresnet_arch import MSRResNet
    from basicsr.archs.srvgg_arch import SRVGGNetCompact

    return {
        "msrresnet_x4": lambda: MSRResNet(3, 3, 64, 16, 4),
        "rrdbnet_x4_23b": lambda: RRDBNet(**RRDB, num_block=23, scale=4),
        "rrdbnet_x2_23b": lambda: RRDBNet(**RRDB, num_block=23, scale=2),
        "rrdbnet_x4_anime6b": lambda: RRDBNet(**RRDB, num_block=6, scale=4),
        "srvgg_animevideov3": lambda: SRVGGNetCompact(**SRVGG, num_conv=16),
        "srvgg_general_x4v3": lambda: SRVGGNetCompact(**SRVGG, num_conv=32),
        "unet_discriminator_sn": lambda: UNetDiscriminatorSN(3, 64),
        "vgg_discriminator_128": lambda: VGGStyleDiscriminator(3, 64, 128),
        "spynet": SpyNet,
        "basicvsr": lambda: BasicVSR(64, 30),
    }


def fill(net: torch.nn.Module) -> torch.nn.Module:
    """Weights that depend on names and shapes alone, small enough that no network overflows."""
    for name, tensor in net.state_dict().items():
        if not tensor.is_floating_point() or name.endswith(("mean", "std", "var", "weight_u", "weight_v")):
            continue
        generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
        scale = tensor[0].numel() ** -0.5 if tensor.ndim > 1 else 0.1
        tensor.copy_(torch.randn(tensor.shape, generator=generator) * scale)
    return net.eval()


class Row:
    """One network, its input, and how to run it."""

    def __init__(self, name: str, build: Build, options: list[str]) -> None:
        torch.manual_seed(0)
        with torch.no_grad():
            net: Any = fill(build())
        generator = torch.Generator().manual_seed(1)
        self.inputs = [torch.rand(shape, generator=generator) for shape in INPUTS[name]]
        if "channels_last" in options:
            net = net.to(memory_format=torch.channels_last)
            self.inputs = [x.to(memory_format=torch.channels_last) if x.ndim == 4 else x for x in self.inputs]
        self.net = torch.compile(net) if "compile" in options else net

    @torch.inference_mode()
    def __call__(self) -> torch.Tensor:
        out: torch.Tensor = self.net(*self.inputs)
        return out


def measure(row: Row, calls: int) -> dict[str, Any]:
    """CPU seconds of the fastest of some calls, and a sample of the result."""
    seconds = []
    for _ in range(calls):
        start = time.process_time()
        out = row()
        seconds.append(time.process_time() - start)
    flat = out.flatten()
    sample = flat[:: max(flat.numel() // 64, 1)].double()
    return {"cpu": min(seconds), "sample": sample.tolist()}


def peak(row: Row) -> dict[str, float]:
    """MiB of tensors that one call holds at most, from the log of PyTorch's allocator: the same in every run."""
    with _silent(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as log:
        row()
    events = log.profiler.kineto_results.events()
    changes = sorted((event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]")
    return {"peak": max(accumulate(change for _, change in changes)) / 2**20}


@contextmanager
def _silent() -> Iterator[None]:
    """The profiler's native code remarks on its start and end."""
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def main() -> None:
    os.sched_setaffinity(0, {int(sys.argv[2])})
    torch.set_num_threads(1)
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    builders = {"ours": ours, "basicsr": basicsr}[sys.argv[1]]()
    rows: dict[str, Row] = {}
    answers.write(json.dumps({"torch": torch.__version__}) + "\n")
    for line in sys.stdin:
        request = json.loads(line)
        key = " ".join((request["row"], *request["options"]))
        if key not in rows:
            rows[key] = Row(request["row"], builders[request["row"]], request["options"])
            rows[key]()
        result = measure(rows[key], request["calls"]) if request["calls"] else peak(rows[key])
        if request["drop"]:
            del rows[key]
        answers.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
