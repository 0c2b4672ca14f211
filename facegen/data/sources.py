"""Sources: a folder or zip of images, read in place, as one table with a row for each face."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow as pa

from facegen.data.labels import LABELS_FILE, read_labels
from facegen.data.listing import CODECS, Entry, list_folder, list_zip
from facegen.data.problems import Problem

FFHQ_NAME = re.compile(r"(\d{2})000/(\1\d{3})\.(?:png|jpg)")


@dataclass(frozen=True)
class Source:
    """Faces below one root.

    `rows` has the columns id, uri, offset, size (bytes), codec, and camera or label where the source ships labels.
    `kind` is folder, ffhq, nvidia_zip or nvidia_folder. `problems` are those that listing alone can find: labels and
    ids. `ignored` counts the files that are no images.
    """

    root: Path
    kind: str
    rows: pa.Table
    problems: tuple[Problem, ...] = ()
    ignored: int = 0

    @property
    def name(self) -> str:
        """Short name for people: that of the folder, or of the zip without its suffix."""
        return self.root.stem if self.root.is_file() else self.root.name


def open_source(root: str | Path) -> Source:
    """List the images of a folder (any nesting), FFHQ's layout, or NVIDIA's uncompressed zip or its unpacked form.

    Raises ValueError where there is nothing, no image, or a zip that cannot be read in place.
    """
    path = Path(root).expanduser().absolute()
    if not path.exists():
        raise ValueError(f"{root} does not exist; expected a folder of images or an uncompressed zip")
    if path.is_file() and path.suffix.lower() != ".zip":
        raise ValueError(f"{root} is a file; expected a folder of images or an uncompressed zip")
    listing = list_zip(path, LABELS_FILE) if path.is_file() else list_folder(path, LABELS_FILE)
    if not listing.entries:
        formats = ", ".join(suffix[1:] for suffix in CODECS)
        raise ValueError(f"{root} holds no images ({listing.ignored} other files); expected {formats}")
    labels = read_labels(listing.labels, [entry.name for entry in listing.entries]) if listing.labels else None
    kind = _kind(path, listing.entries, listing.labels is not None)
    rows = _rows(listing.entries, kind)
    if labels:
        rows = rows.append_column(labels.name, labels.column)
    problems = [*_duplicates(rows["id"].to_pylist()), *(labels.problems if labels else ())]
    return Source(path, kind, rows, tuple(problems), listing.ignored)


def _kind(path: Path, entries: Sequence[Entry], labelled: bool) -> str:
    if path.is_file():
        return "nvidia_zip"
    if labelled:
        return "nvidia_folder"
    return "ffhq" if all(FFHQ_NAME.fullmatch(entry.name) for entry in entries) else "folder"


def _rows(entries: Sequence[Entry], kind: str) -> pa.Table:
    """FFHQ's ids are its five digits, as its own lists write them; elsewhere the relative path without suffix."""
    paths = [PurePosixPath(entry.name) for entry in entries]
    ids = [path.stem if kind == "ffhq" else str(path.with_suffix("")) for path in paths]
    return pa.table(
        {
            "id": pa.array(ids, pa.string()),
            "uri": pa.array([entry.uri for entry in entries], pa.string()),
            "offset": pa.array([entry.offset for entry in entries], pa.int64()),
            "size": pa.array([entry.size for entry in entries], pa.int64()),
            "codec": pa.array([CODECS[path.suffix.lower()] for path in paths], pa.string()),
        }
    )


def _duplicates(ids: Sequence[str]) -> list[Problem]:
    return [
        Problem("duplicate id", name, f"{count} images have this name (their suffixes differ, or a zip holds it twice)")
        for name, count in Counter(ids).items()
        if count > 1
    ]
