"""How often the faces of a recipe come when a published rule balances their poses."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from facegen.data.rebalance import PoseDensity, copies, importance, label_yaw, with_mirrors, yaw_arc_copies

Rule = Literal["lpff", "eg3d", "importance"]
RULES: tuple[str, ...] = get_args(Rule)


@dataclass(frozen=True)
class Rebalance:
    """`lpff`: copies by the density of (theta, phi) (Wu et al. 2023). `importance`: weights by it instead of copies.
    `eg3d`: copies by nine arcs of yaw (Chan et al. 2022).

    population: the sources whose poses make the density; None: the recipe's own. strength: exponent of the weights.
    copies: a JSON file {"row": copies} as EG3D and LPFF publish it, instead of computing the arcs.
    """

    rule: str
    population: Any = None
    strength: float = 1.0
    copies: str | Path | None = None


def parse_rebalance(value: Any) -> Rebalance | None:
    """A rule's name, a mapping with `rule`, or nothing. Raises ValueError for anything else."""
    if value is None:
        return None
    settings: Any = {"rule": value} if isinstance(value, str) else value
    allowed = set(Rebalance.__dataclass_fields__)
    if not isinstance(settings, Mapping) or "rule" not in settings or set(settings) - allowed:
        raise ValueError(f"rebalance: got {value!r}, expected one of {', '.join(RULES)}, or a mapping with rule")
    rebalance = Rebalance(**{str(key): setting for key, setting in settings.items()})
    if rebalance.rule not in RULES:
        raise ValueError(f"rebalance: got {rebalance.rule!r}, expected one of: {', '.join(RULES)}")
    return rebalance


def poses(rows: pa.Table, what: str) -> NDArray[np.float64]:
    """Angles (theta, phi) of rows, (N, 2) in radians. Raises ValueError where a face has none."""
    if not {"theta", "phi"} <= set(rows.column_names):
        raise ValueError(f"{what} need the pose of every face; these sources ship no cameras (theta, phi)")
    if missing := rows["theta"].null_count:
        example = rows.filter(rows["theta"].is_null())["id"][0].as_py()
        raise ValueError(f"{what} need the pose of every face; {missing} of {len(rows)} have none (first {example})")
    return np.stack([rows["theta"].to_numpy(), rows["phi"].to_numpy()], axis=1)


def population(rows: pa.Table, mirrored: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Poses of rows and, for those that come flipped as well, of their mirror images."""
    points = poses(rows, "densities of poses")
    return np.concatenate([points[~mirrored], with_mirrors(points[mirrored])])


def density_copies(rows: pa.Table, points: NDArray[np.float64]) -> NDArray[np.int64]:
    """How often each row comes under `lpff`, given the poses of the population."""
    return copies(_densities(rows, points))


def density_weights(rows: pa.Table, points: NDArray[np.float64], strength: float) -> NDArray[np.float64]:
    """How often each row comes, relative to the others, under `importance`."""
    return importance(_densities(rows, points), strength)


def arc_copies(rows: pa.Table, published: str | Path | None) -> NDArray[np.int64]:
    """How often each row comes under `eg3d`: by the published table, or by arcs of the cameras' yaw."""
    if published is not None:
        return _published(Path(published).expanduser(), len(rows))
    if "camera" not in rows.column_names or rows["camera"].null_count:
        raise ValueError("rebalance=eg3d needs the camera of every face, or rebalance.copies, the published table")
    cameras = rows["camera"].combine_chunks().flatten().to_numpy().reshape(len(rows), -1)
    return yaw_arc_copies(label_yaw(cameras.astype(np.float64)))


def _densities(rows: pa.Table, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Density per square radian of a population at the poses of rows."""
    return PoseDensity(points).density(poses(rows, "densities of poses"))


def _published(path: Path, count: int) -> NDArray[np.int64]:
    try:
        table = json.loads(path.read_text())
        repeats = np.array([table[str(row)] for row in range(len(table))], dtype=np.int64)
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = "it does not exist" if isinstance(error, FileNotFoundError) else repr(error)
        raise ValueError(
            f'{path} is not a table of copies ({reason}); expected JSON {{"0": 2, "1": 1, ...}}'
        ) from error
    if len(repeats) != count or (repeats < 1).any():
        got = f"{len(repeats)} faces, the rarest {min(repeats, default=0)} times"
        raise ValueError(f"{path} is for {got}; expected the {count} faces of the recipe, each at least once")
    return repeats
