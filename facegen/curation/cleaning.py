"""Which faces are good enough, and which show the same as another: decided over all faces at once, in this process."""

import math
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import Float

from facegen.data.density import PoseDensity
from facegen.data.search import similar_pairs
from facegen.data.sources import open_source

# Setting, column it is about, and the reason in words: kind: detail. The first that applies is given.
_RULES = (
    ("min_score", "score", "detector unsure: score {value:.2f}, expected {limit:g} or more"),
    ("min_size", "crop_side", "too small: {value:.0f} pixels a side, expected {limit:g} or more"),
    ("max_padding", "padding", "cut off: {value:.0%} of the crop outside the photograph, expected {limit:.0%} or less"),
    (
        "max_reprojection",
        "reprojection_error",
        "reprojection error: landmarks {value:.1f} pixels from the head's, expected {limit:g} or less",
    ),
    ("min_brightness", "brightness", "too dark: brightness {value:.2f}, expected {limit:g} or more"),
    ("max_brightness", "brightness", "too bright: brightness {value:.2f}, expected {limit:g} or less"),
    ("min_sharpness", "sharpness", "blurry: sharpness {value:.0f}, expected {limit:g} or more"),
    ("max_clipped", "clipped", "over- or underexposed: {value:.0%} of the face black or white"),
)


@dataclass(frozen=True)
class Limits:
    """What a face must be like to be kept; None switches a limit off. See `facegen data curate --help`.

    `max_density` (LPFF keeps poses below 0.4 per square radian) needs `density_of`, an indexed source or an npz with
    theta and phi in radians, of the dataset that is to be completed.
    """

    min_score: float | None = 0.0
    min_size: float | None = 200
    max_reprojection: float | None = 7
    max_padding: float | None = 0.15
    min_sharpness: float | None = 30
    min_brightness: float | None = 0.12
    max_brightness: float | None = 0.9
    max_clipped: float | None = 0.3
    max_density: float | None = None
    density_of: str | None = None
    exclude: str | None = None
    duplicate_bits: int = 7

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or (isinstance(value, float | int) and not math.isfinite(value)):
                raise ValueError(f"{field.name}: got {value!r}, expected a number or null")
        if (self.max_density is None) != (self.density_of is None):
            raise ValueError("max_density and density_of (a source, or an npz of theta and phi) belong together")
        for name in ("density_of", "exclude"):  # now, not after hours of detecting
            if (path := getattr(self, name)) is not None and not Path(path).expanduser().exists():
                raise ValueError(f"{name}: {path} does not exist; check the spelling")
        if not -1 <= self.duplicate_bits < 128:
            raise ValueError(f"duplicate_bits: got {self.duplicate_bits}, expected 0 to 127 of 256, or -1: off")


def reasons(faces: pa.Table, limits: Limits) -> list[str | None]:
    """Why each face is left out, or None. `faces` has the columns of the stages up to quality."""
    found: list[str | None] = [None] * len(faces)
    for setting, column, text in _RULES:
        limit = getattr(limits, setting)
        for row, value in enumerate(faces[column].to_pylist() if limit is not None else ()):
            is_bad = value is not None and (value < limit if setting.startswith("min_") else value > limit)
            if is_bad and found[row] is None:
                found[row] = text.format(value=value, limit=limit)
    for row, density in _common(faces, limits):
        found[row] = found[row] or f"common pose: density {density:.2f}, expected below {limits.max_density:g}"
    excluded = _excluded(limits.exclude)
    ids = faces["id"].to_pylist()
    return ["excluded by hand" if face in excluded else why for face, why in zip(ids, found, strict=True)]


def _common(faces: pa.Table, limits: Limits) -> list[tuple[int, float]]:
    """Rows of poses that the other dataset has already, with their density there."""
    if limits.max_density is None or limits.density_of is None or not len(faces):
        return []
    poses = np.stack([faces[name].to_numpy() for name in ("theta", "phi")], axis=1)
    density = PoseDensity(read_poses(limits.density_of)).density(poses)
    return [(int(row), float(density[row])) for row in np.flatnonzero(density >= limits.max_density)]


def read_poses(path: str) -> Float[np.ndarray, "face 2"]:
    """(theta, phi) in radians of an npz with these names, or of a source with camera labels."""
    place = Path(path).expanduser()
    if place.suffix != ".npz":
        rows = open_source(place).rows
        if "theta" not in rows.column_names:
            raise ValueError(f"density_of: {path} has no camera labels; expected a source that has, or an npz")
        rows = rows.filter(rows["theta"].is_valid())
        return np.stack([rows[name].to_numpy() for name in ("theta", "phi")], axis=1)
    with np.load(place, allow_pickle=False) as arrays:
        if missing := {"theta", "phi"} - set(arrays.files):
            raise ValueError(f"density_of: {path} has no array {min(missing)!r}; it has {', '.join(arrays.files)}")
        return np.stack([np.asarray(arrays[name], np.float64).ravel() for name in ("theta", "phi")], axis=1)


def _excluded(path: str | None) -> set[str]:
    """Ids that a person took out, one a line; `#` begins a remark."""
    if path is None:
        return set()
    lines = Path(path).expanduser().read_text(encoding="utf-8").splitlines()
    return {line.partition("#")[0].strip() for line in lines} - {""}


def duplicates(faces: pa.Table, bits: int) -> dict[str, tuple[str, int]]:
    """For each face that shows nearly the same as a better one: that one, and in how many of 256 bits both differ.

    The face with more pixels is the better one, then the earlier id; only kept faces make others duplicates.
    `faces` has the columns id, crop_side and difference_hash. Negative `bits`: nothing is a duplicate.
    """
    if bits < 0 or len(faces) < 2:
        return {}
    ids, sides = faces["id"].to_pylist(), faces["crop_side"].to_pylist()
    rank = {row: place for place, row in enumerate(sorted(range(len(ids)), key=lambda row: (-sides[row], ids[row])))}
    better: dict[int, list[tuple[int, int]]] = {}  # row: (bits, a better row)
    for first, second, differ in _near(faces["difference_hash"].to_pylist(), bits):
        worse, other = (first, second) if rank[first] > rank[second] else (second, first)
        better.setdefault(worse, []).append((differ, other))
    dropped: dict[int, tuple[str, int]] = {}
    for row in sorted(better, key=rank.__getitem__):
        if kept := [(differ, ids[other]) for differ, other in better[row] if other not in dropped]:
            differ, other = min(kept)
            dropped[row] = (other, differ)
    return {ids[row]: found for row, found in dropped.items()}


def _near(hashes: list[str], bits: int) -> list[tuple[int, int, int]]:
    """Pairs of rows whose hashes differ in at most `bits` bits, and in how many."""
    codes = np.array([list(bytes.fromhex(text)) for text in hashes], dtype=np.uint8)
    signs = np.unpackbits(codes, axis=1).astype(np.float32) * 2 - 1
    length = signs.shape[1]
    pairs = similar_pairs(signs, 1 - 2 * (bits + 0.5) / length)  # cosine of signs: 1 - 2 bits / length
    differ = np.rint((1 - pairs.similarity) / 2 * length).astype(int)
    return list(zip(pairs.first.tolist(), pairs.second.tolist(), differ.tolist(), strict=True))
