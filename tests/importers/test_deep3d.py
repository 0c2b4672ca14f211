"""Deep3DFaceRecon's checkpoints as data: read exactly, recognised, refused in one line. Files are made here."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import facegen
from facegen.cli import main
from facegen.geometry.perspective import DEEP3D
from facegen.importers.deep3d import load_reconstruction
from facegen.networks.reconstruction import ReconstructionNetwork
from tests.networks.hashed import fill

Change = Callable[[dict[str, Any]], Any]


def checkpoint(kind: str = "resnet18", **changes: Any) -> dict[str, Any]:
    """What `epoch_20.pth` holds, with hashed weights."""
    network = ReconstructionNetwork(kind, **changes)
    fill(network, 1000)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
    return {"net_recon": network.state_dict(), "opt_00": optimizer.state_dict(), "sched_00": {"last_epoch": 20}}


def saved(content: Any, path: Path) -> Path:
    torch.save(content, path)
    return path


@pytest.mark.parametrize(
    ("kind", "changes"),
    [("resnet18", {}), ("resnet50", {}), ("resnet18", {"use_last_fc": True}), ("resnet18", {"layout": (9, 5, 7)})],
)
def test_it_computes_what_the_file_says(kind: str, changes: dict[str, Any], tmp_path: Path) -> None:
    content = checkpoint(kind, **changes)
    network = load_reconstruction(saved(content, tmp_path / "epoch_20.pth"))
    assert network.init_kwargs["kind"] == kind and network.perspective == DEEP3D and not network.training
    theirs = ReconstructionNetwork(kind, **changes).eval()
    theirs.load_state_dict(content["net_recon"])
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(network(images), theirs(images)) and network(images).abs().max() > 0.01


def test_names_of_parallel_training_and_files_without_counters(tmp_path: Path) -> None:
    state = checkpoint()["net_recon"]
    parallel = {f"module.{name}": value for name, value in state.items() if "num_batches" not in name}
    network = load_reconstruction(saved({"net_recon": parallel}, tmp_path / "epoch_20.pth"))
    assert torch.equal(network.state_dict()["final_layers.3.weight"], state["final_layers.3.weight"])


def without(content: dict[str, Any]) -> None:
    del content["net_recon"]["backbone.layer3.0.bn2.bias"]


def with_other_shape(content: dict[str, Any]) -> None:
    content["net_recon"]["final_layers.4.bias"] = torch.zeros(9)


def with_more(content: dict[str, Any]) -> None:
    content["net_recon"]["backbone.layer9.weight"] = torch.zeros(1)


def with_nan(content: dict[str, Any]) -> None:
    content["net_recon"]["backbone.conv1.weight"][0, 0, 0, 0] = torch.nan


def of_another_kind(content: dict[str, Any]) -> None:
    state: dict[str, Tensor] = content["net_recon"]
    for name in [name for name in state if name.startswith("backbone.layer4")]:
        del state[name]


def of_something_else(content: dict[str, Any]) -> None:
    content["net_recon"] = [1, 2]


def without_network(content: dict[str, Any]) -> None:
    del content["net_recon"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without, "no tensor backbone.layer3.0.bn2.bias; the file is not whole"),
        (with_other_shape, r"final_layers.4.bias has shape \(9,\), expected \(27,\)"),
        (with_more, "a tensor backbone.layer9.weight that no reconstruction network has"),
        (with_nan, "backbone.conv1.weight has numbers that are not finite"),
        (of_another_kind, "belong to none of resnet18, resnet50"),
        (of_something_else, "net_recon is no mapping"),
        (without_network, "holds opt_00, sched_00, expected net_recon"),
    ],
)
def test_wrong_files_are_refused_in_one_line(change: Change, message: str, tmp_path: Path) -> None:
    content = checkpoint()
    change(content)
    path = saved(content, tmp_path / "wrong.pth")
    with pytest.raises(ValueError, match=message) as error:
        load_reconstruction(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


class Hostile:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_nothing_in_a_file_is_executed(tmp_path: Path) -> None:
    path = saved({"net_recon": Hostile(tmp_path / "touched")}, tmp_path / "hostile.pth")
    with pytest.raises(ValueError, match="not a readable file of tensors"):
        load_reconstruction(path)
    assert not (tmp_path / "touched").exists()


def test_unreadable_files(tmp_path: Path) -> None:
    path = tmp_path / "epoch_20.pth"
    with pytest.raises(ValueError, match=r"expected a \.pth file of Deep3DFaceRecon"):
        load_reconstruction(path)
    path.write_bytes(b"no checkpoint")
    with pytest.raises(ValueError, match="not a readable file of tensors"):
        load_reconstruction(path)


def test_the_command_imports_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(checkpoint(), tmp_path / "epoch_20.pth")
    assert main(["import", f"checkpoint={path}", f"out={tmp_path / 'deep3d'}"]) == 0
    assert "ReconstructionNetwork, resnet18, 224 pixels, 257 coefficients" in capsys.readouterr().out
    ours, theirs = facegen.load(tmp_path / "deep3d"), load_reconstruction(path)
    images = torch.rand(1, 3, 32, 32)
    assert torch.equal(ours(images), theirs(images))
    saved([1], path)
    assert main(["import", f"checkpoint={path}", f"out={tmp_path / 'other'}"]) == 2
    assert "it holds a list, expected tensors by name" in capsys.readouterr().err
