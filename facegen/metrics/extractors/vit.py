"""Vision transformers of timm as extractors: DINOv2 (FD-DINOv2) and CLIP's image towers (CLIP-FID)."""

from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facegen.metrics.extractors.clip_folder import clip_folder
from facegen.metrics.extractors.clip_names import timm_names
from facegen.metrics.extractors.extractor import Extractor
from facegen.metrics.extractors.resize import Images, Resized, pillow_bicubic, standardised
from facegen.metrics.extractors.weights import (
    Weights,
    WeightsFile,
    fill,
    find_weights,
    is_torchscript,
    load_torchscript,
    read_weights,
)

SIZE, DINOV2_PATCH = 224, 14
_DINOV2_OFFSET = 0.1  # pixels that the published network adds to the size when it resizes its position embeddings
Triple = tuple[float, float, float]
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
_META = "https://dl.fbaipublicfiles.com/dinov2"
_OPENAI = "https://openaipublic.azureedge.net/clip/models"


def _dinov2_file(variant: str, sha256: str) -> WeightsFile:
    name = f"dinov2_{variant}_pretrain.pth"
    return WeightsFile(name, sha256, f"{_META}/dinov2_{variant}/{name}")


def _clip_file(name: str, sha256: str) -> WeightsFile:
    return WeightsFile(name, sha256, f"{_OPENAI}/{sha256}/{name}")


# variant -> name in timm, features, file
DINOV2 = {
    "vits14": (
        "vit_small_patch14_dinov2",
        384,
        _dinov2_file("vits14", "b938bf1bc15cd2ec0feacfe3a1bb553fe8ea9ca46a7e1d8d00217f29aef60cd9"),
    ),
    "vitb14": (
        "vit_base_patch14_dinov2",
        768,
        _dinov2_file("vitb14", "0b8b82f85de91b424aded121c7e1dcc2b7bc6d0adeea651bf73a13307fad8c73"),
    ),
    "vitl14": (
        "vit_large_patch14_dinov2",
        1024,
        _dinov2_file("vitl14", "d5383ea8f4877b2472eb973e0fd72d557c7da5d3611bd527ceeb1d7162cbf428"),
    ),
}
CLIP = {
    "vitb32": (
        "vit_base_patch32_clip_quickgelu_224",
        512,
        _clip_file("ViT-B-32.pt", "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"),
    ),
    "vitl14": (
        "vit_large_patch14_clip_quickgelu_224",
        768,
        _clip_file("ViT-L-14.pt", "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836"),
    ),
}


def dinov2(weights: Path | None = None, download: bool = False, variant: str = "") -> Extractor:
    """Class token of DINOv2 (Oquab et al. 2023) at 224 pixels, as Stein et al. 2023 compute FD-DINOv2 (dgm-eval).

    variant: `vitl14` (theirs, 1024 features), `vitb14` or `vits14`. weights: Meta's `.pth` or timm's safetensors.
    """
    size = _choice("dinov2", variant, DINOV2, "vitl14")
    model, num_features, file = DINOV2[size]
    name = "dinov2" if size == "vitl14" else f"dinov2@{size}"
    found = find_weights([file], weights, download, name)
    network = _timm(model, num_classes=0, img_size=SIZE)
    state = read_weights(found.path)
    state.pop("mask_token", None)  # of the training
    if "pos_embed" in state:
        state["pos_embed"] = resized_positions(state["pos_embed"], SIZE // DINOV2_PATCH)
    fill(network, state, found.path, name)
    protocol = _protocol(f"DINOv2 ({size}), class token", "ImageNet's mean and deviation of x / 255", found)
    return Extractor(name, num_features, partial(_prepare, statistics=_IMAGENET), network, protocol)


def clip(weights: Path | None = None, download: bool = False, variant: str = "", trust: str | None = None) -> Extractor:
    """Projected image embedding of CLIP (Radford et al. 2021), not normalised: `vitb32` as in CLIP-FID, or `vitl14`.

    weights: OpenAI's `.pt` (TorchScript: read where its sha256 is the published one or equals `trust`; its program is
    not run), or tensors with OpenAI's, open_clip's or timm's names; or the folder of a CLIP of any size as transformers
    has it. Computed in float32.
    """
    size = _choice("clip", variant, CLIP, "vitb32")
    model, num_features, file = CLIP[size]
    name = "clip" if size == "vitb32" else f"clip@{size}"
    if weights is not None and weights.is_dir():
        return clip_folder(weights, name, _CLIP)
    found = find_weights([file], weights, download, name)
    if is_torchscript(found.path):
        state = dict(load_torchscript(found, name, trust).state_dict())
    else:
        state = read_weights(found.path)
    network = _timm(model, num_classes=num_features)
    network.head = nn.Linear(network.head.in_features, num_features, bias=False, device="meta")  # pyright: ignore
    fill(network, timm_names(state), found.path, name)
    protocol = _protocol(f"CLIP ({size}), projected image embedding", "CLIP's mean and deviation of x / 255", found)
    return Extractor(name, num_features, partial(_prepare, statistics=_CLIP), network, protocol)


def _choice(owner: str, variant: str, known: dict[str, Any], default: str) -> str:
    if variant and variant not in known:
        raise ValueError(f"{owner}: got variant {variant!r}, expected one of {', '.join(known)}")
    return variant or default


def _timm(model: str, **options: Any) -> nn.Module:
    """timm's network without numbers: making random ones takes longer than reading the real ones."""
    import timm

    with torch.device("meta"):
        return timm.create_model(model, pretrained=False, **options)


def _prepare(images: Images, statistics: tuple[Triple, Triple]) -> Resized:
    if images.shape[2] != images.shape[3]:
        raise ValueError(f"got pictures of {images.shape[3]}x{images.shape[2]}, expected square ones")
    return standardised(pillow_bicubic(images, SIZE), *statistics)


def _protocol(definition: str, normalisation: str, found: Weights) -> dict[str, Any]:
    return {
        "definition": definition,
        "input_size": SIZE,
        "resize": "Pillow bicubic, antialiased, rounded to 8 bits",
        "normalisation": normalisation,
        **found.protocol,
    }


def resized_positions(embeddings: Tensor, side: int) -> Tensor:
    """Position embeddings (1, 1 + n^2, C) for `side`^2 patches, by the published network's bicubic interpolation.

    It is not antialiased, and its scale is (side + 0.1) / n: timm's own resizing gives other features.
    """
    old = round((embeddings.shape[1] - 1) ** 0.5)
    if old == side:
        return embeddings
    grid = embeddings[:, 1:].unflatten(1, (old, old)).permute(0, 3, 1, 2)
    scale = (side + _DINOV2_OFFSET) / old
    grid = F.interpolate(grid, scale_factor=(scale, scale), mode="bicubic")
    return torch.cat([embeddings[:, :1], grid.flatten(2).mT], dim=1)
