"""Official pickles on the command line: imported, used directly, refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from facegen.morphable.formats import load_model
from tests.cli.conftest import Facegen
from tests.morphable.small import small_file, small_model


def stylegan2_pickles(golden: Path) -> list[Path]:
    return sorted((golden / "pickles").glob("sg2_*.pkl"))


@pytest.mark.parity
def test_imported_and_direct_use_give_the_same_pictures(facegen: Facegen, golden: Path, tmp_path: Path) -> None:
    for path in stylegan2_pickles(golden):
        out = tmp_path / path.stem
        status, text, _ = facegen("import", f"checkpoint={path}", f"out={out}")
        assert status == 0 and "Generator" in text
        assert json.loads((out / "config.json").read_text())["extra"]["source"] == path.name
        for source, folder in ((path, "direct"), (out, "imported")):
            facegen("generate", f"checkpoint={source}", "seeds=0-3", f"outdir={tmp_path / folder}", "truncation=0.7")
        grids = [np.asarray(Image.open(tmp_path / folder / "grid.png")) for folder in ("direct", "imported")]
        assert np.array_equal(grids[0], grids[1])


@pytest.mark.parity
def test_hostile_pickles_are_refused(refused, golden: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for path in sorted((golden / "pickles").glob("malicious_*.pkl")):
        if path.stem == "malicious_module_src":
            continue  # harmless when its source is not executed: reading its tensors is right, and so is refusing it
        assert path.name in refused("import", f"checkpoint={path}", "out=out")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_no_pickle(refused, tmp_path: Path) -> None:
    said = refused("import", f"checkpoint={tmp_path}", f"out={tmp_path / 'o'}")
    assert "expected a file or a folder of diffusers" in said


def test_a_morphable_model_becomes_one_file(facegen: Facegen, tmp_path: Path) -> None:
    out = tmp_path / "models/packed.safetensors"
    status, text, _ = facegen("import", f"morphable={small_file(tmp_path)}", f"out={out}")
    assert status == 0 and text.startswith(f"{out}: small, 576 vertices, 0.1 MB")
    model = load_model(out)
    assert model.layout == small_model().layout and torch.equal(model.mean_shape, small_model().mean_shape)


def test_weights_or_a_morphable_model_and_where_to(refused, tmp_path: Path) -> None:
    model = small_file(tmp_path)
    assert "got neither, expected one of them" in refused("import", f"out={tmp_path / 'o'}")
    assert "got both, expected one of them" in refused("import", "checkpoint=a.pkl", f"morphable={model}", "out=o")
    assert "expected a file that ends in .safetensors" in refused("import", f"morphable={model}", f"out={tmp_path}")
    assert "is of no known format" in refused("import", f"morphable={__file__}", f"out={tmp_path / 'o.safetensors'}")
    assert not (tmp_path / "o.safetensors").exists()
