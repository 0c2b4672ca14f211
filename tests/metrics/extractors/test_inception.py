"""The FID's extractors with random weights: from tensors, and from a program of NVIDIA's form."""

import hashlib
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from facegen.metrics.extractors import load_extractor
from facegen.metrics.extractors.resize import clean_bicubic, legacy_bilinear
from facegen.networks.inception import Inception
from tests.metrics.extractors.helpers import assert_travels, inception_file, pictures


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return inception_file(tmp_path_factory.mktemp("weights") / "inception.pth")


def test_tensors(weights: Path) -> None:
    """Both protocols are their resize before the same network; here without its fused batch norms."""
    network = Inception().eval()
    state = torch.load(weights, weights_only=True)
    network.load_state_dict({key: value for key, value in state.items() if not key.startswith("fc.")})
    images = pictures(1, 64, 64)
    for name, resize in (("inception", legacy_bilinear), ("inception_clean", clean_bicubic)):
        with pytest.warns(UserWarning, match="no published file"):
            extractor = load_extractor(name, weights)
        with torch.no_grad():
            expected = network((resize(images, 299) - 128) / 128)
        found = extractor(images)
        assert found.shape == (1, 2048) == (1, extractor.num_features)
        assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()
        assert extractor.protocol["extractor"] == name and not extractor.protocol["published_weights"]


class Layers(nn.Module):
    """299 pixels, normalised, to 2048 numbers."""

    def forward(self, x: Tensor) -> Tensor:
        assert x.shape[2] == 299 and x.shape[3] == 299
        return x.mean(dim=(2, 3)).repeat(1, 683)[:, :2048]


class Program(nn.Module):
    """The interface of NVIDIA's file: `layers`, and the whole from uint8 pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = Layers()

    def forward(self, images: Tensor, return_features: bool = False) -> Tensor:
        assert return_features and images.dtype == torch.uint8
        x = nn.functional.interpolate(images.float(), (299, 299), mode="nearest")
        return self.layers((x - 128) / 128)


def test_program(tmp_path: Path) -> None:
    path, images = tmp_path / "inception.pt", pictures()
    torch.jit.script(Program()).save(str(path))
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="unknown TorchScript program"):
        load_extractor("inception", path)
    for name, resized in (
        ("inception", nn.functional.interpolate(images.float(), (299, 299), mode="nearest")),
        ("inception_clean", clean_bicubic(images, 299)),
    ):
        with pytest.warns(UserWarning):
            extractor = load_extractor(name, path, trust=sha256)
        expected = ((resized - 128) / 128).mean(dim=(2, 3))
        found = extractor(images)
        assert found.shape == (2, 2048)
        torch.testing.assert_close(found[:, :3], expected)
        assert_travels(extractor, images)


def test_tensors_of_another_network(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.warns(UserWarning), pytest.raises(ValueError, match=r"other\.pth are not those of its network"):
        load_extractor("inception", tmp_path / "other.pth")
