"""Exports, run folders, and what is refused of either."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import facegen
from facegen.checkpoint import CONFIG_NAME, WEIGHTS_NAME, atomic_write, build_network, checkpoint_files, save_network
from facegen.networks.stylegan2 import Generator


@pytest.fixture
def generator() -> Generator:
    torch.manual_seed(0)
    networks = {"channel_base": 64, "channel_max": 8, "num_fp16_res": 0}
    return Generator(8, 0, 8, 16, 3, {"num_layers": 2}, networks).eval()


def test_export_is_the_same_generator(generator: Generator, tmp_path: Path) -> None:
    save_network(generator, tmp_path / "export", {"kimg": 1.5})
    loaded: Any = facegen.load(tmp_path / "export")
    z = torch.randn(2, 8)
    assert torch.equal(loaded(z, noise_mode="const"), generator(z, noise_mode="const"))
    assert not loaded.training and not any(p.requires_grad for p in loaded.parameters())
    assert json.loads((tmp_path / "export" / CONFIG_NAME).read_text())["extra"] == {"kimg": 1.5}
    assert {path.name for path in (tmp_path / "export").iterdir()} == {CONFIG_NAME, WEIGHTS_NAME}


def test_atomic_write_leaves_the_old_file_after_an_error(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    with atomic_write(path) as temporary:
        temporary.write_text("old")
    with pytest.raises(RuntimeError, match="halfway"), atomic_write(path) as temporary:
        temporary.write_text("ne")
        raise RuntimeError("halfway")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_checkpoints_are_in_order_of_their_clock(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    for name in ("00010.000.ckpt", "00002.000.ckpt", ".00011.000.ckpt.x.tmp", "other.ckpt"):
        (tmp_path / "checkpoints" / name).touch()
    assert [path.stem for path in checkpoint_files(tmp_path)] == ["00002.000", "00010.000"]


@pytest.mark.parametrize(
    "target", ["os.system", "facegen.networks.stylegan2.generator.torch.load", "", "facegen.cli.main"]
)
def test_only_networks_of_facegen_are_built(target: str) -> None:
    with pytest.raises(ValueError, match="checkpoint"):
        build_network({"_target_": target})


class Planted:
    """Unpickling this would create a file."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return Path.touch, (Path("planted"),)  # type: ignore[return-value]


def test_a_checkpoint_that_is_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": {}, "facegen": Planted()}, tmp_path / "bad.ckpt")
    with pytest.raises(ValueError, match=r"bad\.ckpt is not a readable"):
        facegen.load(tmp_path / "bad.ckpt")
    assert not (tmp_path / "planted").exists()


def test_errors_name_the_path(generator: Generator, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected an export folder"):
        facegen.load(tmp_path)
    folder = save_network(generator, tmp_path / "export")
    config = json.loads((folder / CONFIG_NAME).read_text())
    config["network"]["w_dim"] = 16
    (folder / CONFIG_NAME).write_text(json.dumps(config))
    with pytest.raises(ValueError, match="do not fit"):
        facegen.load(folder)
    config["format"] = 99
    (folder / CONFIG_NAME).write_text(json.dumps(config))
    with pytest.raises(ValueError, match="format 99"):
        facegen.load(folder)
    (folder / WEIGHTS_NAME).write_bytes(b"\x00" * 20)
    with pytest.raises(ValueError, match="not a readable export"):
        facegen.load(folder)
    (tmp_path / "cut.ckpt").write_bytes(b"PK\x03\x04")
    with pytest.raises(ValueError, match=r"cut\.ckpt"):
        facegen.load(tmp_path / "cut.ckpt")
