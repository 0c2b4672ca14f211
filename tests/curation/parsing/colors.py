"""A parser for tests: it knows parts by their colours, so what it says of a drawn face is known."""

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor, nn

from facegen.curation.parsing.parsers import ParserModel

PARTS = ("background", "hair", "skin", "nose", "eye", "brow", "ear", "lips", "mouth", "hat")
COLORS = np.random.default_rng(0).permuted(np.linspace(0, 255, 3 * len(PARTS)).astype(np.uint8)).reshape(-1, 3)


class ByColor(nn.Module):
    """Logits: how near each pixel is to the colour of each part."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.parts, self.size = PARTS, size

    def forward(self, images: Tensor) -> Tensor:
        """Minus the squared distances."""
        colors = torch.from_numpy(COLORS).float() / 127.5 - 1
        return -(images[:, None] - colors[None, :, :, None, None]).square().sum(dim=2) * 100


def load(size: int) -> nn.Module:
    """As a ParserModel needs it."""
    return ByColor(size).eval()


def model(name: str = "colours", size: int = 64) -> ParserModel:
    """The parser."""
    return ParserModel(name, "", load, (size,))


def drawn(ids: UInt8[np.ndarray, "height width"]) -> UInt8[np.ndarray, "height width 3"]:
    """The picture that the parser sees these parts in."""
    return COLORS[ids]


def face(turn: int = 0, side: int = 64) -> UInt8[np.ndarray, "64 64"]:
    """Parts of a round face with hair above it, the nose and all that goes with it `turn` pixels to the right."""
    y, x = np.mgrid[:side, :side] + 0.5
    ids = np.zeros((side, side), np.uint8)

    def ellipse(part: str, cx: float, cy: float, rx: float, ry: float) -> None:
        ids[((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 <= 1] = PARTS.index(part)

    ellipse("hair", 32, 28, 24, 24)
    for ear in (14, 50):
        ellipse("ear", ear, 36, 3, 5)
    ellipse("skin", 32, 36, 17, 20)
    for eye in (25, 39):
        ellipse("eye", eye + turn, 33, 3, 1.6)
        ellipse("brow", eye + turn, 28, 4, 1.2)
    ellipse("nose", 32 + turn, 38, 2.5, 6)
    ellipse("lips", 32 + turn, 49, 6, 3)
    return ids


def landmarks() -> np.ndarray:
    """68 points of that face, of which eyes, mouth and the nose's root are where they belong."""
    points = np.tile([32.0, 40.0], (68, 1))
    points[36:42], points[42:48] = (25, 33), (39, 33)
    points[48], points[54], points[27] = (26, 49), (38, 49), (32, 33)
    return points
