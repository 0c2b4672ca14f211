"""Files of tensors: what training leaves around them is passed over, what would run is refused."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from facegen.importers.tensor_files import read_tensors

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.tensor([1, 2]), "half": torch.ones(3).half()}


class Hostile:
    """Writes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


@pytest.fixture
def lightning() -> Iterator[ModuleType]:
    """A package of that name for the time of saving; it is gone when the file is read."""
    package = ModuleType("pytorch_lightning")
    for name, bases in (("ModelCheckpoint", ()), ("AttributeDict", (dict,))):
        made = type(name, bases, {"__module__": "pytorch_lightning"})
        setattr(package, name, made)
    sys.modules["pytorch_lightning"] = package
    yield package
    sys.modules.pop("pytorch_lightning", None)


def saved_by_training(package: ModuleType, path: Path) -> Path:
    state = torch.nn.Linear(3, 2).state_dict()  # an ordered dictionary with attributes, as modules give it
    state.clear()
    state.update(TENSORS)
    callback = package.ModelCheckpoint()
    callback.best = torch.ones(1)
    settings = package.AttributeDict(rate=np.float64(1e-4), sizes=(1, 2), kind=float, where=Path("runs"))
    content = {
        "epoch": 3,
        "state_dict": state,
        "callbacks": {package.ModelCheckpoint: {"monitor": "loss", "object": callback}},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(5)}}, "param_groups": [{"lr": 1e-4}]}],
        "hyper_parameters": settings,
    }
    torch.save(content, path)
    sys.modules.pop("pytorch_lightning")
    return path


def equal(found: dict[str, torch.Tensor]) -> None:
    assert found.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert found[name].dtype == tensor.dtype and torch.equal(found[name], tensor)


def test_checkpoints_with_objects_of_a_program(lightning: ModuleType, tmp_path: Path) -> None:
    path = saved_by_training(lightning, tmp_path / "last.ckpt")
    with pytest.raises(Exception, match="weights_only"):
        torch.load(path)
    equal(read_tensors(path))
    assert "pytorch_lightning" not in sys.modules


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("inside", ["", "state_dict", "module"])
def test_plain_files(zipped: bool, inside: str, tmp_path: Path) -> None:
    content = {inside: TENSORS, "epoch": 1} if inside else TENSORS
    torch.save(content, tmp_path / "m.pth", _use_new_zipfile_serialization=zipped)
    equal(read_tensors(tmp_path / "m.pth"))


def test_safetensors_by_another_name(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "m.ckpt")
    equal(read_tensors(tmp_path / "m.ckpt"))


def refused(path: Path) -> str:
    with pytest.raises(ValueError) as caught:
        read_tensors(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("zipped", [True, False])
def test_nothing_is_executed(zipped: bool, lightning: ModuleType, tmp_path: Path) -> None:
    path, mark = tmp_path / "m.ckpt", tmp_path / "touched"
    content = {"state_dict": TENSORS, "callbacks": {"c": lightning.ModelCheckpoint(), "x": Hostile(mark)}}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    refused(path)
    assert not mark.exists()


def test_files_that_are_not_whole(lightning: ModuleType, tmp_path: Path) -> None:
    whole = saved_by_training(lightning, tmp_path / "m.ckpt").read_bytes()
    save_file(TENSORS, tmp_path / "m.safetensors")
    for number, data in enumerate(
        [whole[:-200], whole[: len(whole) // 2], b"", b"text", (tmp_path / "m.safetensors").read_bytes()[:-3]]
    ):
        path = tmp_path / f"{number}.ckpt"
        path.write_bytes(data)
        refused(path)
    assert "folder" in refused(tmp_path)
    assert "cannot be read" in refused(tmp_path / "absent.ckpt")


def test_files_without_tensors(tmp_path: Path) -> None:
    for content in ([1, 2], {"state_dict": {}}, {"names": ["a"]}, 3):
        torch.save(content, tmp_path / "m.pth")
        assert "expected tensors by name" in refused(tmp_path / "m.pth")
