"""BiSeNet's published weights: imported by their names, taken as a parser, refused when they are of other parts."""

from pathlib import Path

import pytest
import torch

from facegen.cli import main
from facegen.curation.parsing.parsers import named_parser
from facegen.data.masks import FACE_PARSING
from facegen.networks.bisenet import BiSeNet


def published(path: Path, num_parts: int) -> BiSeNet:
    """Random weights as the authors' file has them."""
    network = BiSeNet([str(number) for number in range(num_parts)]).eval()
    torch.save({**network.state_dict(), "conv_out16.conv_out.weight": torch.zeros(19, 64, 1, 1)}, path)
    return network


def test_the_published_file_becomes_an_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = published(tmp_path / "79999_iter.pth", 19)
    assert main(["import", f"checkpoint={tmp_path / '79999_iter.pth'}", f"out={tmp_path / 'bisenet'}"]) == 0
    assert "BiSeNet, 512 pixels, 19 parts of faces" in capsys.readouterr().out
    images = torch.rand(1, 3, 64, 64)
    for path in (tmp_path / "bisenet", tmp_path / "79999_iter.pth"):
        model = named_parser(path)
        found = model.load(*model.arguments)
        assert isinstance(found, BiSeNet) and found.parts == FACE_PARSING and not found.training
        with torch.no_grad():
            assert torch.equal(found(images), network(images))


def test_other_parts_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    published(tmp_path / "other.pth", 11)
    assert main(["import", f"checkpoint={tmp_path / 'other.pth'}", f"out={tmp_path / 'out'}"]) == 2
    error = capsys.readouterr().err
    assert "other.pth" in error and "weights of BiSeNet with 19 parts" in error and error.count("\n") == 1
