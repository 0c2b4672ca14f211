"""The comparison of a study in TensorBoard: scalars, pictures and tables as text."""

import hashlib
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from facegen.study.answers import figure_name, verdict_rows
from facegen.study.definition import Study
from facegen.study.numbers import limits, signed, with_spread
from facegen.study.report import Looks


def to_tensorboard(study: Study, results: dict[str, Any], seen: Looks) -> Path:
    """Write the comparison into `tensorboard/<hash of the results>`; nothing to do where that exists."""
    key = hashlib.sha256(json.dumps(results, sort_keys=True).encode()).hexdigest()[:8]
    folder, partial = study.folder / "tensorboard" / key, study.folder / "tensorboard" / f".{key}"
    if folder.exists():
        return folder
    from torch.utils.tensorboard import SummaryWriter  # the package comes with the extra `tensorboard`

    shutil.rmtree(partial, ignore_errors=True)  # of a killed study
    with SummaryWriter(partial) as writer:
        writer.add_text("question", study.question)
        for run in results["runs"]:
            if rows := verdict_rows(results, run):
                writer.add_text(f"verdicts/{run}", _markdown(results, run, rows))
        for tag, value, images_seen in _scalars(results):
            writer.add_scalar(tag, value, images_seen)
        for tag, picture in pictures(seen):
            writer.add_image(tag, picture, dataformats="HWC")
    partial.rename(folder)
    return folder


def pictures(seen: Looks) -> list[tuple[str, np.ndarray]]:
    """Every plot and every picture, (height, width, 3) uint8, with its name."""
    found = [(f"plots/{says}", _pixels(io.BytesIO(png))) for says, png in seen.plots]
    still = [each for each in seen.drawings if each.file.suffix == ".png"]
    return found + [(f"{each.kind}/{each.training.run.name}", _pixels(each.file)) for each in still]


def _pixels(file: Any) -> np.ndarray:
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


def _scalars(results: dict[str, Any]) -> list[tuple[str, float, int]]:
    """Every figure of every run, averaged over the seeds, at the images that the run has seen."""
    found = []
    for evaluation, figures in results["comparisons"].items():
        for figure in figures:
            for run, spread in figure["runs"].items():
                images_seen = next(iter(results["runs"][run]["seeds"].values()))["images_seen"]
                tag = f"{evaluation}/{figure_name(figure).replace(' → ', ' to ')}/{run}"
                found.append((tag, spread["mean"], images_seen))
    return found


def _markdown(results: dict[str, Any], run: str, rows: list[Any]) -> str:
    baseline = results["runs"][run]["against"]
    head = ["figure", baseline, run, "difference", "95 % interval", "verdict"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name, figure, found in rows:
        both = [with_spread(figure["runs"][each]) for each in (baseline, run)]
        cells = [name, *both, signed(found["mean"]), limits(found["interval"], signed), found["verdict"]]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
