"""Signatures as schema: names, required parameters and types of values."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest

from facegen.cli import schema


class Thing:
    """Stands for a module with typed settings."""

    def __init__(
        self,
        rate: float,
        steps: int = 1,
        mode: Literal["a", "b"] = "a",
        folder: str | Path | None = None,
        betas: tuple[float, float] = (0.0, 0.99),
        inner: "Thing | None" = None,
        flag: bool = False,
    ) -> None: ...

    @classmethod
    def make(cls, size: int, **rest: Any) -> "Thing":
        return cls(1.0, **rest)


def check(**values: Any) -> None:
    schema.check_targets({"model": {"_target_": f"{__name__}.Thing", "rate": 1.0, **values}})


def test_fitting_values_pass() -> None:
    check(steps=3, mode="b", folder="x", betas=[0, 1.5], flag=True)
    check(folder=None, inner={"_target_": f"{__name__}.Thing", "rate": 1})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rate": "abc"}, r"^model\.rate: got 'abc', expected a number$"),
        ({"rate": True}, r"expected a number"),
        ({"steps": 1.0}, r"model\.steps: got 1\.0, expected a whole number"),
        ({"mode": "c"}, r"expected one of a, b"),
        ({"folder": 3}, r"expected text or a path or null"),
        ({"betas": [1]}, r"model\.betas: got \[1\], expected a list"),
        ({"betas": 0.5}, r"expected a list"),
        ({"flag": 1}, r"expected true or false"),
        ({"stepz": 1}, r"model\.stepz: .*no such parameter.*did you mean steps\?"),
        ({"inner": {"_target_": f"{__name__}.Thing"}}, r"model\.inner\.rate is missing"),
        ({"inner": {"_target_": f"{__name__}.Thing", "rate": "x"}}, r"^model\.inner\.rate: got 'x'"),
        ({"steps": {"_target_": f"{__name__}.Thing", "rate": 1}}, r"expected a whole number"),
        ({"_target_": "facegen.nothing.Here"}, r"_target_=facegen\.nothing\.Here: cannot be imported"),
    ],
)
def test_misfits_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check(**values)


def test_partial_needs_no_required_parameter() -> None:
    schema.check_targets([{"_target_": f"{__name__}.Thing", "_partial_": True}])


@pytest.mark.parametrize(
    ("value", "annotation", "expected"),
    [
        ([1, 2], Sequence[int], True),
        ([1, "x"], list[int], False),
        ("text", Sequence[str], False),
        ({"a": 1}, Mapping[str, int], True),
        ([1, 2, 3], tuple[int, ...], True),
        (3, Any, True),
        (None, int | None, True),
        (None, int, False),
    ],
)
def test_fits(value: Any, annotation: Any, expected: bool) -> None:
    assert schema.fits(value, annotation) is expected


def test_numbers_of_the_yaml_stay_numbers() -> None:
    schema.check_defaults({"a": {"b": 1.0}, "c": None}, {"a": {"b": 2}, "c": "x"})
    with pytest.raises(ValueError, match=r"a\.b: got 'x', expected a number \(the default is 1\.0\)"):
        schema.check_defaults({"a": {"b": 1.0}}, {"a": {"b": "x"}})


def test_keywords_passed_on_are_known() -> None:
    target = f"{__name__}.Thing.make"
    assert set(schema.parameters(target) or ()) == {"size", "steps", "mode", "folder", "betas", "inner", "flag"}
    with pytest.raises(ValueError, match=r"did you mean steps\?"):
        schema.check_targets({"_target_": target, "size": 1, "stepz": 2})
    with pytest.raises(ValueError, match="steps: got 'many', expected a whole number"):
        schema.check_targets({"_target_": target, "size": 1, "steps": "many"})
