"""Reading values of options: ``--set OPTION=BOOL``, and whole numbers with a least value."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from degradekit.errors import RecipeError

__all__ = ["at_least", "recipe_options"]

_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def at_least(least: int) -> Callable[[str], int]:
    """The ``type`` of an argument that is a whole number from ``least`` on.

    Example:
        >>> at_least(1)("32")
        32
    """

    def whole(text: str) -> int:
        if not text.strip().lstrip("+-").isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {least} on")
        return int(text)

    return whole


def recipe_options(settings: Sequence[str]) -> dict[str, bool]:
    """Turn ``["gt_usm=true"]`` into ``{"gt_usm": True}``.

    Raises:
        RecipeError: Not of this form.

    Example:
        >>> recipe_options(["gt_usm=true"])
        {'gt_usm': True}
    """
    out = {}
    for setting in settings:
        name, equals, word = setting.partition("=")
        if not name or not equals or word.lower() not in _WORDS:
            raise RecipeError(f"--set {setting}: write --set option=true or --set option=false")
        out[name] = _WORDS[word.lower()]
    return out
