"""Pages that show a recipe before hours are spent on it, and a stored pair afterwards."""

from degradekit.preview.explain import Explanation, explain
from degradekit.preview.page import preview
from degradekit.preview.source import Example, examples

__all__ = ["Example", "Explanation", "examples", "explain", "preview"]
