"""The one way a function is compiled: deterministic float32 loops for one thread.

Only contraction (a*b+c as one rounding, FMA) is allowed. Reassociation is not, so a result does not depend on the
vector width; contraction is what a core needs to reach its peak, and the build's manifest records whether it has FMA.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

__all__ = ["inline", "kernel", "scalar"]

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
