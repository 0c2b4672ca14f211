"""What callbacks tell: rows in JSON-lines files of the run, lines on the screen and in log.txt, figures in loggers."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from tqdm import tqdm

from facegen.checkpoint import atomic_write
from facegen.reports.durations import duration

LOG = "log.txt"  # in the run folder


def report(
    trainer: pl.Trainer,
    path: Path,
    images_seen: int,
    figures: Mapping[str, float],
    seconds: float,
    title: str,
    prefix: str,
    note: str = "",
    kind: Mapping[str, str] | None = None,
) -> None:
    """Figures of the network at `images_seen`: a row of `path`, a line `<title> at <kimg> kimg: ...`, the loggers.

    path: a JSON-lines file in the run folder. seconds: how long they took. title, note: what the line begins and ends
    with. prefix: of the figures in the loggers, `<prefix>/<name>`. kind: what else the row says, to tell rows apart.
    """
    kimg, shown = images_seen / 1000, ", ".join([duration(seconds), *([note] if note else [])])
    add_row(path, {"images_seen": images_seen, "kimg": kimg, **(kind or {}), **figures, "seconds": round(seconds, 2)})
    text = "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
    say(path.parent, f"{title} at {kimg:.1f} kimg: {text}  ({shown})")
    log(trainer, {f"{prefix}/{name}": value for name, value in figures.items()}, images_seen)


def add_row(path: Path, row: Mapping[str, Any]) -> None:
    """One more row of a JSON-lines file."""
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")


def say(folder: Path, line: str) -> None:
    """A line on the screen, above a progress bar, and in the run's log.txt."""
    tqdm.write(line)
    with (folder / LOG).open("a") as file:
        file.write(line + "\n")


def log(trainer: pl.Trainer, figures: Mapping[str, float], images_seen: int) -> None:
    """Figures in every logger."""
    for logger in trainer.loggers:
        logger.log_metrics(dict(figures), step=images_seen)


def keep_rows(path: Path, images_seen: int) -> None:
    """Drop rows of a JSON-lines file that a killed run wrote after the checkpoint it is resumed from."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text().splitlines():
        try:
            if json.loads(line)["images_seen"] <= images_seen:
                kept.append(line + "\n")
        except (json.JSONDecodeError, KeyError):
            continue  # the last line of a killed process may be half a line
    with atomic_write(path) as temporary:
        temporary.write_text("".join(kept))
