"""Seeded weights, seeded inputs, stored reference outputs: parity with the official networks without their weights.

Every tensor of a state_dict is a function of its name and shape: float32 standard normals of a Philox generator keyed
by the CRC-32 of the name, scaled and shifted by the first matching rule. See tests/golden/zoo/README.md for the origin.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import math
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

ZOO = Path(__file__).parents[1] / "golden" / "zoo"

RULES: list[dict[str, Any]] = [
    {"match": r"num_batches_tracked$", "kind": "zero_int"},
    {"match": r"(^|\.)mean$", "kind": "mean"},
    {"match": r"(^|\.)std$", "kind": "std"},
    {"match": r"running_var$", "kind": "abs", "gain": 0.5, "offset": 0.6},
    {"match": r"running_mean$", "kind": "plain", "gain": 0.1},
    {"match": r"weight_u$", "kind": "sn_u"},
    {"match": r"weight_v$", "kind": "sn_v"},
    {"match": "<norm gamma>", "kind": "plain", "gain": 0.2, "offset": 1.0},
    {"match": "<1-D weight>", "kind": "plain", "gain": 0.05, "offset": 0.25},
    {"match": r"bias$", "kind": "plain", "gain": 0.1},
    {"match": r".", "kind": "fan_in", "gain": 1.0},
]
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def normal(name: str, shape: Iterable[int]) -> np.ndarray:
    generator = np.random.Generator(np.random.Philox(key=zlib.crc32(name.encode())))
    return generator.standard_normal(size=tuple(shape), dtype=np.float32)


def picture(name: str, shape: Iterable[int]) -> np.ndarray:
    generator = np.random.Generator(np.random.Philox(key=zlib.crc32(name.encode())))
    return np.floor(generator.random(size=tuple(shape), dtype=np.float32) * np.float32(256)).astype(np.uint8)


def rule_of(name: str, shape: tuple[int, ...], names: set[str], rules: list[dict[str, Any]]) -> dict[str, Any]:
    one_d = name.endswith("weight") and len(shape) == 1
    gamma = one_d and name[: -len("weight")] + "running_var" in names
    special = {"<norm gamma>": gamma, "<1-D weight>": one_d}
    return next(
        r for r in [*rules, *RULES] if (special[r["match"]] if r["match"] in special else re.search(r["match"], name))
    )


def seeded_weights(shapes: Mapping[str, tuple[int, ...]], rules: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    names = set(shapes)
    out: dict[str, np.ndarray] = {}
    spectral: list[str] = []
    for name, shape in shapes.items():
        rule = rule_of(name, shape, names, rules)
        kind, gain, offset = rule["kind"], rule.get("gain", 1.0), np.float32(rule.get("offset", 0.0))
        if kind == "zero_int":
            out[name] = np.zeros(shape, np.int64)
        elif kind in IMAGENET:
            out[name] = np.array(IMAGENET[kind], np.float32).reshape(shape)
        elif kind in ("sn_u", "sn_v"):
            out[name] = np.empty(0, np.float32)
            spectral.append(name)
        else:
            dims = shape[2:] if len(shape) == 5 else shape[1:]
            scale = gain / math.sqrt(math.prod(dims)) if kind == "fan_in" else gain
            z = normal(name, shape)
            out[name] = offset + np.float32(scale) * (np.abs(z) if kind == "abs" else z)
    for name in spectral:
        stem = name[:-2]
        m = out[stem + "_orig"].reshape(len(out[stem + "_orig"]), -1).astype(np.float64)
        u = normal(stem + "_u", (len(m),)).astype(np.float64)
        v = m.T @ (u / np.linalg.norm(u))
        v /= np.linalg.norm(v)
        u = m @ v
        out[name] = (v if name.endswith("_v") else u / np.linalg.norm(u)).astype(np.float32)
    return out


def checksum(weights: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name, a in weights.items():
        if not name.endswith(("weight_u", "weight_v")):
            digest.update(json.dumps([name, list(a.shape), str(a.dtype)]).encode())
            digest.update(np.ascontiguousarray(a).tobytes())
    return digest.hexdigest()


def fill(net: nn.Module, rules: list[dict[str, Any]] | None = None) -> dict[str, np.ndarray]:
    """Loads seeded weights into the network, whatever its floating dtype."""
    weights = seeded_weights({k: tuple(v.shape) for k, v in net.state_dict().items()}, rules or [])
    net.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()}, strict=True)
    return weights


class Golden:
    """One stored reference: builds its network and inputs, and measures how far an output is from it."""

    def __init__(self, name: str) -> None:
        with np.load(ZOO / f"{name}.npz") as stored:
            self.arrays = {k: stored[k] for k in stored.files if k != "meta"}
            self.meta = json.loads(str(stored["meta"]))

    def tensor(self, name: str) -> Tensor:
        return torch.from_numpy(self.arrays[name])

    @property
    def tolerance(self) -> float:
        return max(2e-5, 5 * float(self.meta["noise_floor_f32_vs_f64"]))

    def input(self, name: str) -> Tensor:
        spec = self.meta["inputs"][name]
        kind = spec["kind"]
        raw = (normal if kind == "normal" else picture)(spec["seed_name"], spec["shape"])
        if kind == "normal":
            raw = raw * np.float32(spec.get("scale", 1.0))
        assert hashlib.sha256(raw.tobytes()).hexdigest() == spec["sha256"]
        if kind == "normal":
            return torch.from_numpy(raw)
        if "_b" in kind:
            side = int(kind.split("_b")[1])
            raw = raw.repeat(side, axis=-2).repeat(side, axis=-1)
        x = raw.astype(np.float32) / np.float32(255)
        return torch.from_numpy((x - np.float32(0.5)) / np.float32(0.5) if kind.startswith("pm1") else x)

    def fill(self, net: nn.Module) -> nn.Module:
        assert checksum(fill(net, self.meta["rules"])) == self.meta["weights_sha256"]
        return net.eval()

    def check(self, **outputs: Tensor) -> None:
        """Asserts that every stored piece of every named output is within the tolerance."""
        for name, tensor in outputs.items():
            got = tensor.detach().numpy().astype(np.float64)
            pieces = [k for k in self.arrays if re.fullmatch(re.escape(name) + r"(__[sb]\d+)?", k)]
            assert pieces, f"nothing stored for {name}"
            for piece in pieces:
                ref = self.arrays[piece].astype(np.float64)
                mine = _thin(got, piece.removeprefix(name))
                assert mine.shape == ref.shape, piece
                error = np.abs(mine - ref).max() / np.abs(ref).max()
                assert error <= self.tolerance, f"{piece}: relative error {error:.2e} > {self.tolerance:.2e}"


def _thin(a: np.ndarray, suffix: str) -> np.ndarray:
    if not suffix:
        return a
    k = int(suffix[3:])
    if suffix[2] == "s":
        return a[..., ::k, ::k]
    h, w = a.shape[-2] // k * k, a.shape[-1] // k * k
    return a[..., :h, :w].reshape(*a.shape[:-2], h // k, k, w // k, k).mean(axis=(-3, -1))


@cache
def _zoo() -> dict[str, Any]:
    zoo: dict[str, Any] = json.loads(lzma.decompress((ZOO / "manifests.json.xz").read_bytes()))
    return zoo


@pytest.fixture(autouse=True)
def one_thread() -> Iterable[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def golden() -> Callable[[str], Golden]:
    return Golden


@pytest.fixture(scope="session")
def manifests() -> dict[str, dict[str, Any]]:
    """Name -> {class, constructor, keys: [[name, shape, dtype, kind], ...]}."""
    return _zoo()["manifests"]


@pytest.fixture(scope="session")
def mappings() -> dict[str, list[list[str]]]:
    return _zoo()["mappings"]


@pytest.fixture(scope="session")
def seeded() -> Callable[..., dict[str, np.ndarray]]:
    return fill


@pytest.fixture(scope="session")
def agrees_in_float64() -> Callable[..., None]:
    """Asserts that outputs and gradients of a float32 network agree with those of the same network in float64.

    Errors are root mean squares over a tensor, relative to the reference: a flow or offset may fall on either side of
    a kink of the bilinear interpolation, and single values then differ for good reason.
    """

    def check(
        build: Callable[[], nn.Module],
        shapes: list[tuple[int, ...]],
        *,
        rules: list[dict[str, Any]] | None = None,
        call: Callable[..., Tensor] | None = None,
        tolerance: float = 1e-4,
    ) -> None:
        inputs = [torch.from_numpy(picture(f"input{i}", s).astype(np.float32) / 255) for i, s in enumerate(shapes)]
        results = []
        for dtype in (torch.float32, torch.float64):
            net = build().to(dtype)
            fill(net, rules)
            net.eval()
            xs = [x.to(dtype).requires_grad_() for x in inputs]
            out = net(*xs) if call is None else call(net, *xs)
            probe = torch.from_numpy(normal("probe", out.shape)).to(dtype)
            wanted = {"input" + str(i): x for i, x in enumerate(xs)} | dict(net.named_parameters())
            wanted = {k: v for k, v in wanted.items() if v.requires_grad}
            grads = torch.autograd.grad((out * probe).sum(), list(wanted.values()), allow_unused=True)
            results.append({"out": out.detach()} | dict(zip(wanted, grads, strict=True)))
        single, double = results
        for name, reference in double.items():
            if reference is None:
                assert single[name] is None, name
                continue
            assert reference.norm() > 0, f"{name}: no gradient arrives"
            error = ((single[name].double() - reference).norm() / reference.norm()).item()
            assert error <= tolerance, f"{name}: relative error {error:.2e}"

    return check
