"""The stages of a study: training, evaluation, pictures. Each does what is not there yet."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from facegen.study import identity
from facegen.study.definition import Study
from facegen.study.jobs import Execute, Job
from facegen.study.plan import Compose, Training

_FRAMES, _FPS, _PITCH_COLUMNS = 48, 24, 3  # two seconds a turn; the picture of a pose column stays large enough to see


class Evaluation(NamedTuple):
    """One evaluation of one finished training, and the file with its results."""

    name: str
    training: Training
    words: list[str]  # after `facegen evaluate`
    file: Path


class Drawing(NamedTuple):
    """Pictures of one kind (samples, poses or turntable) of one finished training."""

    kind: str
    training: Training
    words: list[str]  # after `facegen generate`
    file: Path


def train(study: Study, every: Sequence[Training], execute: Execute) -> None:
    """Train what is not finished; a run that starts from another comes after it."""
    while unfinished := [each for each in every if not each.finished]:
        ready = [each for each in unfinished if each.start is None or each.start.finished]
        execute([Job(f"training {each.title}: {each.folder}", ["train", *each.words]) for each in ready])
        for each in ready:
            if not each.finished:
                raise ValueError(
                    f"{each.folder}: the training stopped at {each.images_seen / 1000:g} of "
                    f"{each.total_images / 1000:g} kimg; the same command goes on from there"
                )


def evaluations(study: Study, every: Sequence[Training], compose: Compose, more: Sequence[str]) -> list[Evaluation]:
    """All evaluations of finished trainings. Raises ValueError for settings that `facegen evaluate` would refuse."""
    found = []
    for name, (words, runs) in study.evaluate.items():
        settings = evaluation_settings(study, name, compose, more)
        for each in (each for each in every if each.run.name in runs):
            key = identity.evaluation_key(settings, each.checkpoint_sha256)
            file = study.folder / "evaluations" / f"{each.run.name}-s{each.seed}-{name}-{key}.jsonl"
            found.append(Evaluation(name, each, [f"checkpoint={each.folder}", *words, *more, f"out={file}"], file))
    return found


def evaluation_settings(study: Study, name: str, compose: Compose, more: Sequence[str]) -> dict[str, object]:
    """Resolved settings of an evaluation, without a checkpoint."""
    try:
        return dict(compose("evaluate", [*study.evaluate[name].overrides, *more, "checkpoint=none"]))
    except ValueError as error:
        raise ValueError(f"{study.folder}: evaluation {name}: {error}") from error


def evaluate(wanted: Sequence[Evaluation], execute: Execute) -> None:
    """Run the evaluations whose results are not there yet."""
    missing = [each for each in wanted if not each.file.exists()]
    titles = [f"evaluation {each.name} of {each.training.title}" for each in missing]
    if missing:
        missing[0].file.parent.mkdir(exist_ok=True)
        execute([Job(title, ["evaluate", *each.words]) for title, each in zip(titles, missing, strict=True)])
    for each in missing:
        if not each.file.exists():
            raise ValueError(f"{each.file}: the evaluation left no results; `facegen evaluate` says why above")


def drawings(study: Study, every: Sequence[Training]) -> list[Drawing]:
    """Pictures to make of each run with its first seed."""
    if study.pictures is None:
        return []
    seeds, grid = f"seeds={study.pictures.seeds}", f"grid={_grid(study.pictures.num_faces)}"
    kinds = {"samples": ([seeds, grid], "grid.png")}
    if study.pictures.poses:
        kinds["poses"] = ([seeds, "poses=grid", f"pitch_columns={_PITCH_COLUMNS}"], "grid.png")
    if study.pictures.turntable:
        kinds["turntable"] = ([seeds, grid, "video=turntable", f"frames={_FRAMES}", f"fps={_FPS}"], "video.mp4")
    first = {each.run.name: each for each in reversed(every)}
    chosen = [first[name] for name in study.runs if name in first]
    return [_drawing(study, kind, *made, each) for kind, made in kinds.items() for each in chosen]


def _grid(count: int) -> str:
    """Columns and rows without empty cells where a wide grid has them."""
    rows = next(rows for rows in range(math.isqrt(count), 0, -1) if count % rows == 0)
    columns = count // rows if count <= 4 * rows * rows else math.ceil(math.sqrt(count))
    return f"{columns}x{math.ceil(count / columns)}"


def draw(wanted: Sequence[Drawing], execute: Execute) -> None:
    """Make the pictures that are not there yet."""
    missing = [each for each in wanted if not each.file.exists()]
    if missing:
        execute([Job(f"{each.kind} of {each.training.title}", ["generate", *each.words]) for each in missing])


def _drawing(study: Study, kind: str, words: list[str], file: str, training: Training) -> Drawing:
    key = identity.pictures_key(words, training.checkpoint_sha256)
    folder = study.folder / "pictures" / f"{training.run.name}-s{training.seed}-{kind}-{key}"
    return Drawing(kind, training, [f"checkpoint={training.folder}", *words, f"outdir={folder}"], folder / file)
