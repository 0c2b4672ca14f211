"""The 68 points of the head that stands for everybody when cameras are solved."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

_LARGEST = 10.0  # a head of the world of camera labels is about 0.6 high
_BYTES = 1 << 20


class Head(NamedTuple):
    """68 points (iBUG order) in the world of camera labels, and how the method that uses them is called in tables."""

    points: Float[np.ndarray, "68 3"]
    method: str


def procedural_head(cache: Path, detail: float = 1.0) -> Head:
    """The mean of the procedural morphable model, as `load_head` keeps it in a cache folder."""
    from facegen.morphable.procedural import load_head, source_fingerprint

    head = load_head(cache, detail)
    points = head.mean_shape[head.landmarks].astype(np.float64)
    return Head(points, f"landmarks-pnp procedural head v{source_fingerprint()[:8]}")


def given_head(path: str | Path) -> Head:
    """68 rows of x y z from an .npy file or from text (numbers separated by blanks or commas).

    Raises ValueError for a file that cannot be read or holds something else.
    """
    place = Path(path).expanduser()
    lines = [] if place.suffix == ".npy" else _lines(place)
    try:
        if place.suffix == ".npy":
            points = np.load(place, allow_pickle=False)
        else:
            points = np.array([[float(word) for word in line.split()] for line in lines if line.strip()])
        points = np.asarray(points, dtype=np.float64)
    except (ValueError, EOFError) as error:
        what = "not an array of numbers" if place.suffix == ".npy" else str(error)
        raise ValueError(f"points: {path} cannot be read ({what}); expected 68 rows of x y z") from error
    if points.shape != (68, 3) or not np.isfinite(points).all() or np.abs(points).max() > _LARGEST:
        wanted = "(68, 3) in the world of camera labels: x right, y up, z out of the face, the nose near (0, 0, 0.3)"
        largest = np.abs(points).max(initial=0)
        raise ValueError(f"points: {path} holds {points.shape} numbers up to {largest:.3g}; expected {wanted}")
    return Head(points, f"landmarks-pnp {place.name} {hashlib.sha256(points.tobytes()).hexdigest()[:8]}")


def _lines(path: Path) -> list[str]:
    with path.open("rb") as file:
        return file.read(_BYTES).decode(errors="replace").replace(",", " ").splitlines()
