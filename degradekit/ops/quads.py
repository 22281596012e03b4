"""Four float32 side by side in one register, for kernels that walk over interleaved RGB pixel by pixel.

LLVM's loop vectoriser wants the same step from one iteration to the next, which a resampled row does not have, and
numba leaves the vectoriser of straight-line code off. So these four operations say it outright: a pixel is loaded with
one neighbouring float, weighted and stored, and the next pixel overwrites the fourth lane. They are LLVM's portable
vectors: SSE, AVX and NEON all have them. A row of four taps takes half the time of scalar code, of two taps two thirds.

In a kernel, ``row`` and ``at`` index a C-contiguous float32 array ``[rows, n]``; nothing is checked.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

__all__ = ["load", "store", "weigh", "weigh_and_add"]


class _Quad(types.Type):
    def __init__(self) -> None:
        super().__init__(name="Quad")


_QUAD = _Quad()
_VECTOR = ir.VectorType(ir.FloatType(), 4)


@register_model(_Quad)
class _QuadModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)


@intrinsic
def load(context: Any, x: Any, row: Any, at: Any) -> Any:
    """Read ``x[row, at : at + 4]``."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(_pointer(context, builder, signature, args), align=4)

    return _QUAD(x, types.intp, types.intp), emit


@intrinsic
def store(context: Any, x: Any, row: Any, at: Any, quad: Any) -> Any:
    """Write ``x[row, at : at + 4]``."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[3], _pointer(context, builder, signature, args), align=4)
        return context.get_dummy_value()

    return types.void(x, types.intp, types.intp, _QUAD), emit


@intrinsic
def weigh(context: Any, quad: Any, weight: Any) -> Any:
    """``weight * quad``."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fmul(args[0], _splat(builder, args[1]), flags=("contract",))

    return _QUAD(_QUAD, types.float32), emit


@intrinsic
def weigh_and_add(context: Any, total: Any, quad: Any, weight: Any) -> Any:
    """``total + weight * quad``, in one rounding where the core has FMA."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        product = builder.fmul(args[1], _splat(builder, args[2]), flags=("contract",))
        return builder.fadd(args[0], product, flags=("contract",))

    return _QUAD(_QUAD, _QUAD, types.float32), emit


def _pointer(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    array = context.make_array(signature.args[0])(context, builder, args[0])
    width = cgutils.unpack_tuple(builder, array.shape)[1]
    flat = builder.add(builder.mul(args[1], width), args[2])
    return builder.bitcast(builder.gep(array.data, [flat]), _VECTOR.as_pointer())


def _splat(builder: Any, weight: Any) -> Any:
    vector = ir.Constant(_VECTOR, ir.Undefined)
    for lane in range(4):
        vector = builder.insert_element(vector, weight, ir.Constant(ir.IntType(32), lane))
    return vector
