"""From a study to its trainings: settings, hashes, folders, and what is done already."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from facegen.checkpoint import checkpoint_files
from facegen.study import identity
from facegen.study.definition import Run, Study

# Resolved settings of a command (`train`, `evaluate`) and some overrides; ValueError for what the command would refuse.
Compose = Callable[[str, Sequence[str]], Mapping[str, Any]]


@dataclass(frozen=True)
class Training:
    """One run with one seed."""

    run: Run
    seed: int
    folder: Path
    words: tuple[str, ...]  # after `facegen train`
    total_images: int
    has_poses: bool
    start: "Training | None"

    @property
    def title(self) -> str:
        """What people call it."""
        return f"{self.run.name}, seed {self.seed}"

    @property
    def hash(self) -> str:
        """Eight hex digits of its configuration, see `identity.training_hash`."""
        return self.folder.name.rpartition("-")[2]

    @property
    def images_seen(self) -> int:
        """Of the newest checkpoint; 0 before the first."""
        files = checkpoint_files(self.folder)
        return round(float(files[-1].stem) * 1000) if files else 0

    @property
    def finished(self) -> bool:
        """Whether there is a checkpoint of the whole length."""
        return self.images_seen >= self.total_images

    @property
    def checkpoint(self) -> Path:
        """The newest one, which must exist."""
        return checkpoint_files(self.folder)[-1]

    @cached_property
    def checkpoint_sha256(self) -> str:
        """Of the finished run's newest checkpoint."""
        return identity.file_sha256(self.checkpoint)


def trainings(study: Study, compose: Compose, seeds: Sequence[int], more: Sequence[str] = ()) -> list[Training]:
    """All trainings of a study, run by run, each with every seed; `more` are overrides of every run.

    Raises ValueError, naming the run, for settings that `facegen train` would refuse.
    """
    made: dict[tuple[str, int], Training] = {}
    for name in _parents_first(study):
        for seed in seeds:
            run = study.runs[name]
            start = None if run.start is None else made[run.start, seed]
            try:
                made[name, seed] = _training(study, compose, run, seed, start, more)
            except ValueError as error:
                raise ValueError(f"{study.folder}: run {name}: {error}") from error
    return [made[name, seed] for name in study.runs for seed in seeds]


def check_pictures(study: Study, every: Sequence[Training]) -> None:
    """ValueError where poses or turntables are asked of generators that are told no pose."""
    for each in every:
        if study.pictures and (study.pictures.poses or study.pictures.turntable) and not each.has_poses:
            raise ValueError(
                f"{study.folder}: pictures: run {each.run.name} has a generator of images, which has no poses and no "
                "turntable; set both to false"
            )


def _parents_first(study: Study) -> list[str]:
    order: list[str] = []

    def add(name: str) -> None:
        if (start := study.runs[name].start) is not None:
            add(start)
        if name not in order:
            order.append(name)

    for name in study.runs:
        add(name)
    return order


def _training(
    study: Study, compose: Compose, run: Run, seed: int, start: Training | None, more: Sequence[str]
) -> Training:
    words = [*study.train, *run.overrides, *more, f"seed={seed}"]
    settings = compose("train", words)
    if start is not None and settings.get("finetune_from") is not None:
        raise ValueError(f"got finetune_from={settings['finetune_from']} besides `from`, expected one of them")
    key = identity.training_hash(settings, None if start is None else start.folder.name)
    runs = study.folder / "runs"
    folder = runs / f"{run.name}-s{seed}-{key}"
    words += [f"name={folder.name}", f"runs_dir={runs}", "resume=auto"]
    words += [] if start is None else [f"finetune_from={start.folder}"]
    has_poses = _has_poses(settings["model"])
    return Training(run, seed, folder, tuple(words), round(settings["total_kimg"] * 1000), has_poses, start)


def _has_poses(model: Mapping[str, Any]) -> bool:
    """Whether faces can be asked for from several sides: of EG3D, of diffusion models told a camera, of their controls.

    Which controls can be drawn from renders, and what the base of a ControlNet is told, `facegen generate` knows.
    """
    kind = str(model["_target_"]).rpartition(".")[2]
    told = model.get("conditions") or {}
    return kind in ("EG3D", "ControlNet") or (kind == "LatentDiffusion" and "camera" in told)
