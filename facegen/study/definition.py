"""What a study is: the question, the runs, the evaluations and the pictures."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

SEEDS = re.compile(r"(\d+)(?:-(\d+))?")  # a part of `0,3,10-12`


class Run(NamedTuple):
    """One configuration that is trained: overrides of `facegen train`, the run whose weights it starts from, and the
    run that it is compared with."""

    name: str
    title: str
    overrides: tuple[str, ...]
    start: str | None
    against: str | None


class Evaluated(NamedTuple):
    """One evaluation: overrides of `facegen evaluate`, and the runs that it is of."""

    overrides: tuple[str, ...]
    runs: tuple[str, ...]


class Pictures(NamedTuple):
    """What is drawn of every run: samples of the same seeds and, of 3D generators, rows of poses and turntables."""

    seeds: str
    poses: bool
    turntable: bool

    @property
    def num_faces(self) -> int:
        """How many faces `seeds` names."""
        return sum(int(last or first) - int(first) + 1 for first, last in SEEDS.findall(self.seeds))


@dataclass(frozen=True)
class Study:
    """A folder with a `study.yaml`. Runs are compared with the first one, unless they name another."""

    folder: Path
    question: str
    about: str
    seeds: tuple[int, ...]
    train: tuple[str, ...]
    runs: dict[str, Run]
    evaluate: dict[str, Evaluated]
    pictures: Pictures | None
    hardware: str
    estimate: str

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.resolve().name
