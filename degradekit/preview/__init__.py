"""One page that shows a recipe before hours are spent on it."""

from degradekit.preview.page import preview
from degradekit.preview.source import Example, examples

__all__ = ["Example", "examples", "preview"]
