"""A whole study: train what is missing, evaluate, draw, write the report."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facegen.study import results, stages
from facegen.study.definition import Study
from facegen.study.jobs import Execute, Job, alone, in_sequence
from facegen.study.plan import Compose, Training, check_pictures, trainings
from facegen.study.reading import check_training_words

if TYPE_CHECKING:
    from facegen.study.report import Looks


@dataclass(frozen=True)
class Options:
    """How a study is done this time. `train` and `evaluate` are overrides of all its trainings and evaluations."""

    seeds: tuple[int, ...]
    train: tuple[str, ...] = ()
    evaluate: tuple[str, ...] = ()
    wandb: str | None = None
    wandb_project: str = "facegen"
    tensorboard: bool = False

    def __post_init__(self) -> None:
        check_training_words(self.train, "train")
        if self.wandb not in (None, "offline", "online"):
            raise ValueError(f"wandb: got {self.wandb!r}, expected null, offline or online")


def plan(study: Study, compose: Compose, options: Options) -> list[Training]:
    """All trainings, after every setting of the study has been checked: nothing fails for a typing error at night."""
    every = trainings(study, compose, options.seeds, options.train)
    check_pictures(study, every)
    for name in study.evaluate:
        stages.evaluation_settings(study, name, compose, options.evaluate)
    return every


def conduct(study: Study, compose: Compose, options: Options, execute: Execute = in_sequence) -> Path:
    """Do what of a study is not done, and return the path of its report.

    Raises ValueError for settings that a command would refuse, and when a job fails; what was done stays done.
    """
    every = plan(study, compose, options)
    with alone(study.folder):
        stages.train(study, every, lambda jobs: execute([_with_logs(job, study, options) for job in jobs]))
        wanted = stages.evaluations(study, every, compose, options.evaluate)
        stages.evaluate(wanted, execute)
        drawings = stages.drawings(study, every)
        stages.draw(drawings, execute)
        found = results.collect(study, every, wanted)
        results.write(found, study.folder)
        from facegen.study import report  # matplotlib takes half a second

        looks = report.looks(found, every, drawings)
        path = report.write(study, found, looks)
    _publish(study, found, looks, options)
    return path


def describe(study: Study, every: Sequence[Training], options: Options) -> str:
    """The plan in words: the question, the cost, every run folder with its state, the commands that are to come."""
    lines = [study.question]
    lines += [f"{name}: {text}" for name, text in (("hardware", study.hardware), ("time", study.estimate)) if text]
    width = max(len(each.folder.name) for each in every)
    lines += ["", f"Trainings in {study.folder / 'runs'}:"]
    lines += [f"  {each.folder.name:<{width}}  {_state(each)}  {each.run.title}" for each in every]
    jobs = [Job("", ["train", *each.words]) for each in every if not each.finished]
    for name, (words, runs) in study.evaluate.items():
        lines += ["", f"Evaluation {name} of {', '.join(runs)}: {' '.join([*words, *options.evaluate])}"]
    if jobs:
        lines += ["", "Commands to come:", *(f"  {_with_logs(job, study, options)}" for job in jobs)]
    return "\n".join(lines)


def _state(training: Training) -> str:
    total = f"{training.total_images / 1000:g} kimg"
    if training.finished:
        return f"done, {total}"
    return f"{training.images_seen / 1000:g} of {total}" if training.images_seen else f"to train, {total}"


def _with_logs(job: Job, study: Study, options: Options) -> Job:
    """A training that also logs where the study does."""
    words = list(job.words)
    if options.wandb is not None:
        words += [f"wandb={options.wandb}", f"wandb_project={options.wandb_project}", f"wandb_group={study.name}"]
    if options.tensorboard:
        words.append("tensorboard=true")
    return Job(job.title, words)


def _publish(study: Study, found: dict[str, Any], looks: "Looks", options: Options) -> None:
    if options.tensorboard:
        from facegen.study.to_tensorboard import to_tensorboard

        to_tensorboard(study, found, looks)
    if options.wandb is not None:
        from facegen.study.to_wandb import to_wandb

        to_wandb(study, found, looks, options.wandb, options.wandb_project)
