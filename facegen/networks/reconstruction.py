"""The network that sees the coefficients of a 3D morphable model in a picture, as Deep3DFaceRecon trains it.

Deng et al. 2019: a residual network (He et al. 2016, with the stride of a bottleneck in its 3x3 convolution) and one
1x1 convolution for each kind of coefficient. Names of parameters are those of the official `net_recon`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from facegen.geometry.perspective import DEEP3D, Perspective

BLOCKS = {"resnet18": (2, 2, 2, 2), "resnet50": (3, 4, 6, 3)}
_WIDTHS = (64, 128, 256, 512)
_AFTER_ALBEDO = (3, 27, 2, 1)  # angle, light, translation in the picture's plane, and along the view
_LEAST_SIDE = 32  # so that something is left after five halvings


class BasicBlock(nn.Module):
    """3x3 with the stride, 3x3, plus the input (1x1 where its shape differs)."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(inputs, width, stride)

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Tensor:
        """The block's output."""
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)), inplace=True)


class Bottleneck(nn.Module):
    """1x1, 3x3 with the stride, 1x1 to four times the width, plus the input (1x1 where its shape differs)."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = width * self.expansion
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = _shortcut(inputs, outputs, stride)

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Tensor:
        """The block's output."""
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)), inplace=True)


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


class ResNet(nn.Module):
    """Pictures (N, 3, H, W) to features (N, C, 1, 1), averaged over the picture; `outputs`: a last layer on them."""

    def __init__(self, kind: str, outputs: int | None = None) -> None:
        super().__init__()
        block = BasicBlock if kind == "resnet18" else Bottleneck
        self.conv1 = nn.Conv2d(3, _WIDTHS[0], 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(_WIDTHS[0])
        inputs = _WIDTHS[0]
        for number, (count, width) in enumerate(zip(BLOCKS[kind], _WIDTHS, strict=True), start=1):
            strides = [1 if number == 1 else 2, *[1] * (count - 1)]
            blocks = []
            for stride in strides:
                blocks.append(block(inputs, width, stride))
                inputs = width * block.expansion
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
        self.num_features = inputs
        self.fc = None if outputs is None else nn.Linear(inputs, outputs)
        _initialise(self)

    def forward(self, x: Float[Tensor, "batch 3 height width"]) -> Tensor:
        """Features, or the last layer's numbers (N, outputs)."""
        x = self.levels(x)[-1].mean(dim=(2, 3), keepdim=True)
        return x if self.fc is None else self.fc(x.flatten(1))

    def levels(self, x: Float[Tensor, "batch 3 height width"]) -> list[Tensor]:
        """Features at 1/4, 1/8, 1/16 and 1/32 of the picture's size."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        found = [F.max_pool2d(x, 3, 2, padding=1)]
        for number in range(1, len(_WIDTHS) + 1):
            found.append(self.get_submodule(f"layer{number}")(found[-1]))
        return found[1:]


class ReconstructionNetwork(nn.Module):
    """Pictures (N, 3, S, S) in [0, 1], RGB, to coefficients (N, K) in the order of `morphable.coefficients.Layout`.

    kind: `resnet50` or `resnet18`. layout: how many coefficients of identity, expression and albedo the morphable model
    has. use_last_fc: one last layer instead of a head for each kind, as an option of the official code. The heads start
    at 0: a new network sees the mean face everywhere. Kept for whoever uses the coefficients: `size`, the side of the
    pictures that it was trained on; `perspective`, their camera; `morphable`, the name of the model. `half_dtype`, for
    training in mixed precision, is of the residual network; the heads compute in the pictures' precision.
    """

    def __init__(
        self,
        kind: str = "resnet50",
        layout: Sequence[int] = (80, 64, 80),
        use_last_fc: bool = False,
        size: int = 224,
        perspective: Sequence[float] = DEEP3D,
        morphable: str = "bfm",
    ) -> None:
        super().__init__()
        if kind not in BLOCKS:
            raise ValueError(f"kind: got {kind!r}, expected one of {', '.join(BLOCKS)}")
        if len(layout) != 3 or min(layout) < 0:
            raise ValueError(f"layout: got {tuple(layout)}, expected numbers of identity, expression and albedo")
        if size < _LEAST_SIDE:
            raise ValueError(f"size: got {size} pixels, expected at least {_LEAST_SIDE}")
        self.init_kwargs: dict[str, Any] = {
            "kind": kind,
            "layout": list(layout),
            "use_last_fc": use_last_fc,
            "size": size,
            "perspective": list(perspective),
            "morphable": morphable,
        }
        self.size, self.perspective, self.morphable = size, Perspective(*perspective), morphable  # type: ignore[arg-type]
        sizes = (*layout, *_AFTER_ALBEDO)
        self.num_coefficients = sum(sizes)
        self.backbone = ResNet(kind, self.num_coefficients if use_last_fc else None)
        self.use_last_fc, self.half_dtype = use_last_fc, torch.float32
        if not use_last_fc:
            heads = [nn.Conv2d(self.backbone.num_features, number, 1) for number in sizes]
            self.final_layers = nn.ModuleList(heads)
        for layer in [self.backbone.fc] if self.backbone.fc is not None else self.final_layers:
            nn.init.zeros_(layer.weight)  # type: ignore[arg-type]
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch coefficient"]:
        """Coefficients of pictures of any side from 32 pixels; trained for `size`."""
        half = self.half_dtype != torch.float32
        with torch.autocast(images.device.type, self.half_dtype if half else torch.bfloat16, enabled=half):
            features = self.backbone(images)
        features = features.to(images.dtype)
        if self.use_last_fc:
            return features
        return torch.cat([head(features) for head in self.final_layers], dim=1).flatten(1)


def regress(
    network: ReconstructionNetwork, images: Float[Tensor, "batch 3 height width"]
) -> Float[Tensor, "batch coefficient"]:
    """Coefficients of pictures in [-1, 1] of any size, resized to the network's. Differentiable.

    The pictures must be cropped as those that the network was trained on: the camera is its `perspective`.
    """
    side = (network.size, network.size)
    if tuple(images.shape[2:]) != side:
        images = F.interpolate(images, side, mode="bilinear", antialias=True)
    return network((images + 1) / 2)


def kind_of(state: Mapping[str, Tensor]) -> str:
    """Which residual network a file's tensors belong to, by its blocks. Raises ValueError where it is none."""
    for kind, counts in BLOCKS.items():
        last = {f"backbone.layer{number}.{count - 1}.conv1.weight" for number, count in enumerate(counts, start=1)}
        beyond = {f"backbone.layer{number}.{count}.conv1.weight" for number, count in enumerate(counts, start=1)}
        if last <= state.keys() and not beyond & state.keys():
            return kind
    raise ValueError(f"reconstruction network: these tensors belong to none of {', '.join(BLOCKS)}")


def _initialise(network: nn.Module) -> None:
    """He initialisation by the number of outputs, as the published residual networks start."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
