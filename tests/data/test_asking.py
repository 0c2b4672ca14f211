"""Conditions in words of attributes and flags, asked of a real table."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from facegen.data import table
from facegen.data.asking import MOST_CHARACTERS, in_columns, mentioned
from facegen.data.celeba import ATTRIBUTES
from facegen.data.flags import FLAGS

IDS = ["a", "b", "c", "d"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of four faces a smiles and b has a shadow, c does neither, of d nothing is known."""
    path = tmp_path_factory.mktemp("asking") / "faces.lance"
    values = np.full((4, 40), -1, np.int8)
    values[0, ATTRIBUTES.index("Smiling")] = values[1, ATTRIBUTES.index("5_o_Clock_Shadow")] = 1
    values[3] = 0
    flags = [[FLAGS[0]], [FLAGS[0], FLAGS[1]], [], None]
    columns = {
        "id": IDS,
        "yaw_degrees": [10.0, 20.0, 60.0, 70.0],
        "said": ["Smiling", "it's (Smiling)", "", "x"],
        "celeba_attributes": pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), 40),
        "flags": pa.array(flags, pa.list_(pa.string())),
    }
    table.write(path, pa.table(columns))
    return path


@pytest.mark.parametrize(
    "condition, ids",
    [
        ("Smiling", "a"),
        ("not smiling", "bc"),
        ("Smiling or 5_o_Clock_Shadow", "ab"),
        ("Smiling is null", "d"),
        ("yaw_degrees > 15 and not (Smiling or 5_o_Clock_Shadow)", "c"),
        (FLAGS[0], "ab"),
        (f"{FLAGS[0]} and not {FLAGS[1]}", "a"),
        (f"not {FLAGS[1]}", "ac"),
        ("flags is null", "d"),
        ("said = 'Smiling'", "a"),
        ("said = 'it''s (Smiling)' and not Smiling", "b"),
        ("abs(yaw_degrees - 60) < 1 and length(said) = 0", "c"),
        ("id in ('a', 'd') and `yaw_degrees` > 5e1", "d"),
    ],
)
def test_who_fulfils_a_condition(place: Path, condition: str, ids: str) -> None:
    assert table.matching(place, condition) == list(ids)


@pytest.mark.parametrize(
    "condition, message",
    [
        ("yaw_degress > 3", "No field named yaw_degress; did you mean yaw_degrees?"),
        ("Smilling", "did you mean Smiling?"),
        ("ocluded", "did you mean occluded?"),
        ("yaw_degrees >", "Expected: an expression"),
        ("yaw_degrees", "does not return a boolean"),
        ("length(repeat(said, 1000000000)) > 1", "no function repeat"),
        (" or ".join(["yaw_degrees > 1"] * MOST_CHARACTERS), "characters; expected at most"),
        ("(" * 5000 + "Smiling" + ")" * 5000, "recursion limit"),
    ],
)
def test_wrong_conditions(place: Path, condition: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        table.matching(place, condition)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 800


def test_what_a_table_has_not_is_said_so() -> None:
    with pytest.raises(ValueError, match="Smiling is one of the attributes, which are not known"):
        in_columns("Smiling", ["id"])
    with pytest.raises(ValueError, match=r"facegen data describe columns=\[flags\]"):
        in_columns(FLAGS[0], ["id"])


def test_a_column_comes_before_an_attribute() -> None:
    assert in_columns("Young > 3", ["young", "celeba_attributes"]) == "Young > 3"


def test_columns_that_are_mentioned() -> None:
    columns = ["id", "yaw_degrees", "celeba_attributes", "said"]
    assert mentioned("said = 'id' and Smiling and (Yaw_degrees > 1 or said = '')", columns) == [
        "said",
        "celeba_attributes",
        "yaw_degrees",
    ]
