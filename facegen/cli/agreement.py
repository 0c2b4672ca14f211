"""Several files of one group of configurations (`data=[a,b]`): a later one must not silently undo an earlier one."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def check_agreement(key: str, nodes: Mapping[str, Any], settled: Sequence[str]) -> None:
    """Refuse files that give one setting different values, unless the command line settles which.

    nodes: what each file alone makes of the group `key`, unresolved. settled: keys that the command line sets.
    Raises ValueError that names the setting, the files and their values.
    """
    (first, base), *others = nodes.items()
    for name, node in others:
        for path, value, other in _differences(base, node):
            full = f"{key}.{path}"
            if not any(full == word or full.startswith(f"{word}.") for word in settled):
                got = f"{first} says {_said(value)}, {name} says {_said(other)}"
                raise ValueError(f"{key}=[{','.join(nodes)}]: {got} for {path}; settle it: {full}=VALUE")


def _differences(one: Mapping[str, Any], other: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any, Any]]:
    for key in one:
        if key not in other or key == "_target_":
            continue
        place = f"{path}.{key}" if path else str(key)
        if isinstance(one[key], Mapping) and isinstance(other[key], Mapping):
            yield from _differences(one[key], other[key], place)
        elif one[key] != other[key]:
            yield place, one[key], other[key]


def _said(value: Any) -> str:
    """A value as people type it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_said(inner)}" for key, inner in value.items()) + "}"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
