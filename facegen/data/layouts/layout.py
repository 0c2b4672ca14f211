"""What a published dataset looks like on disk: where its faces are, what their names mean, what ships beside them."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from facegen.data.labels import Labels, read_labels
from facegen.data.problems import Problem


class Terms(NamedTuple):
    """What a dataset's authors ask for, in few words, said once when it is used; `home`: where its files come from."""

    title: str
    licence: str
    home: str


class Place(NamedTuple):
    """Where a dataset lies: the folder, or uncompressed zip, of its faces, and the folder of what ships beside them."""

    images: Path
    home: Path


class Annotations(NamedTuple):
    """Columns, one value for each id asked about (null where a face has none), and what is missing or malformed."""

    columns: dict[str, pa.Array]
    problems: list[Problem]


def stem(name: str) -> str:
    """The name of an image without its suffix: the id where a layout knows nothing better."""
    return os.path.splitext(name)[0]


def no_annotations(place: Place, ids: Sequence[str]) -> Annotations:
    """For layouts that ship images and labels only."""
    return Annotations({}, [])


def no_findings(place: Place, ids: Sequence[str]) -> Iterator[Problem]:
    """For layouts whose files beside the images need no slow look."""
    return iter(())


def shipped_labels(place: Place, names: Sequence[str], dataset_json: bytes | None) -> Labels | None:
    """Labels of the `dataset.json` that lies among the images, where there is one."""
    return None if dataset_json is None else read_labels(dataset_json, names)


@dataclass(frozen=True)
class Layout:
    """One published dataset.

    locate: the place of the faces when a path can be (part of) this dataset, else None; a few looks at the disk, no
    more. sure: whether it is this dataset and no other of that form; asked where nobody named the layout.
    face_id: the id that an image's name, relative to the images, stands for; None where the dataset has no such name.
    labels: cheap labels of the images of these names, given the bytes of a `dataset.json` among them, or None.
    annotate: columns for these ids from everything that ships beside the images, read when a table is made; it also
    says what is missing or unexpected. inspect: slow looks at those files, one by one, for `facegen data validate`.
    metadata: files and folders from which labels and annotations come; a change makes a table out of date.
    published: how many images its authors ship. `path` columns are relative to the folder of the images' table.
    """

    name: str
    terms: Terms | None
    locate: Callable[[Path], Place | None]
    published: int | None = None
    face_id: Callable[[str], str | None] = stem
    labels: Callable[[Place, Sequence[str], bytes | None], Labels | None] = shipped_labels
    annotate: Callable[[Place, Sequence[str]], Annotations] = no_annotations
    inspect: Callable[[Place, Sequence[str]], Iterator[Problem]] = no_findings
    metadata: Callable[[Place], Sequence[Path]] = lambda place: ()
    sure: Callable[[Path], bool] = lambda path: True
