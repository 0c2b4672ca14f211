"""What runs were told, and where that differs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

_MOST_BYTES = 4 * 2**20
_ABSENT = "–"


def settings(run: Path) -> dict[str, str]:
    """A run's configuration by dotted names. Raises ValueError for a file that is none."""
    path = run / "config.yaml"
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"got {path.stat().st_size} bytes, expected at most {_MOST_BYTES}")
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise ValueError(f"{path.parent.name}: config.yaml cannot be read ({error})") from None
    return dict(_flat(content, ""))


def differences(every: Mapping[str, Mapping[str, str]], all_of_them: bool = False) -> list[list[str]]:
    """Rows of a table: a setting, and its value in each run; those that are the same everywhere only on demand."""
    names = dict.fromkeys(name for own in every.values() for name in own)
    rows = [[name, *(own.get(name, _ABSENT) for own in every.values())] for name in names]
    return [row for row in rows if all_of_them or len({*row[1:]}) > 1]


def _flat(value: Any, name: str) -> list[tuple[str, str]]:
    if isinstance(value, dict) and value:
        return [pair for key, each in value.items() for pair in _flat(each, f"{name}.{key}" if name else str(key))]
    return [(name, str(value))]
