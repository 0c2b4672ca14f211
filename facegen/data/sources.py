"""Sources: a folder, zip or dataset of images, read in place, as one table with a row for each face."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from facegen.data import table
from facegen.data.labels import LABELS_FILE, Labels
from facegen.data.layouts import FOLDER, Layout, Place, expected, find
from facegen.data.listing import CODECS, Entry, codec, list_folder, list_zip
from facegen.data.problems import Problem
from facegen.data.stamps import INDEX_COLUMNS, PATH_COLUMNS, differences, metadata_stamp, stored_stamp


@dataclass(frozen=True)
class Source:
    """Faces of one dataset, folder or zip.

    `rows` has the columns id, uri, offset, size (bytes), mtime (ns), codec, and camera or label where the source ships
    labels, with the pose of a camera (theta, phi, yaw_degrees, pitch_degrees); from an indexed source also width,
    height, mode, bits, orientation and the scalar columns of its layout and of curation stages. `root` holds the
    images, `layout` is how the dataset is laid out. `problems` are those that listing alone can find: labels, ids and
    an index out of date. `ignored` counts the files that are no images. `indexed` says that `rows` come from the table.
    `stamp` changes with labels and everything else that ships beside the images.
    """

    root: Path
    kind: str
    rows: pa.Table
    problems: tuple[Problem, ...]
    ignored: int
    indexed: bool
    layout: Layout
    place: Place
    stamp: str

    @property
    def name(self) -> str:
        """Short name for people: that of the folder, or of the zip without its suffix."""
        named = self.root if self.layout.terms is None else self.place.home
        return named.stem if named.is_file() else named.name


class Listed(NamedTuple):
    """The images below a path and what the layout of their dataset says of them, before labels and tables are read."""

    layout: Layout
    place: Place
    entries: list[Entry]
    ids: list[str]
    problems: list[Problem]
    ignored: int
    labels: bytes | None
    stamp: str

    @property
    def path(self) -> Path:
        """The folder or zip of the images."""
        return self.place.images

    @property
    def kind(self) -> str:
        """Name of the layout; of a plain folder or zip, whether NVIDIA's labels came with it."""
        if self.layout is not FOLDER:
            return self.layout.name
        return "nvidia_zip" if self.path.is_file() else "folder" if self.labels is None else "nvidia_folder"

    def shipped(self) -> Labels | None:
        """The labels that come with the images."""
        return self.layout.labels(self.place, [entry.name for entry in self.entries], self.labels)


def open_source(
    root: str | Path, layout: str | None = None, use_table: bool = True, columns: Sequence[str] = ()
) -> Source:
    """List the faces of a folder (any nesting), of an uncompressed zip, or of a published dataset.

    layout: which dataset it is; None looks. An up-to-date table made by `facegen data index` gives the rows: its index,
    its scalar columns, and of those named in `columns` the ones it has (vectors are read only on request). Raises
    ValueError where there is nothing, no image, a zip that cannot be read in place, or no such layout.
    """
    listed = list_source(root, layout)
    rows, duplicates = _rows(listed), _duplicates(listed.ids)
    outdated: list[Problem] = []
    if use_table and not duplicates and table.exists(table.table_path(listed.path)):
        indexed = _indexed(listed, rows, columns)
        if isinstance(indexed, pa.Table):
            return _source(listed, indexed, [], True)
        outdated = [indexed]
    labels = listed.shipped()
    for name, column in labels.columns.items() if labels else ():
        rows = rows.append_column(name, column)
    return _source(listed, rows, [*outdated, *listed.problems, *duplicates, *(labels.problems if labels else ())])


def list_source(root: str | Path, layout: str | None = None) -> Listed:
    """Find out what a path is and list its faces. Raises ValueError as `open_source` does."""
    path = Path(root).expanduser().absolute()
    if not path.exists():
        raise ValueError(f"{root} does not exist; expected {expected(layout)}")
    if path.is_file() and path.suffix.lower() != ".zip":
        raise ValueError(f"{root} is a file; expected a folder of images or an uncompressed zip")
    found, place = find(path, layout)
    images = place.images
    if not (images.is_dir() or images.is_file()):
        raise ValueError(f"{images} is a pipe or a device; expected a folder of images or an uncompressed zip")
    listing = list_zip(images, LABELS_FILE) if images.is_file() else list_folder(images, LABELS_FILE)
    if not listing.entries:
        formats = ", ".join(suffix[1:] for suffix in CODECS)
        raise ValueError(f"{images} holds no images ({listing.ignored} other files); expected {formats}")
    named = [(found.face_id(entry.name), entry) for entry in listing.entries]
    foreign = [Problem("unexpected file", e.name, f"not a name of {found.name}") for face, e in named if face is None]
    faces = [(face, entry) for face, entry in named if face is not None]
    if not faces:
        example = listing.entries[0].name
        raise ValueError(f"{images} holds no image named as in {found.name}, but such as {example}; check layout=")
    stamp = metadata_stamp(listing.labels, found.metadata(place), place.home)
    ids, entries = [face for face, _ in faces], [entry for _, entry in faces]
    return Listed(found, place, entries, ids, foreign, listing.ignored, listing.labels, stamp)


def _source(listed: Listed, rows: pa.Table, problems: list[Problem], indexed: bool = False) -> Source:
    kind, ignored = listed.kind, listed.ignored
    return Source(listed.path, kind, rows, tuple(problems), ignored, indexed, listed.layout, listed.place, listed.stamp)


def _indexed(listed: Listed, rows: pa.Table, columns: Sequence[str]) -> pa.Table | Problem:
    """Rows of the table beside a source, or the problem that it does not describe the files any more."""
    path = listed.path
    place = table.table_path(path)
    schema = table.schema(place)
    wanted = [f.name for f in schema if not pa.types.is_nested(f.type) or f.name == "camera"]
    if missing := sorted(set(INDEX_COLUMNS) - set(wanted)):
        return Problem("index out of date", place.name, f"no column {missing[0]!r}; run facegen data index root={path}")
    stored = table.read(place, list(dict.fromkeys([*wanted, *(name for name in columns if name in schema.names)])))
    reasons = differences(stored, rows)
    if stored_stamp(stored) != listed.stamp:
        reasons.append(f"{LABELS_FILE if listed.layout is FOLDER else 'what ships beside the images'} changed")
    if reasons:
        detail = f"{', '.join(reasons)} since the last facegen data index root={path}"
        return Problem("index out of date", place.name, detail)
    base = str(path if path.is_dir() else path.parent)
    for place, name in enumerate(stored.column_names):
        if name == "uri" or name in PATH_COLUMNS:
            joined = pc.call_function("binary_join_element_wise", [pa.scalar(base), stored[name], pa.scalar(os.sep)])
            stored = stored.set_column(place, name, joined)
    return stored


def _rows(listed: Listed) -> pa.Table:
    entries = listed.entries
    return pa.table(
        {
            "id": pa.array(listed.ids, pa.string()),
            "uri": pa.array([entry.uri for entry in entries], pa.string()),
            "offset": pa.array([entry.offset for entry in entries], pa.int64()),
            "size": pa.array([entry.size for entry in entries], pa.int64()),
            "mtime": pa.array([entry.mtime for entry in entries], pa.int64()),
            "codec": pa.array([codec(entry.name) for entry in entries], pa.string()),
        }
    )


def _duplicates(ids: Sequence[str]) -> list[Problem]:
    return [
        Problem("duplicate id", name, f"{count} images have this name (their suffixes differ, or a zip holds it twice)")
        for name, count in Counter(ids).items()
        if count > 1
    ]
