"""Transformers with random weights: features, renamed tensors, resized position embeddings."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from facegen.metrics.extractors import load_extractor
from facegen.metrics.extractors.clip_names import timm_names
from facegen.metrics.extractors.resize import pillow_bicubic, standardised
from facegen.metrics.extractors.vit import resized_positions
from tests.metrics.extractors.helpers import assert_travels, pictures

timm = pytest.importorskip("timm")


def cubic(x: float) -> float:
    """The kernel of torch's and OpenCV's bicubic interpolation, a = -0.75."""
    x, a = abs(x), -0.75
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * (x**3 - 5 * x**2 + 8 * x - 4) if x < 2 else 0.0


def test_positions_are_interpolated_with_the_published_offset() -> None:
    """Along each axis, output i lies at (i + 0.5) n / (side + 0.1) - 0.5, and the border is repeated."""
    old, side = 37, 16
    embeddings = torch.randn(1, 1 + old * old, 2, generator=torch.Generator().manual_seed(0))
    weights = np.zeros((side, old))
    for i in range(side):
        place = (i + 0.5) * old / (side + 0.1) - 0.5
        for j in range(int(np.floor(place)) - 1, int(np.floor(place)) + 3):
            weights[i, min(max(j, 0), old - 1)] += cubic(place - j)
    grid = embeddings[0, 1:].double().numpy().reshape(old, old, 2)
    expected = np.einsum("ai,bj,ijc->abc", weights, weights, grid).reshape(-1, 2)
    found = resized_positions(embeddings, side)
    assert torch.equal(found[:, 0], embeddings[:, 0])
    assert np.abs(found[0, 1:].numpy() - expected).max() < 1e-4
    assert resized_positions(found, side) is found


def random_network(name: str, **options: int) -> nn.Module:
    """timm's network with numbers that half precision holds exactly."""
    with torch.device("meta"):
        network = timm.create_model(name, **options)
    generator = torch.Generator().manual_seed(0)
    shapes = {name: value.shape for name, value in network.state_dict().items()}
    state = {name: (0.05 * torch.randn(shape, generator=generator)).half() for name, shape in shapes.items()}
    network.load_state_dict({name: value.float() for name, value in state.items()}, assign=True)
    return network.eval().requires_grad_(False)


def test_dinov2(tmp_path: Path) -> None:
    network = random_network("vit_small_patch14_dinov2", num_classes=0, img_size=224)
    torch.save(network.state_dict() | {"mask_token": torch.zeros(1, 384)}, tmp_path / "small.pth")
    with pytest.warns(UserWarning, match="no published file"):
        extractor = load_extractor("dinov2@vits14", tmp_path / "small.pth")
    images = pictures(2)
    pixels = standardised(pillow_bicubic(images, 224), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    with torch.no_grad():
        expected = network.forward_features(pixels)[:, 0]  # pyright: ignore[reportCallIssue]
    found = extractor(images)
    assert found.shape == (2, 384) and extractor.name == "dinov2@vits14"
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert_travels(extractor, images)
    with pytest.raises(ValueError, match="square"):
        extractor(pictures(1, 40, 50))


def openai_names(width: int = 32, layers: int = 2, features: int = 16) -> dict[str, Tensor]:
    """The image tower of a small CLIP of 64 pixels in patches of 32, as OpenAI's files name it, in half precision."""
    torch.manual_seed(0)
    shapes = {
        "class_embedding": (width,),
        "positional_embedding": (5, width),
        "proj": (width, features),
        "conv1.weight": (width, 3, 32, 32),
    }
    for name in ("ln_pre", "ln_post", *(f"transformer.resblocks.{i}.ln_{j}" for i in range(layers) for j in (1, 2))):
        shapes |= {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    for i in range(layers):
        block = f"transformer.resblocks.{i}"
        for name, outputs, inputs in (("mlp.c_fc", 4, 1), ("mlp.c_proj", 1, 4), ("attn.out_proj", 1, 1)):
            shapes[f"{block}.{name}.weight"] = (outputs * width, inputs * width)
            shapes[f"{block}.{name}.bias"] = (outputs * width,)
        shapes |= {f"{block}.attn.in_proj_weight": (3 * width, width), f"{block}.attn.in_proj_bias": (3 * width,)}
    tower = {f"visual.{name}": torch.randn(shape).half() for name, shape in shapes.items()}
    return {**tower, "logit_scale": torch.ones(()), "token_embedding.weight": torch.zeros(3, width)}


def test_names_of_clip_agree_with_timms_own_conversion() -> None:
    from timm.models.vision_transformer import VisionTransformer, checkpoint_filter_fn

    network = VisionTransformer(
        64, 32, num_classes=16, embed_dim=32, depth=2, num_heads=2, pre_norm=True, norm_layer=nn.LayerNorm
    )
    network.head = nn.Linear(32, 16, bias=False)
    state = openai_names()
    found = timm_names(state)
    network.load_state_dict(found)
    expected = checkpoint_filter_fn(dict(state), network)
    for name, value in found.items():
        assert value.dtype == torch.float32 and torch.equal(value, expected[name].float()), name
    assert timm_names(found).keys() == found.keys(), "timm's own names pass through"


def test_clip(tmp_path: Path) -> None:
    network = random_network("vit_base_patch32_clip_quickgelu_224", num_classes=512)
    state = network.state_dict()
    bias = state.pop("head.bias")
    torch.save({name: value.half() for name, value in state.items()}, tmp_path / "clip.pth")
    with pytest.warns(UserWarning, match="no published file"):
        extractor = load_extractor("clip", tmp_path / "clip.pth")
    images = pictures(1)
    mean, deviation = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    with torch.no_grad():
        expected = network(standardised(pillow_bicubic(images, 224), mean, deviation)) - bias
    found = extractor(images)
    assert found.shape == (1, 512) and extractor.protocol["definition"].startswith("CLIP (vitb32)")
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
