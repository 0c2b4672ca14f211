"""Sample grids of runs: which there are, and which two runs have at about the same time."""

import re
from collections.abc import Iterable
from pathlib import Path

_NAME = re.compile(r"\d{5,}\.\d{3}")  # thousand images seen


def moments(run: Path) -> list[str]:
    """Names of a run's sample grids, by time."""
    found = [path.stem for path in (run / "samples").glob("*.png") if _NAME.fullmatch(path.stem)]
    return sorted(found, key=float)


def file_of(run: Path, moment: str) -> Path | None:
    """The file of a grid; `reals` is that of real faces. None for what is not among the run's."""
    path = run / "reals.png" if moment == "reals" else run / "samples" / f"{moment}.png"
    known = moment == "reals" or moment in moments(run)
    return path if known and path.is_file() else None


def clock(runs: Iterable[Path]) -> list[float]:
    """All moments at which any of the runs has samples, in thousand images."""
    return sorted({float(moment) for run in runs for moment in moments(run)})


def nearest(run: Path, kimg: float) -> str | None:
    """The run's last grid until then, or its first one; None where it has none."""
    every = moments(run)
    before = [moment for moment in every if float(moment) <= kimg + 1e-6]
    return (before or every[:1] or [None])[-1]
