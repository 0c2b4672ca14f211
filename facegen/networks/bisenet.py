"""BiSeNet (Yu et al. 2018) over a ResNet-18, as face-parsing.PyTorch trains it on CelebAMask-HQ.

One branch goes down to 1/32 for what is seen, the features at 1/8 keep where it is; both are fused and enlarged.
https://arxiv.org/abs/1808.00897. Names of parameters are those of the published weights.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from facegen.networks.reconstruction import ResNet

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, on which the ResNet was trained first
_WIDTH = 128  # channels of the context path
_STEP = 32  # pixels of the picture to one of the coarsest features
_TRAINING_ONLY = ("conv_out16.", "conv_out32.")  # heads on coarser features, for losses in between


class ConvNormReLU(nn.Module):
    """A convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, size: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """The output."""
        return F.relu(self.bn(self.conv(x)))


class AttentionRefinement(nn.Module):
    """Features weighted, channel by channel, by what the whole picture shows (section 3.2)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = ConvNormReLU(inputs, outputs)
        self.conv_atten = nn.Conv2d(outputs, outputs, 1, bias=False)
        self.bn_atten = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """The weighted features."""
        x = self.conv(x)
        return x * self.bn_atten(self.conv_atten(_mean(x))).sigmoid()


class ContextPath(nn.Module):
    """Features at 1/8, and what is seen from 1/16, 1/32 and the whole picture, enlarged to them."""

    def __init__(self) -> None:
        super().__init__()
        self.resnet = ResNet("resnet18")
        self.arm16, self.arm32 = AttentionRefinement(256, _WIDTH), AttentionRefinement(512, _WIDTH)
        self.conv_head16, self.conv_head32 = ConvNormReLU(_WIDTH, _WIDTH), ConvNormReLU(_WIDTH, _WIDTH)
        self.conv_avg = ConvNormReLU(512, _WIDTH, 1)

    def forward(self, x: Float[Tensor, "batch 3 height width"]) -> tuple[Tensor, Tensor]:
        """Features and context, 128 channels each at 1/8."""
        eighth, sixteenth, last = self.resnet.levels(x)[1:]
        seen = self.arm32(last) + self.conv_avg(_mean(last))
        seen = self.arm16(sixteenth) + self.conv_head32(_enlarged(seen, sixteenth))
        return eighth, self.conv_head16(_enlarged(seen, eighth))


class FeatureFusion(nn.Module):
    """Both branches joined, then strengthened channel by channel (section 3.2)."""

    def __init__(self, width: int = 2 * _WIDTH) -> None:
        super().__init__()
        self.convblk = ConvNormReLU(width, width, 1)
        self.conv1 = nn.Conv2d(width, width // 4, 1, bias=False)
        self.conv2 = nn.Conv2d(width // 4, width, 1, bias=False)

    def forward(self, features: Tensor, context: Tensor) -> Tensor:
        """The fused features."""
        x = self.convblk(torch.cat([features, context], dim=1))
        return x + x * self.conv2(F.relu(self.conv1(_mean(x)))).sigmoid()


class Head(nn.Module):
    """A part's score at each place."""

    def __init__(self, width: int, num_parts: int) -> None:
        super().__init__()
        self.conv = ConvNormReLU(width, width)
        self.conv_out = nn.Conv2d(width, num_parts, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        return self.conv_out(self.conv(x))


class BiSeNet(nn.Module):
    """Pictures (N, 3, H, W) in [-1, 1], RGB, to logits (N, K, H, W) of K parts; used in evaluation mode.

    parts: what the ids 0, 1, ... K-1 stand for. size: side of the pictures that it was trained on; others work whose
    sides are multiples of 32.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, parts: Sequence[str], size: int = 512) -> None:
        super().__init__()
        if len(parts) < 2 or size < _STEP or size % _STEP:
            got = f"{len(parts)} parts and size={size}"
            raise ValueError(f"bisenet: got {got}, expected two or more parts and a multiple of {_STEP}")
        self.init_kwargs: dict[str, Any] = {"parts": list(parts), "size": size}
        self.parts, self.size = tuple(parts), size
        self.cp, self.ffm, self.conv_out = ContextPath(), FeatureFusion(), Head(2 * _WIDTH, len(parts))
        self.register_buffer("mean", torch.tensor(_MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(_STD)[:, None, None], persistent=False)

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch part height width"]:
        """Logits. Raises ValueError for sides that are no multiples of 32."""
        if images.shape[2] % _STEP or images.shape[3] % _STEP:
            got = f"{images.shape[2]}x{images.shape[3]}"
            raise ValueError(f"bisenet: got pictures of {got}, expected sides that are multiples of {_STEP}")
        logits = self.conv_out(self.ffm(*self.cp(((images + 1) / 2 - self.mean) / self.std)))
        return F.interpolate(logits, images.shape[2:], mode="bilinear", align_corners=True)


def published_bisenet(tensors: Mapping[str, Tensor], parts: Sequence[str], size: int = 512) -> BiSeNet:
    """The network of a published state dictionary (79999_iter.pth and its copies), in evaluation mode.

    Raises ValueError for tensors of another network, or of another number of parts.
    """
    network = BiSeNet(parts, size)
    kept = {
        name.removeprefix("module."): tensor
        for name, tensor in tensors.items()
        if not name.removeprefix("module.").startswith(_TRAINING_ONLY)
    }
    expected = network.state_dict()
    for name in expected | kept:
        if name not in kept or name not in expected or kept[name].shape != expected[name].shape:
            got = "nothing" if name not in kept else f"{name} {tuple(kept[name].shape)}"
            wanted = "no such tensor" if name not in expected else f"{name} {tuple(expected[name].shape)}"
            raise ValueError(f"bisenet: got {got}, expected {wanted}: weights of BiSeNet with {len(parts)} parts")
    network.load_state_dict(kept)
    return network.eval().requires_grad_(False)


def _mean(x: Tensor) -> Tensor:
    return x.mean(dim=(2, 3), keepdim=True)


def _enlarged(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, like.shape[2:], mode="nearest")
