"""Small files of weights with random numbers, and pictures."""

import csv
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from facegen.metrics.extractors import Extractor
from facegen.networks.inception import Inception
from tests.geometry.reference import reference_file

FACES = reference_file("faces/index.csv")
with_faces = pytest.mark.skipif(not FACES.exists(), reason=f"faces not found: {FACES}")


def face_rows() -> list[dict[str, str]]:
    """Rows of the real FFHQ faces of 256 pixels in which a face was found."""
    with FACES.open() as file:
        return [row for row in csv.DictReader(file) if row["path"].startswith("ffhq256") and row["yaw"]]


def photographs(rows: list[dict[str, str]]) -> Tensor:
    """Their pictures, uint8 (N, 3, 256, 256)."""
    pixels = [np.array(Image.open(FACES.parent / row["path"]).convert("RGB")) for row in rows]
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)


def pictures(count: int = 2, height: int = 48, width: int = 48, seed: int = 0) -> Tensor:
    """Smooth uint8 pictures with a little noise."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 4, 4, generator=generator)
    smooth = nn.functional.interpolate(coarse, (height, width), mode="bicubic")
    noise = 0.1 * torch.randn(count, 3, height, width, generator=generator)
    return ((smooth + noise) * 255).round().clamp(0, 255).to(torch.uint8)


def assert_travels(extractor: Extractor, images: Tensor) -> None:
    """Another process, which gets the extractor pickled, sees the same."""
    assert torch.equal(pickle.loads(pickle.dumps(extractor))(images), extractor(images))


def randomise(network: nn.Module) -> nn.Module:
    """Batch norms that do something; the rest as it is initialised from seed 0."""
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values, low, high in (
                (module.weight, 0.8, 1.2),
                (module.bias, -0.1, 0.1),
                (module.running_mean, -0.1, 0.1),
                (module.running_var, 0.5, 1.5),
            ):
                assert values is not None
                nn.init.uniform_(values, low, high, generator=generator)
    return network.eval()


def inception_file(path: Path) -> Path:
    """A file as pytorch-fid and torch-fidelity distribute it: with the classifier."""
    torch.manual_seed(0)
    state = randomise(Inception()).state_dict()
    torch.save({**state, "fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}, path)
    return path
