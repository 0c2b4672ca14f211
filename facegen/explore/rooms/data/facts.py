"""What is known of a face, as people read it."""

import math
from collections.abc import Mapping
from typing import Any

_MOST_TEXT = 160


def facts(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Columns of a face as people read them."""
    return [(name, _written(value)) for name, value in values.items()]


def _written(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else "not a number"
    if isinstance(value, list):
        if len(value) > 40 or (value and isinstance(value[0], float) and len(value) > 4):
            return f"{len(value)} numbers"
        return "; ".join(_written(each) for each in value)
    text = str(value)
    return text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]}…"
