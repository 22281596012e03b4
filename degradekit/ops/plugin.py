"""Ops from other packages, which a recipe names by ``package.module:Class``.

Such an op keeps the contract of :class:`degradekit.ops.Op` and says its own name: ``name`` of the op and of its draw is
that very text, because a dataset finds the class again by it. Its module is imported where a recipe or a plan that
names it is loaded: load only those that you would run.
"""

from __future__ import annotations

import difflib
import importlib
import re
from types import ModuleType
from typing import Any

from degradekit.errors import OpError
from degradekit.ops.base import Draw, Op

__all__ = ["PLUGIN_NAME", "is_plugin", "plugin_op"]

PLUGIN_NAME = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$"


def is_plugin(name: str) -> bool:
    """Whether an op's name is that of a class in another package.

    Example:
        >>> is_plugin("my_ops.rain:Rain"), is_plugin("gaussian_blur")
        (True, False)
    """
    return re.match(PLUGIN_NAME, name) is not None


def plugin_op(name: str) -> type[Op]:
    """Import the op that a name means and check that it keeps its contract.

    Args:
        name: ``package.module:Class``.

    Raises:
        OpError: There is no such module or class, it fails when it is imported, or it is no op.

    Example:
        >>> plugin_op("my_ops.rain:Rain")
        Traceback (most recent call last):
            ...
        degradekit.errors.OpError: op my_ops.rain:Rain: there is no module 'my_ops' here; install its package, or put...
    """
    module_name, _, class_name = name.partition(":")
    found: Any = getattr(_module(name, module_name), class_name, None)
    if found is None:
        near = difflib.get_close_matches(class_name, dir(_module(name, module_name)), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise OpError(f"op {name}: the module {module_name} has no {class_name!r}{hint}")
    if not (isinstance(found, type) and issubclass(found, Op)):
        raise OpError(f"op {name}: {class_name} is no op; make it a subclass of degradekit.ops.Op")
    draws = getattr(found, "draws", None)
    if not (isinstance(draws, type) and issubclass(draws, Draw)):
        raise OpError(f"op {name}: {class_name}.draws is no subclass of degradekit.ops.Draw but {draws!r}")
    for owner in (found, draws):
        if getattr(owner, "name", None) != name:
            said = getattr(owner, "name", None)
            raise OpError(
                f"op {name}: {owner.__name__}.name is {said!r}; write name: ClassVar[str] = {name!r}, by which a "
                "dataset finds the class again"
            )
    return found


def _module(name: str, module_name: str) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and (module_name + ".").startswith(error.name + "."):
            raise OpError(
                f"op {name}: there is no module {error.name!r} here; install its package, "
                "or put its folder on PYTHONPATH"
            ) from error
        raise OpError(f"op {name}: its module needs {error.name!r}, which is not installed") from error
    except Exception as error:  # the code of somebody else may raise anything
        raise OpError(f"op {name}: importing {module_name} fails: {type(error).__name__}: {error}") from error
