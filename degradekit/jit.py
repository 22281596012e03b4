"""The one way a function is compiled: deterministic float32 loops for one thread.

Only contraction (a*b+c as one rounding, FMA) is allowed. Reassociation is not, so a result does not depend on the
vector width; contraction is what a core needs to reach its peak, and the build's manifest records whether it has FMA.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numba
from numba import types
from numba.extending import intrinsic

__all__ = ["inline", "kernel", "scalar", "widest_vectors"]

P = ParamSpec("P")
R = TypeVar("R")


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a pixel loop on first use and keep the machine code on disk for later processes."""
    compiled = numba.njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")(function)
    return cast(Callable[P, R], compiled)


def inline(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a small function that becomes part of the kernels that call it: a loop with a real call stays scalar."""
    compiled = numba.njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy", forceinline=True)(
        function
    )
    return cast(Callable[P, R], compiled)


def scalar(signature: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Compile a function of numbers for one signature: a Python int is then what the signature says it is."""

    def compile_it(function: Callable[P, R]) -> Callable[P, R]:
        return cast(Callable[P, R], numba.njit(signature, cache=True, error_model="numpy")(function))

    return compile_it


@intrinsic
def widest_vectors(typing_context: Any) -> Any:
    """Let the kernel that calls this use the widest vectors of the core.

    LLVM keeps to 256 bits on cores with AVX-512, for the sake of the first ones, whose clock dropped. The results are
    the same, see above; a core without AVX-512 is not concerned.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')  # llvmlite's own add knows no such pairs
        return context.get_dummy_value()

    return types.void(), emit
