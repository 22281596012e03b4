"""One text for one value: what is hashed and compared is written the same way everywhere."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["canonical_json"]


def canonical_json(value: Any) -> str:
    """JSON with sorted keys, no spaces and finite numbers only: one text for one value.

    Raises:
        ValueError: A number is infinite or no number.

    Example:
        >>> canonical_json({"b": 1, "a": [0.5, "é"]})
        '{"a":[0.5,"é"],"b":1}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
