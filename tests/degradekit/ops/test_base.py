"""Draws as JSON: what an older plan may lack."""

from __future__ import annotations

import pytest

from degradekit.errors import OpError
from degradekit.ops.resize import ResizeDraw


def test_a_plan_from_before_a_parameter_was_is_still_read() -> None:
    values = {key: value for key, value in ResizeDraw(3, 4, "area", False).to_json().items() if key != "step"}
    assert ResizeDraw.from_json(values) == ResizeDraw(3, 4, "area", False)
    with pytest.raises(OpError, match="has parameters"):
        ResizeDraw.from_json({"h": 3})
