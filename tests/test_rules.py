"""House rules that no single module can keep alone."""

from __future__ import annotations

import subprocess
import sys
from itertools import takewhile

import pytest

import degradekit
from degradekit.recipe import load_recipe, recipe_names


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def test_import_is_light() -> None:
    """`import degradekit` loads none of the heavy libraries, and the engine never loads torch or ray by itself."""
    heavy = "{'numpy', 'cv2', 'numba', 'pydantic', 'pyarrow', 'lmdb', 'torch', 'ray', 'PIL'}"
    assert python(f"import sys, degradekit; print(sorted({heavy} & set(sys.modules)))") == "[]"
    code = "import sys, degradekit as dk, degradekit.job; dk.load_recipe('real_esrgan')"
    assert python(f"{code}; print(sorted({{'torch', 'ray'}} & set(sys.modules)))") == "[]"


def test_help_loads_nothing() -> None:
    code = (
        "import sys, degradekit.cli as c; c.make_parser(); print(sorted({'numpy', 'yaml', 'ray'} & set(sys.modules)))"
    )
    assert python(code) == "[]"


def test_every_public_name_exists() -> None:
    assert len(degradekit.__all__) <= 22
    for name in degradekit.__all__:
        assert getattr(degradekit, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        degradekit.nonsense  # noqa: B018


@pytest.mark.parametrize("name", sorted(recipe_names()))
def test_every_recipe_loads_and_says_what_it_is(name: str) -> None:
    assert load_recipe(name).name == name
    lines = recipe_names()[name].read_text(encoding="utf-8").splitlines()
    header = "\n".join(takewhile(lambda line: line.startswith("#"), lines))
    for word in ("Command:", "Departs", "Expect", f"degradekit build recipes/{name}.yaml"):
        assert word in header, f"{name} lacks {word}"
