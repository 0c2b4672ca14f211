import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facegen.data.safe_pickle import load_pickle


def _written(path: Path, value: Any, protocol: int) -> Path:
    path.write_bytes(pickle.dumps(value, protocol))
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64", "uint8", "bool"])
def test_arrays_of_every_protocol(tmp_path: Path, rng: np.random.Generator, protocol: int, dtype: str) -> None:
    array = (rng.normal(size=(3, 4)) * 5).astype(dtype)
    value = {"a": array, "b": [np.asfortranarray(array), (array[:0], "text", 1, 0.5, None, np.float32(0.1))]}
    found = load_pickle(_written(tmp_path / "x.pickle", value, protocol))
    fortran, (empty, *rest) = found["b"]
    for got in (found["a"], fortran):
        assert got.dtype == dtype
        np.testing.assert_array_equal(got, array)
    assert empty.shape == (0, 4) and rest == ["text", 1, 0.5, None, np.float32(0.1)]


def test_lists_of_names(tmp_path: Path) -> None:
    names = [str(number) for number in range(3000)]
    assert load_pickle(_written(tmp_path / "filenames.pickle", names, 2)) == names


def test_what_is_named_many_times_is_made_once(tmp_path: Path) -> None:
    value: list = ["end"]
    for _ in range(12):
        value = [value] * 1000
    found = load_pickle(_written(tmp_path / "x.pickle", value, 4))
    assert len(found) == 1000 and found[0] is found[999]


class _Hostile:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def _itself() -> list:
    value: list = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(lambda mark: _Hostile(os.system, f"touch {mark}"), id="system"),
        pytest.param(lambda mark: {"a": _Hostile(open, str(mark), "w")}, id="open"),
        pytest.param(lambda mark: [_Hostile(eval, f"open({str(mark)!r}, 'w')")], id="eval"),
        pytest.param(lambda mark: np.array([_Hostile(open, str(mark), "w")], dtype=object), id="object-array"),
        pytest.param(lambda mark: np.array(["text"]), id="text-array"),
        pytest.param(lambda mark: np.dtype("f4"), id="type-alone"),
        pytest.param(lambda mark: np.arange(3, dtype=">i4"), id="big-endian"),
        pytest.param(lambda mark: Path(mark), id="object"),
        pytest.param(lambda mark: _itself(), id="endless"),
    ],
)
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_anything_else_is_refused_and_does_nothing(tmp_path: Path, value: Any, protocol: int) -> None:
    mark = tmp_path / "executed"
    path = _written(tmp_path / "x.pickle", value(mark), protocol)
    with pytest.raises(ValueError, match=r"x\.pickle: .*expected a pickle of arrays") as caught:
        load_pickle(path)
    assert not mark.exists() and "\n" not in str(caught.value)


def test_damaged_files(tmp_path: Path) -> None:
    good = pickle.dumps({"a": np.zeros((2, 3), np.float32)}, 4)
    for number, data in enumerate([b"", b"text", good[:-1], good[:40], good.replace(b"K\x03\x86", b"K\x04\x86")]):
        path = tmp_path / f"{number}.pickle"
        path.write_bytes(data)
        with pytest.raises(ValueError, match=rf"{number}\.pickle"):
            load_pickle(path)
