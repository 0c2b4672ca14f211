import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facegen.checkpoint.inert import Global
from facegen.checkpoint.safe_pickle import Instance, load_pickle


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


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


def test_what_numpy_wraps_in_an_array_to_save_it(tmp_path: Path) -> None:
    wrapped = np.array({"a": np.arange(3), "b": [1, "text"]}, dtype=object)
    for protocol in (2, 3, 4):
        found = load_pickle(_written(tmp_path / "x.pickle", wrapped, protocol))
        assert found["a"].tolist() == [0, 1, 2] and found["b"] == [1, "text"]


class _Thing:
    """An object with attributes, as the files of other programs hold them."""

    def __init__(self, x: Any) -> None:
        self.x = x


def test_named_classes_become_their_attributes(tmp_path: Path) -> None:
    path = _written(tmp_path / "x.pickle", [_Thing(_Thing(np.arange(4)))], 2)
    name = Global(__name__, "_Thing")
    (found,) = load_pickle(path, [name])
    assert isinstance(found, Instance) and found.class_name == str(name)
    assert found.attributes["x"].attributes["x"].tolist() == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="_Thing' is not one that a file of data needs"):
        load_pickle(path)


def test_python_2_writes_bytes_as_text(tmp_path: Path) -> None:
    """Byte strings are BINSTRING (T) and SHORT_BINSTRING (U) there."""
    array = np.array([[1.5, -2], [3, 250]])
    raw = array.tobytes()
    kind = b"cnumpy\ndtype\n(U\x02f8K\x00K\x01tR(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    empty = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR"
    state = b"(K\x01K\x02K\x02\x86" + kind + b"\x89T" + len(raw).to_bytes(4, "little") + raw + b"tb"
    path = tmp_path / "x.pkl"
    path.write_bytes(b"\x80\x02}U\x01a" + empty + state + b"s.")
    np.testing.assert_array_equal(load_pickle(path)["a"], array)


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
        pytest.param(lambda mark: np.array([1, "text"], dtype=object), id="array-of-objects"),
        pytest.param(lambda mark: {1, mark}, id="set-of-objects"),
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
