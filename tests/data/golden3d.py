"""The files 15 and 17 of golden3d, and the keys of each: a test compares every one."""

import json
from functools import cache
from typing import Any

import numpy as np
import pytest

from tests.geometry.reference import reference_file


@cache
def described(name: str) -> dict[str, Any]:
    """The content of a JSON file."""
    return json.loads(reference_file(f"golden3d/{name}").read_text())


@cache
def arrays(name: str) -> dict[str, np.ndarray]:
    """The content of an npz file."""
    with np.load(reference_file(f"golden3d/{name}"), allow_pickle=False) as content:
        return {key: content[key] for key in content.files}


def keys(name: str) -> list[Any]:
    """The keys of a file; one skipped entry where there is no such file."""
    path = reference_file(f"golden3d/{name}")
    if not path.exists():
        reason = f"reference numbers not found: {path}; set FACEGEN_GOLDEN to the folder above golden/"
        return [pytest.param("", id="absent", marks=pytest.mark.skip(reason=reason))]
    return list(arrays(name) if name.endswith(".npz") else described(name))


def same(theirs: Any, ours: Any) -> None:
    """Equal, a tuple of ours to their list."""
    assert theirs == (list(ours) if isinstance(ours, tuple) else ours)
