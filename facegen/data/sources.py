"""Sources: a folder or zip of images, read in place, as one table with a row for each face."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow as pa

from facegen.data import table
from facegen.data.labels import LABELS_FILE, read_labels
from facegen.data.listing import CODECS, Entry, Listing, list_folder, list_zip
from facegen.data.problems import Problem
from facegen.data.stamps import INDEX_COLUMNS, differences, labels_stamp, stored_labels_stamp

FFHQ_NAME = re.compile(r"(\d{2})000/(\1\d{3})\.(?:png|jpg)")


@dataclass(frozen=True)
class Source:
    """Faces below one root.

    `rows` has the columns id, uri, offset, size (bytes), mtime (ns), codec, and camera or label where the source ships
    labels; from an indexed source also width, height, mode, bits, orientation and the columns of curation stages.
    `kind` is folder, ffhq, nvidia_zip or nvidia_folder. `problems` are those that listing alone can find: labels, ids
    and an index out of date. `ignored` counts the files that are no images. `indexed` says that `rows` come from
    the table beside the source.
    """

    root: Path
    kind: str
    rows: pa.Table
    problems: tuple[Problem, ...] = ()
    ignored: int = 0
    indexed: bool = False

    @property
    def name(self) -> str:
        """Short name for people: that of the folder, or of the zip without its suffix."""
        return self.root.stem if self.root.is_file() else self.root.name


def open_source(root: str | Path, use_table: bool = True, columns: Sequence[str] = ()) -> Source:
    """List the images of a folder (any nesting), FFHQ's layout, or NVIDIA's uncompressed zip or its unpacked form.

    An up-to-date table made by `facegen data index` gives the rows: its index, its scalar columns, and those named in
    `columns` (vectors are read only on request). Raises ValueError where there is nothing, no image, or a zip that
    cannot be read in place.
    """
    path, listing = list_source(root)
    kind = _kind(path, listing)
    rows = _rows(listing.entries, kind)
    duplicates = _duplicates(rows["id"].to_pylist())
    outdated: list[Problem] = []
    if use_table and not duplicates and table.exists(table.table_path(path)):
        indexed = _indexed(path, rows, listing, columns)
        if isinstance(indexed, pa.Table):
            return Source(path, kind, indexed, (), listing.ignored, True)
        outdated = [indexed]
    labels = None if listing.labels is None else read_labels(listing.labels, [entry.name for entry in listing.entries])
    if labels:
        rows = rows.append_column(labels.name, labels.column)
    problems = [*outdated, *duplicates, *(labels.problems if labels else ())]
    return Source(path, kind, rows, tuple(problems), listing.ignored)


def list_source(root: str | Path) -> tuple[Path, Listing]:
    """Absolute path of a source and the images in it. Raises ValueError as `open_source` does."""
    path = Path(root).expanduser().absolute()
    if not path.exists():
        raise ValueError(f"{root} does not exist; expected a folder of images or an uncompressed zip")
    if path.is_file() and path.suffix.lower() != ".zip":
        raise ValueError(f"{root} is a file; expected a folder of images or an uncompressed zip")
    listing = list_zip(path, LABELS_FILE) if path.is_file() else list_folder(path, LABELS_FILE)
    if not listing.entries:
        formats = ", ".join(suffix[1:] for suffix in CODECS)
        raise ValueError(f"{root} holds no images ({listing.ignored} other files); expected {formats}")
    return path, listing


def _indexed(path: Path, rows: pa.Table, listing: Listing, columns: Sequence[str]) -> pa.Table | Problem:
    """Rows of the table beside a source, or the problem that it does not describe the files any more."""
    place = table.table_path(path)
    schema = table.schema(place)
    wanted = [f.name for f in schema if not pa.types.is_nested(f.type) or f.name == "camera" or f.name in columns]
    if missing := sorted(set(INDEX_COLUMNS) - set(wanted)):
        return Problem("index out of date", place.name, f"no column {missing[0]!r}; run facegen data index root={path}")
    stored = table.read(place, list(dict.fromkeys([*wanted, *columns])))
    reasons = differences(stored, rows)
    if stored_labels_stamp(stored) != labels_stamp(listing.labels):
        reasons.append(f"{LABELS_FILE} changed")
    if reasons:
        detail = f"{', '.join(reasons)} since the last facegen data index root={path}"
        return Problem("index out of date", place.name, detail)
    base = path if path.is_dir() else path.parent
    uris = pa.array([str(base / uri) for uri in stored["uri"].to_pylist()], pa.string())
    return stored.set_column(stored.column_names.index("uri"), "uri", uris)


def _kind(path: Path, listing: Listing) -> str:
    if path.is_file():
        return "nvidia_zip"
    if listing.labels is not None:
        return "nvidia_folder"
    return "ffhq" if all(FFHQ_NAME.fullmatch(entry.name) for entry in listing.entries) else "folder"


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
            "mtime": pa.array([entry.mtime for entry in entries], pa.int64()),
            "codec": pa.array([CODECS[path.suffix.lower()] for path in paths], pa.string()),
        }
    )


def _duplicates(ids: Sequence[str]) -> list[Problem]:
    return [
        Problem("duplicate id", name, f"{count} images have this name (their suffixes differ, or a zip holds it twice)")
        for name, count in Counter(ids).items()
        if count > 1
    ]
