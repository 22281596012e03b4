"""Networks as files that run without this package: ONNX, TorchScript and exported programs, checked after writing."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from degradekit_models.errors import ModelError
from degradekit_models.restore.traits import FACE_NETWORKS, traits_of
from degradekit_models.whole import written_whole

__all__ = ["Format", "export"]

Format: TypeAlias = Literal["onnx", "torchscript", "program"]
SUFFIXES: dict[str, Format] = {".onnx": "onnx", ".ts": "torchscript", ".pt2": "program"}
TOLERANCE = 1e-4
"""Largest difference from this package, relative to the largest value: float32 sums in another order."""


class _Face(nn.Module):
    """A GFPGAN that takes and returns one tensor, with its stored noise."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """Restore ``[N,3,S,S]`` in [-1, 1]."""
        image: Tensor = self.net(x, return_rgb=False, randomize_noise=False)[0]
        return image


def export(net: nn.Module, path: str | Path, *, size: tuple[int, int] = (64, 64), frames: int = 0) -> float:
    """Writes a network and runs the file on the CPU beside the network.

    Networks for pictures take any batch and size afterwards; those for windows, clips and faces take the one given.

    Args:
        net: the network, on the CPU.
        path: ``.onnx`` (checked with ONNX Runtime), ``.ts`` (TorchScript) or ``.pt2`` (`torch.export`).
        size: height and width of the example in pixels.
        frames: of the example clip; 0 takes the fewest.

    Returns:
        The largest relative difference between the file's output and the network's, over two sizes where any is taken.

    Raises:
        ModelError: the format is unknown or its packages are missing, or the file's numbers differ.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise ModelError(f"{path}: {path.suffix or 'no suffix'} is no format; use {', '.join(SUFFIXES)}.")
    net, example, free = _example(net.eval(), size, frames)
    try:
        with written_whole(path) as part:
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # tracing remarks on every shape check of the networks
                run = _WRITERS[SUFFIXES[path.suffix]](net, example, part, free)
                difference = max(_difference(net, run, x) for x in _probes(example, free, traits_multiple(net)))
            if not difference <= TOLERANCE:
                raise ModelError(f"{path}: its numbers differ from the network's by {difference:.1e}; it was not kept.")
    except OSError as error:
        raise ModelError(f"{path}: {error}.") from None
    return difference


def traits_multiple(net: nn.Module) -> int:
    """Of what H and W are multiples."""
    return 1 if isinstance(net, _Face) else traits_of(net).multiple


def _example(net: nn.Module, size: tuple[int, int], frames: int) -> tuple[nn.Module, Tensor, bool]:
    """The network, an input, and whether batch and size stay free."""
    generator = torch.Generator().manual_seed(0)
    if isinstance(net, FACE_NETWORKS):
        return _Face(net).eval(), torch.rand(1, 3, net.out_size, net.out_size, generator=generator) * 2 - 1, False
    traits = traits_of(net)
    h, w = (-(-side // traits.multiple) * traits.multiple for side in size)
    if traits.kind == "image":
        return net, torch.rand(1, traits.channels, h, w, generator=generator), True
    count = traits.frames if traits.kind == "window" else max(frames, traits.frames, 3)
    return net, torch.rand(1, count, 3, h, w, generator=generator), False


def _probes(example: Tensor, free: bool, multiple: int) -> list[Tensor]:
    """Inputs to compare on: the example, and where sizes are free, one of another batch and size."""
    if not free:
        return [example]
    generator = torch.Generator().manual_seed(1)
    h, w = example.shape[-2] + 2 * multiple, example.shape[-1] - 3 * multiple
    return [example, torch.rand(2, example.shape[1], h, max(w, multiple), generator=generator)]


def _difference(net: nn.Module, run: Callable[[Tensor], Tensor], x: Tensor) -> float:
    expected, out = net(x), run(x)
    if out.shape != expected.shape:
        raise ModelError(f"the exported network returns {tuple(out.shape)}, not {tuple(expected.shape)}.")
    return float((out - expected).abs().max() / expected.abs().max())


def _write_onnx(net: nn.Module, example: Tensor, path: Path, free: bool) -> Callable[[Tensor], Tensor]:
    try:
        import onnxruntime  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        raise ModelError("ONNX needs: pip install onnx onnxscript onnxruntime.") from None
    axes: Any = {"input": {0: "batch", 2: "height", 3: "width"}, "output": {0: "batch"}} if free else None
    torch.onnx.export(
        net,
        (example,),
        str(path),
        input_names=["input"],
        output_names=["output"],
        dynamic_axes=axes,
        opset_version=18,
        dynamo=not free,  # which knows more operators; the older exporter leaves sizes free without guessing bounds
        external_data=False,
        verbose=False,
    )
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda x: torch.from_numpy(session.run(None, {"input": x.numpy()})[0])


def _write_torchscript(net: nn.Module, example: Tensor, path: Path, free: bool) -> Callable[[Tensor], Tensor]:
    torch.jit.save(torch.jit.trace(net, (example,), check_trace=False), str(path))  # type: ignore[no-untyped-call]
    loaded: Callable[[Tensor], Tensor] = torch.jit.load(str(path))  # type: ignore[no-untyped-call]
    return loaded


def _write_program(net: nn.Module, example: Tensor, path: Path, free: bool) -> Callable[[Tensor], Tensor]:
    shapes: Any = None
    if free:
        auto = torch.export.Dim.DYNAMIC
        shapes = ({0: auto, 2: auto, 3: auto},)
        example = torch.cat((example, example))  # a batch of one would be taken for a constant
    torch.export.save(torch.export.export(net, (example,), dynamic_shapes=shapes), str(path))
    loaded: Callable[[Tensor], Tensor] = torch.export.load(str(path)).module()
    return loaded


_WRITERS: dict[Format, Callable[[nn.Module, Tensor, Path, bool], Callable[[Tensor], Tensor]]] = {
    "onnx": _write_onnx,
    "torchscript": _write_torchscript,
    "program": _write_program,
}
