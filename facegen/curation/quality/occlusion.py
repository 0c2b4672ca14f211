"""How much of a face something else hides: hands, microphones, cups, masks, scarves, dark glasses, other people.

A small network marks what is no face within the hull of the landmarks (brows to chin: hair above the brows hides
nothing). It was trained on faces with planted occluders (`experiments/curation/occlusion_fit.py`).
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional

from facegen.curation.quality.aligned import SIZE, Aligned

VERSION = 1  # raise it with new weights
WIDTHS = (12, 24, 48, 48)
_WEIGHTS = Path(__file__).with_name("occlusion.npz")


class OcclusionNetwork(nn.Module):
    """Pictures in [-1, 1] to a logit for each cell of 2x2 pixels; sides are multiples of 16."""

    def __init__(self) -> None:
        super().__init__()
        first, second, third, fourth = WIDTHS
        self.down1 = _block(3, first, 2)
        self.down2 = nn.Sequential(_block(first, second, 1), _block(second, second, 2))
        self.down3 = nn.Sequential(_block(second, third, 1), _block(third, third, 2))
        self.down4 = nn.Sequential(_block(third, fourth, 1), _block(fourth, fourth, 2))
        self.up3 = _block(fourth + third, third, 1)
        self.up2 = _block(third + second, second, 1)
        self.up1 = nn.Sequential(_block(second + first, second, 1), nn.Conv2d(second, 1, 1))

    def forward(
        self, pictures: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch 1 half_height half_width"]:
        half = self.down1(pictures)
        quarter = self.down2(half)
        eighth = self.down3(quarter)
        found = self.up3(torch.cat([_doubled(self.down4(eighth)), eighth], dim=1))
        found = self.up2(torch.cat([_doubled(found), quarter], dim=1))
        return self.up1(torch.cat([_doubled(found), half], dim=1))


def _block(inputs: int, outputs: int, stride: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.SiLU(inplace=True)
    )


def _doubled(values: Tensor) -> Tensor:
    return functional.interpolate(values, scale_factor=2.0, mode="nearest")


def hidden(faces: Sequence[Aligned]) -> Float[np.ndarray, "face 64 64"]:
    """How likely each pixel of aligned faces is something else than the face, 0 to 1; 0 outside the face."""
    if not faces:
        return np.zeros((0, SIZE, SIZE), np.float32)
    with torch.inference_mode():
        logits = _network()(as_input(np.stack([face.pixels for face in faces])))
        likely = functional.interpolate(logits, scale_factor=2.0, mode="bilinear").sigmoid()[:, 0].numpy()
    return likely * np.stack([face.face for face in faces])


def share_hidden(likely: Float[np.ndarray, "64 64"], face: Aligned) -> float:
    """The share of a face, 0 to 1, that is to be expected hidden; 0 where no face is in the picture."""
    return float(likely.sum() / max(int(face.face.sum()), 1))


def as_input(pixels: UInt8[np.ndarray, "batch height width 3"]) -> Float[Tensor, "batch 3 height width"]:
    """Pixels as the network takes them."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float() / 127.5 - 1


def read_network(path: Path) -> OcclusionNetwork:
    """A network whose weights lie beside this module as 16-bit floats."""
    network = OcclusionNetwork()
    with np.load(path, allow_pickle=False) as arrays:
        network.load_state_dict({name: torch.from_numpy(arrays[name].astype(np.float32)) for name in arrays.files})
    return network.eval()


@lru_cache(maxsize=1)
def _network() -> OcclusionNetwork:
    return read_network(_WEIGHTS)
