"""Reference arrays by name: a parity test says how each one is made, and every one of a file has to be made."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.golden import golden_root, load_npz

Arrays = dict[str, Tensor]
# How to compute the arrays whose whole name matches a pattern; None marks inputs.
Rules = dict[str, Callable[..., Tensor] | None]


def reference_file(relative: str) -> Path:
    """A file below the folder that holds golden/ and golden3d/."""
    return golden_root().parent / relative


def array_names(relative: str, rules: Rules) -> list[Any]:
    """Parameters for `parametrize`: every array of a file that `rules` do not call an input."""
    path = reference_file(relative)
    if not path.exists():
        reason = f"reference numbers not found: {path}; set FACEGEN_GOLDEN to the folder above golden/"
        return [pytest.param("", id="absent", marks=pytest.mark.skip(reason=reason))]
    inputs = [pattern for pattern, rule in rules.items() if rule is None]
    return [name for name in numeric(path) if not any(re.fullmatch(pattern, name) for pattern in inputs)]


def numeric(path: Path) -> Arrays:
    """All arrays of a file but those of text."""
    with np.load(path, allow_pickle=False) as arrays:
        text = [name for name in arrays.files if arrays[name].dtype.kind == "U"]
        if not text:
            return load_npz(path)
        return {name: torch.from_numpy(arrays[name].copy()) for name in arrays.files if name not in text}


def compute(name: str, rules: Rules, arrays: Arrays) -> Tensor:
    """Our version of the array `name`; fails where no rule says how to make it."""
    for pattern, rule in rules.items():
        if (match := re.fullmatch(pattern, name)) and rule is not None:
            return rule(arrays, *match.groups())
    pytest.fail(f"no test covers the reference array {name}")


def replay(*draws: Tensor) -> Callable[..., Tensor]:
    """A source of random numbers that gives recorded ones, in order and in the shape that they are asked for."""
    rest = iter(draws)

    def draw(shape: tuple[int, ...], device: Any = None) -> Tensor:
        values = next(rest)
        assert tuple(values.shape) == tuple(shape), f"drawn in the shape {shape}, recorded as {tuple(values.shape)}"
        return values

    return draw
