"""Inception-2015-12-05's 2048 features, for the FID as published and as clean-fid resizes for it."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from facegen.metrics.extractors.extractor import Extractor
from facegen.metrics.extractors.fusing import fuse_batch_norms
from facegen.metrics.extractors.resize import Images, Resized, clean_bicubic, legacy_bilinear
from facegen.metrics.extractors.weights import (
    Weights,
    WeightsFile,
    fill,
    find_weights,
    is_torchscript,
    load_torchscript,
    read_weights,
)
from facegen.networks.inception import INPUT_SIZE, NUM_FEATURES, Inception

_TENSORS = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"  # one file under two names
_PYTORCH_FID = "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights"
_TORCH_FIDELITY = "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0"
_NVIDIA = "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics"


def _file(name: str, sha256: str, folder: str) -> WeightsFile:
    return WeightsFile(name, sha256, f"{folder}/{name}")


FILES = (
    _file("pt_inception-2015-12-05-6726825d.pth", _TENSORS, _PYTORCH_FID),
    _file("weights-inception-2015-12-05-6726825d.pth", _TENSORS, _TORCH_FIDELITY),
    _file("inception-2015-12-05.pt", "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4", _NVIDIA),
)


def inception(weights: Path | None = None, download: bool = False, trust: str | None = None) -> Extractor:
    """The FID's features: TensorFlow 1's bilinear resize to 299 pixels, (x - 128) / 128, 2048 pooled features.

    weights: the `.pth` of tensors for our own network, or NVIDIA's TorchScript, which resizes by itself and runs only
    where its sha256 is the published one or equals `trust`.
    """
    found = find_weights(FILES, weights, download, "inception")
    protocol = _protocol(found, "TensorFlow 1 bilinear, not antialiased, no half-pixel centres, float32")
    if is_torchscript(found.path):
        network: nn.Module = _Script(found, "inception", trust)
        return Extractor("inception", NUM_FEATURES, _as_they_are, network, protocol)
    return Extractor("inception", NUM_FEATURES, _legacy, _network(found, "inception"), protocol)


def inception_clean(weights: Path | None = None, download: bool = False, trust: str | None = None) -> Extractor:
    """The same network behind clean-fid's resize (Parmar et al. 2022). Figures do not compare with `inception`'s."""
    found = find_weights(FILES, weights, download, "inception_clean")
    protocol = _protocol(found, "Pillow bicubic, antialiased, per channel in float32, clipped to 0..255")
    if is_torchscript(found.path):
        network: nn.Module = _Script(found, "inception_clean", trust)
    else:
        network = _network(found, "inception_clean")
    return Extractor("inception_clean", NUM_FEATURES, _clean, network, protocol)


def _as_they_are(images: Images) -> Images:
    return images


class _Script(nn.Module):
    """NVIDIA's TorchScript: uint8 pictures of any size, which it resizes and normalises inside; for `inception_clean`
    what its convolutions take. Other processes and copies read its file again, for scripts cannot be pickled.
    """

    def __init__(self, found: Weights, owner: str, trust: str | None) -> None:
        super().__init__()
        self.source = (found, owner, trust)
        script = load_torchscript(found, owner, trust)
        self.resizes = owner == "inception"
        self.script: Any = script if self.resizes else script.layers

    def __reduce_ex__(self, protocol: Any) -> tuple[type["_Script"], tuple[Any, ...]]:
        return _Script, self.source

    def forward(self, images: Tensor) -> Tensor:
        return self.script(images, return_features=True) if self.resizes else self.script(images)


def _legacy(images: Images) -> Resized:
    return (legacy_bilinear(images, INPUT_SIZE) - 128) / 128


def _clean(images: Images) -> Resized:
    return (clean_bicubic(images, INPUT_SIZE) - 128) / 128


def _network(found: Weights, owner: str) -> nn.Module:
    state = {key: value for key, value in read_weights(found.path).items() if not key.startswith("fc.")}
    with torch.device("meta"):
        network = Inception()
    fill(network, state, found.path, owner)
    return fuse_batch_norms(network)


def _protocol(found: Weights, resize: str) -> dict[str, Any]:
    return {
        "definition": "Inception-2015-12-05 (TensorFlow), pool3",
        "input_size": INPUT_SIZE,
        "resize": resize,
        "normalisation": "(x - 128) / 128",
        **found.protocol,
    }
