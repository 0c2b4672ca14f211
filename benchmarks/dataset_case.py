"""A sample of a published dataset, what is done to it, the command that is typed, and what must be printed."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks.damage import Act
from tests.data.samples.celebahq import make_celebahq
from tests.data.samples.ffhq import make_ffhq, make_ffhq_eg3d, zip_folder
from tests.data.samples.ffhq_uv import make_ffhq_uv, make_project
from tests.data.samples.lpff import make_lpff
from tests.data.samples.mm_celebahq import make_mm_celebahq
from tests.data.samples.sfhq import make_sfhq


class Sample(NamedTuple):
    """A dataset as its authors ship it: its folder in the working directory, and the layouts that it has."""

    home: str
    make: Callable[[Path], object]
    layouts: tuple[str, ...]


class Case(NamedTuple):
    """A damaged sample, the words after `facegen`, the status, and words of the line, the file's name first."""

    sample: str
    wrong: str
    act: Act
    words: str
    status: int
    line: tuple[str, ...]


def _eg3d_and_zip(root: Path) -> None:
    zip_folder(make_ffhq_eg3d(root), root / "FFHQ_512.zip")


SAMPLES = {
    "ffhq": Sample("ffhq-dataset", make_ffhq, ("ffhq",)),
    "ffhq_eg3d": Sample("FFHQ_512", _eg3d_and_zip, ("ffhq_eg3d",)),
    "celebahq": Sample("CelebAMask-HQ", make_celebahq, ("celebahq",)),
    "lpff": Sample("LPFF-dataset", make_lpff, ("lpff_eg3d", "lpff_stylegan")),
    "sfhq": Sample("SFHQ_part1", lambda root: make_sfhq(root, faces=2), ("sfhq",)),
    "ffhq_uv": Sample("FFHQ-UV/dataset/ffhq-uv", lambda root: make_project(make_ffhq_uv(root)), ("ffhq_uv",)),
    "mm_celebahq": Sample("multi-modal-celeba", lambda root: make_mm_celebahq(root, size=64), ("mm_celebahq",)),
}
MakeCase = Callable[..., Case]


def kinds(sample: str) -> tuple[MakeCase, MakeCase, MakeCase]:
    """Makers of cases (wrong, act, *line, layout=, words=) on a sample.

    The first: `facegen data index` writes the table, status 0, and its summary names what is wrong. The second:
    `facegen data validate` ends with status 1 and a row of its table. The third: a command, by default `facegen data
    index`, ends with status 2.
    """
    return partial(_case, sample, "index", 0), partial(_case, sample, "validate", 1), partial(_case, sample, "index", 2)


def _case(
    sample: str, command: str, status: int, wrong: str, act: Act, *line: str, layout: str = "", words: str = ""
) -> Case:
    typed = f"data {command} root={SAMPLES[sample].home}{f' layout={layout}' if layout else ''}"
    return Case(sample, wrong, act, words or typed, status, line)


def train(recipe: str, dataset: str, home: str = "", *words: str) -> str:
    """The words that train a recipe on a sample."""
    return " ".join(["train", f"data={recipe}", f"datasets.{dataset}={home or SAMPLES[dataset].home}", *words])
