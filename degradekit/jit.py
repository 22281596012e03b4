"""The one way a function is compiled: deterministic float32 loops for one thread.

Only contraction (a*b+c as one rounding, FMA) is allowed. Reassociation is not, so a result does not depend on the
vector width; contraction is what a core needs to reach its peak, and the build's manifest records whether it has FMA.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from functools import cache
from numbers import Number
from pathlib import Path
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
    return cast(Callable[P, R], _tied_to_sources(compiled))


def inline(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a small function that becomes part of the kernels that call it: a loop with a real call stays scalar."""
    compiled = numba.njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy", forceinline=True)(
        function
    )
    return cast(Callable[P, R], _tied_to_sources(compiled))


def scalar(signature: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Compile a function of numbers for one signature: a Python int is then what the signature says it is."""

    def compile_it(function: Callable[P, R]) -> Callable[P, R]:
        compiled = _tied_to_sources(numba.njit(cache=True, error_model="numpy")(function))
        compiled.compile(signature)
        compiled.disable_compile()
        return cast(Callable[P, R], compiled)

    return compile_it


def _tied_to_sources(compiled: Any) -> Any:
    """Let machine code on disk count only while all sources that went into it are what they were.

    Numba looks at the file of the function alone: a new version of what it calls, or of a constant, would leave the old
    code in use after an upgrade, and the pixels of the old version with it.
    """
    file = compiled._cache._cache_file
    file._source_stamp = file._source_stamp, _digest(compiled.__module__)
    return compiled


@cache  # once a module, when its first function is compiled: imports come before
def _digest(module: str) -> str:
    content = hashlib.blake2b(digest_size=16)
    for name in sorted(_compiled_with({module, __name__})):
        file = getattr(sys.modules[name], "__file__", None)
        content.update(Path(file).read_bytes() if file else b"")
    for name, value in sorted(vars(sys.modules[module]).items()):
        if isinstance(value, Number) or (isinstance(value, tuple) and all(isinstance(v, Number) for v in value)):
            content.update(f"{name}={value!r};".encode())
    return content.hexdigest()


def _compiled_with(modules: set[str]) -> set[str]:
    """The modules, and those of all compiled functions that they name, and so on."""
    named = {origin for module in modules for origin in _origins(module)}
    return modules if named <= modules else _compiled_with(modules | named)


def _origins(module: str) -> Iterator[str]:
    for value in vars(sys.modules[module]).values():
        if hasattr(value, "py_func") or hasattr(value, "_defn"):  # a compiled function, an intrinsic
            yield value.__module__


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
