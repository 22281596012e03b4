"""Packages that only some doors need: imported when they are used, missed with a sentence that says what to install."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from degradekit.errors import DegradekitError

__all__ = ["need"]


def need(package: str, purpose: str) -> Any:
    """Import an optional package.

    Args:
        package: Name of the module.
        purpose: What needs it.

    Raises:
        DegradekitError: It is not installed; names the extra that has it.

    Example:
        >>> need("json", "an example").__name__
        'json'
    """
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise DegradekitError(
            f"{purpose} needs the package {package}, which is not installed; pip install 'degradekit[interop]'"
        ) from error
