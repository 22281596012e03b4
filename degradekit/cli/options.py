"""Reading ``--set OPTION=BOOL``."""

from __future__ import annotations

from collections.abc import Sequence

from degradekit.errors import RecipeError

__all__ = ["recipe_options"]

_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


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
