"""A study so small that it is done in seconds, and the program called in this process instead of in others."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from facegen import cli
from facegen.cli.study import resolved
from facegen.study import conduct, read_study
from facegen.study.jobs import Job
from tests.models.tiny import COMMON, OWN, photographs

EVALUATE = [
    *("metrics=[fid,kid,fid3d]", "extractor=pixels", "num_images=8", "batch_size=8", "processes=1", "device=cpu"),
    *("data=folder", "data.root=photos", "data.labels=true"),
    *("against=folder", "against.root=others", "against.labels=true", "names=[ffhq,large]"),
]


def write_study(folder: Path, kind: str = "eg3d", **changes: Any) -> Path:
    """Two folders of photographs and a study of two runs on them; its paths are relative to `folder`."""
    for number, name in enumerate(("photos", "others")):
        if not (folder / name).exists():
            photographs(folder / name, count=24 + 8 * number)
    words = {**OWN[kind], **COMMON, "data.root": "photos", "total_kimg": 0.008, "data.labels": "true"}
    study = {
        "question": "Is more <R1> better?",
        "seeds": [0, 1],
        "train": [f"{key}={value}" for key, value in words.items()],
        "runs": {
            "little": {"title": "little R1", "overrides": ["model.r1_gamma=0.2"]},
            "more": {"title": "more R1", "overrides": ["model.r1_gamma=5"]},
        },
        "evaluate": {"main": EVALUATE},
    }
    (folder / "tiny").mkdir(exist_ok=True)
    (folder / "tiny" / "study.yaml").write_text(yaml.safe_dump({**study, **changes}, sort_keys=False))
    return folder / "tiny"


class Recorder:
    """Runs the jobs of a study in this process, and remembers them."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []

    def __call__(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self.jobs.append(job)
            assert cli.main([word for word in job.words if word != "wandb=offline"]) == 0, job

    @property
    def commands(self) -> list[str]:
        """What was run, by command and first words of the title."""
        return [job.words[0] for job in self.jobs]


class Done(NamedTuple):
    """A study that was done, and what it took."""

    folder: Path
    jobs: list[Job]
    report: Path


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def do(folder: Path, **options: Any) -> Done:
    """Do the study in `folder`/tiny, from `folder`."""
    with inside(folder):
        study = read_study(Path("tiny"))
        recorder = Recorder()
        chosen = conduct.Options(**{"seeds": study.seeds, **options})
        report = conduct.conduct(study, resolved, chosen, recorder)
        return Done(folder / "tiny", recorder.jobs, folder / report)


@pytest.fixture(scope="session")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """A study of two runs and two seeds with pictures, in TensorBoard and W&B as well."""
    folder = tmp_path_factory.mktemp("study")
    write_study(folder, pictures={"seeds": "3", "poses": True, "turntable": True})
    os.environ.setdefault("WANDB_SILENT", "true")
    return do(folder, wandb="offline", tensorboard=True)
