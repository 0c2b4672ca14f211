"""Faces in rare poses more often: the published rules for repeating them, and the lists of names they write.

LPFF (Wu et al., ICCV 2023) repeats by the density of (theta, phi), EG3D (Chan et al., CVPR 2022) by arcs of yaw. Both
count mirrored images as images of their own: even rows are as photographed, the odd row after each is its mirror.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from facegen.checkpoint import atomic_write
from facegen.data.density import PoseDensity, with_mirrors
from facegen.geometry.constants import LABEL_SIZE

__all__ = [
    "FFHQ_EG3D_ROWS",
    "FFHQ_IMAGES",
    "PoseDensity",
    "copies",
    "importance",
    "label_yaw",
    "rare",
    "reference_names",
    "stylegan_repeats",
    "with_mirrors",
    "write_name_list",
    "yaw_arc_copies",
]

FFHQ_EG3D_ROWS, FFHQ_IMAGES = 139914, 70000  # EG3D's labels of FFHQ, mirrors included, and FFHQ as published

Densities = Float[np.ndarray, " face"]
Repeats = Int[np.ndarray, " face"]

_COMMON = 0.24  # 1/rad²: a pose as common as this appears once
_MOST_COPIES = 4  # by division; rarer poses than these appear five and six times
_FIVE_BELOW, _SIX_BELOW = 0.03, 0.02  # 1/rad²
_RARE_BELOW = 0.4  # 1/rad²
_FORWARD_X = 2  # place in a label of the x component of the direction in which the camera looks


def copies(density: Densities) -> Repeats:
    """How often LPFF repeats a face whose pose has this density (1/rad²): 0.24 / density, rounded, from 1 to 4.

    Halves round to the even number. Below 0.03 there are 5 copies, below 0.02 six.
    """
    density = _positive(density)
    with np.errstate(divide="ignore", over="ignore"):
        repeats = np.clip(np.round(_COMMON / density), 1, _MOST_COPIES)
    return np.select([density < _SIX_BELOW, density < _FIVE_BELOW], [6, 5], repeats).astype(np.int64)


def importance(density: Densities, strength: float = 1.0) -> Densities:
    """Sampling weight of a face whose pose has this density (1/rad²): `copies` without rounding and jumps.

    min(0.24 / d, 3 + 0.06 / d), between 1 and 6: the second branch takes over at d = 0.06, where both are 4, and passes
    through 5 at 0.03 and 6 at 0.02, where the rule jumps to them. Weights differ from `copies` by less than 1, and by
    at most 0.5 from d = 0.06 upwards. `strength` is an exponent: 0 weighs all faces alike, 1 is the rule.
    """
    if not 0 <= strength < np.inf:
        raise ValueError(f"strength: got {strength}, expected a number from 0 (all alike) upwards (1: LPFF's rule)")
    density = _positive(density)
    with np.errstate(divide="ignore", over="ignore"):
        return np.clip(np.minimum(_COMMON / density, 3 + 0.06 / density), 1, 6) ** strength


def rare(density: Densities, threshold: float = _RARE_BELOW) -> Bool[np.ndarray, " face"]:
    """Whether LPFF takes a photograph into its collection: the pose's density in FFHQ (1/rad²) is below `threshold`."""
    return _positive(density) < threshold


def yaw_arc_copies(yaw: Float[np.ndarray, " face"], arcs: int = 9) -> Repeats:
    """How often EG3D repeats faces with these yaws (radians): 1, 2, 4, 8, 16 from the middle arc outwards.

    `arcs` (odd) equal arcs cover the range from -max|yaw| to max|yaw|, so the result depends on the whole population.
    """
    yaw = np.abs(_numbers(yaw, "yaw"))
    if arcs < 1 or arcs % 2 == 0:
        raise ValueError(f"arcs: got {arcs}, expected an odd number (one arc is the middle)")
    width = 2 * yaw.max(initial=0) / arcs
    arc = np.floor(yaw / width + 0.5) if width > 0 else np.zeros_like(yaw)
    return 2 ** np.clip(arc, 0, arcs // 2).astype(np.int64)


def label_yaw(cameras: Float[np.ndarray, "face 25"]) -> Float[np.ndarray, " face"]:
    """Yaw in radians of EG3D's rule, from the rotation in camera labels: arcsin of x of the axis behind the camera.

    Positive where the camera stands on the side of the world's +x; frontal is 0.
    """
    cameras = np.asarray(cameras, dtype=np.float64)
    if cameras.ndim != 2 or cameras.shape[1] != LABEL_SIZE:
        raise ValueError(f"camera labels: got shape {cameras.shape}, expected (N, {LABEL_SIZE})")
    return np.arcsin(np.clip(-cameras[:, _FORWARD_X], -1, 1))


def reference_names(repeats: Iterable[int], first: int = 0) -> list[str]:
    """Names as the scripts of LPFF list them: image `first` + i appears repeats[i] times in a row."""
    numbered = enumerate(repeats, start=first)
    return [f"{number // 1000:05d}/img{number:08d}.png" for number, count in numbered for _ in range(count)]


def stylegan_repeats(repeats: Repeats, mirrored: int = FFHQ_EG3D_ROWS, plain: int = FFHQ_IMAGES) -> Repeats:
    """Repeats of LPFF's StyleGAN list from those of its EG3D list: each FFHQ image once, then LPFF without mirrors.

    `mirrored` is the number of FFHQ's rows, mirrors included, in `repeats`, `plain` its number of StyleGAN images.
    """
    if mirrored > len(repeats):
        raise ValueError(f"repeats: got {len(repeats)}, expected at least the {mirrored} of FFHQ with mirrors")
    return np.concatenate([np.ones(plain, dtype=np.int64), np.asarray(repeats, dtype=np.int64)[mirrored::2]])


def write_name_list(path: str | Path, names: list[str]) -> None:
    """Write names as the reference scripts do, byte for byte: a JSON list, one name a line."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(json.dumps(names, indent=1).encode())


def _numbers(values: Any, name: str) -> Float[np.ndarray, " face"]:
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError(
            f"{name}: got shape {values.shape}, {(~np.isfinite(values)).sum()} not finite; expected numbers (N,)"
        )
    return values


def _positive(density: Any) -> Densities:
    density = _numbers(density, "density")
    if (density < 0).any():
        raise ValueError(f"density: got {density.min():g}, expected numbers from 0 upwards")
    return density
