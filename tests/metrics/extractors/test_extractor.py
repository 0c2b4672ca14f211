"""What every extractor does: types, evaluation mode, no gradients, the same features in any batch."""

import json

import pytest
import torch
from torch import nn

from facegen.metrics.extractors import NAMES, Extractor, load_extractor
from tests.metrics.extractors.helpers import pictures


def toy() -> Extractor:
    network = nn.Sequential(nn.Conv2d(3, 5, 3), nn.Dropout(0.5), nn.AdaptiveAvgPool2d(1))
    return Extractor("toy", 5, lambda images: images.float() / 255, network.double().float(), {"input_size": 48})


def test_features() -> None:
    extractor, images = toy(), pictures(5)
    features = extractor(images)
    assert features.shape == (5, 5) and features.dtype == torch.float32 and not features.requires_grad
    expected = nn.functional.conv2d(images / 255, extractor.network[0].weight, extractor.network[0].bias).mean((2, 3))  # pyright: ignore
    torch.testing.assert_close(features, expected)
    assert json.loads(json.dumps(extractor.protocol)) == {"extractor": "toy", "input_size": 48}
    assert extractor(images[:0]).shape == (0, 5)


def test_stays_in_evaluation_mode() -> None:
    extractor = toy()
    nn.ModuleList([extractor]).train()
    assert not extractor.training and not any(module.training for module in extractor.modules())
    assert torch.equal(extractor(pictures()), extractor(pictures()))


@pytest.mark.parametrize(
    "images", [pictures().float(), pictures()[0], pictures()[:, :2], pictures().permute(0, 2, 3, 1)]
)
def test_refuses_anything_but_uint8_pictures(images: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="expected uint8 images"):
        toy()(images)


def test_names() -> None:
    with pytest.raises(ValueError, match=f"expected one of {', '.join(NAMES)}"):
        load_extractor("vgg")
    with pytest.raises(ValueError, match="has no variants"):
        load_extractor("inception@128")
    for name in ("efficientnet_lite0@x", "efficientnet_lite0@8", "dinov2@s", "clip@s", "dlib@lpff", "arcface@x"):
        with pytest.raises(ValueError, match="expected"):
            load_extractor(name)
