"""The comparison of a study in Weights & Biases: one run of the study's group with tables, pictures and artifacts."""

import hashlib
import io
import os
from pathlib import Path
from typing import Any

from PIL import Image

from facegen.checkpoint import atomic_write
from facegen.study import results as results_file
from facegen.study.answers import verdict_rows
from facegen.study.definition import Study
from facegen.study.matrix import matrix, values_of
from facegen.study.report import FILE, Looks


def to_wandb(study: Study, results: dict[str, Any], seen: Looks, mode: str, project: str) -> None:
    """Log the comparison, unless these very results were logged in this mode before. `offline` needs no account."""
    content = (study.folder / results_file.FILE).read_bytes()
    stamp, key = study.folder / "wandb" / f".logged-{mode}", hashlib.sha256(content).hexdigest()
    if stamp.exists() and stamp.read_text() == key:
        return
    import wandb  # the package comes with the extra `wandb`

    stamp.parent.mkdir(exist_ok=True)
    settings = wandb.Settings(silent=True, console="off")
    config = {key: results[key] for key in ("question", "train", "evaluate", "measured")}
    config["runs"] = {name: run["overrides"] for name, run in results["runs"].items()}
    with wandb.init(
        project=project,
        group=study.name,
        name=f"{study.name}: comparison",
        job_type="study",
        dir=os.fspath(study.folder),
        mode="offline" if mode == "offline" else "online",
        config=config,
        settings=settings,
    ) as run:
        run.log(_tables(wandb, results) | _pictures(wandb, seen))
        for name, file in (("results", results_file.FILE), ("report", FILE)):
            artifact = wandb.Artifact(f"{study.name}-{name}", type=name)
            artifact.add_file(os.fspath(study.folder / file))
            run.log_artifact(artifact)
        print(f"W&B: {Path(run.dir).parent}")
    with atomic_write(stamp) as temporary:
        temporary.write_text(key)


def _tables(wandb: Any, results: dict[str, Any]) -> dict[str, Any]:
    """All figures, all differences, and a FID3D matrix for every evaluation and run that has one."""
    tables = {
        "figures": wandb.Table(_FIGURES, _figure_rows(results)),
        "differences": wandb.Table(_DIFFERENCES, _difference_rows(results)),
    }
    for evaluation, figures in results["comparisons"].items():
        if (found := matrix(figures)) is not None:
            for run in results["runs"]:
                rows = [[row, *values] for row, values in zip(found.told, values_of(found, run), strict=True)]
                tables[f"FID3D/{evaluation}/{run}"] = wandb.Table(["told", *found.seen_from], rows)
    return tables


_FIGURES = ["evaluation", "metric", "name", "run", "seed", "value"]
_DIFFERENCES = ["figure", "run", "baseline", "difference", "low", "high", "verdict"]


def _figure_rows(results: dict[str, Any]) -> list[list[Any]]:
    return [
        [evaluation, figure["metric"], figure["name"], run, int(seed), value]
        for evaluation, figures in results["comparisons"].items()
        for figure in figures
        for run, spread in figure["runs"].items()
        for seed, value in spread["values"].items()
    ]


def _difference_rows(results: dict[str, Any]) -> list[list[Any]]:
    return [
        [
            name,
            run,
            results["runs"][run]["against"],
            found["mean"],
            *(found["interval"] or [None, None]),
            found["verdict"],
        ]
        for run in results["runs"]
        for name, _, found in verdict_rows(results, run)
    ]


def _pictures(wandb: Any, seen: Looks) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for says, png in seen.plots:
        with Image.open(io.BytesIO(png)) as image:
            made[f"plots/{says}"] = wandb.Image(image.convert("RGB"), caption=says)
    for each in seen.drawings:
        key = f"{each.kind}/{each.training.run.name}"
        kind = wandb.Video if each.file.suffix == ".mp4" else wandb.Image
        made[key] = kind(os.fspath(each.file), caption=each.training.run.title)
    return made
