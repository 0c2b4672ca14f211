"""Columns of face parts: which part each id of a mask stands for, and in which colour it is shown."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from facegen.data.conditions import PARTS
from facegen.data.masks import CELEBAMASK, COLORS
from facegen.morphable.procedural import PARTS as SYNTHETIC

_LIKE = {"eye": "l_eye", "ear": "l_ear", "brow": "l_brow", "lips": "u_lip"}  # of parts that do not tell left from right


def part_names(column: str) -> tuple[str, ...]:
    """The parts of the ids 0, 1, ... in a column of masks: `parts`, `mask` or `segmentation`. ValueError for others."""
    if column not in PARTS:
        raise ValueError(f"got the column {column!r}, expected one of face parts: {', '.join(PARTS)}")
    return tuple(PARTS[column] or SYNTHETIC)


def part_colors(names: Sequence[str]) -> UInt8[np.ndarray, "part 3"]:
    """RGB for each part: CelebAMask-HQ's, and grey levels for parts that it has not."""
    colors, strange = [], [name for name in names if _LIKE.get(name, name) not in CELEBAMASK]
    for name in names:
        if name in strange:
            colors.append(np.full(3, 255 * (1 + strange.index(name)) // (1 + len(strange)), dtype=np.uint8))
        else:
            colors.append(COLORS[CELEBAMASK.index(_LIKE.get(name, name))])
    return np.stack(colors)


def parts_of(conditions: dict[str, Any], column: str, parts: Sequence[str]) -> UInt8[Tensor, "batch 1 height width"]:
    """The masks of a batch with `len(parts)` ids. ValueError where they are missing, or have ids beyond those."""
    if column not in conditions:
        raise ValueError(f"face parts: the faces come without {column}; add data.conditions=[{column}]")
    ids = conditions[column]
    if ids.numel() and (largest := int(ids.max())) >= len(parts):
        raise ValueError(f"face parts: {column} has the id {largest}, expected 0 to {len(parts) - 1} ({parts[-1]})")
    return ids


def painted(ids: UInt8[Tensor, "batch 1 height width"], names: Sequence[str]) -> UInt8[Tensor, "batch 3 height width"]:
    """Masks as pictures in the colours of their parts."""
    colors = torch.from_numpy(part_colors(names)).to(ids.device)
    return colors[ids[:, 0].long()].permute(0, 3, 1, 2)
