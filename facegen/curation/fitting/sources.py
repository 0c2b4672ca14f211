"""Which pictures are fitted: a folder, a zip or one file of them, or the faces of a recipe with what tables know."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from facegen.curation.fitting.run import Pictures
from facegen.curation.photographs import PLACE, list_photographs
from facegen.curation.stages import Row
from facegen.data import Recipe, table
from facegen.data.listing import CODECS, is_image
from facegen.data.selection import select

Landmarks = Literal["auto", "table", "detect"]
_POINTS = "landmarks"  # column of 68 pairs in pixels of the picture, where a table has one
_SUFFIXES = {kind: suffix for suffix, kind in reversed(CODECS.items())}


class Tabled(NamedTuple):
    """A table of faces, and the id in it of each picture by the picture's id."""

    path: Path
    ids: dict[str, str]


def pictures_of(images: str) -> Pictures:
    """Pictures of a folder at any depth, an uncompressed zip, or one file. Raises ValueError where there are none."""
    path = Path(images).expanduser().absolute()
    if not path.exists():
        raise ValueError(f"images: {images} does not exist; expected a picture, or a folder or zip of pictures")
    if path.is_dir() or path.suffix.lower() == ".zip":
        base, rows, _ = list_photographs(path)
        return Pictures(str(base), rows)
    if not path.is_file() or not is_image(path.name):
        raise ValueError(f"images: {images} is no picture; expected one of {', '.join(CODECS)}, or a folder or zip")
    status = path.stat()
    place = dict(zip(PLACE, (path.name, 0, status.st_size, status.st_mtime_ns), strict=True))
    return Pictures(str(path.parent), [{"id": path.stem, "name": path.name, **place}])


def with_landmarks(recipe: Recipe) -> Recipe:
    """The same faces, with the landmarks that the tables of their sources have."""
    return Recipe([asdict(spec) for spec in recipe.specs], resolution=1, columns=(_POINTS,))


def faces_of(recipe: Recipe, landmarks: str = "auto") -> Pictures:
    """The faces of a recipe of `with_landmarks`, each once.

    landmarks: `table` takes those of the tables and refuses faces without, `detect` takes none, `auto` takes what is
    there. Raises ValueError for other words, and for ids that would give the same files.
    """
    if landmarks not in get_args(Landmarks):
        raise ValueError(f"landmarks: got {landmarks!r}, expected one of: {', '.join(get_args(Landmarks))}")
    rows = _rows(recipe.rows.select([n for n in ("id", *PLACE, "codec", _POINTS) if n in recipe.rows.column_names]))
    if landmarks == "detect":
        rows = [row | {"landmarks68": None} for row in rows]
    without = [row["id"] for row in rows if row["landmarks68"] is None]
    if landmarks == "table" and without:
        raise ValueError(
            f"landmarks=table: {len(without)} of {len(rows)} faces, such as {without[0]}, have no 68 {_POINTS} in a "
            "table; use landmarks=auto, which finds the missing ones"
        )
    if len({row["id"] for row in rows}) < len(rows):
        raise ValueError("data: two faces have ids that differ in / and _ only; rename one of them")
    return Pictures("/", rows)


def _rows(faces: Any) -> list[Row]:
    found = []
    for face in faces.to_pylist():
        points = face.get(_POINTS)
        name = face["id"] + _SUFFIXES.get(face["codec"], "")
        usable = points if points is not None and len(points) == 2 * 68 else None
        row = {"id": face["id"].replace("/", "_"), "name": name, "landmarks68": usable}
        found.append(row | {column: face[column] for column in PLACE})
    return found


def tables_of(recipe: Recipe, pictures: Sequence[Row]) -> list[Tabled]:
    """The tables of a recipe's sources. Raises ValueError for a source without one that is up to date."""
    found, first = [], 0
    for source, spec in zip(recipe.sources, recipe.specs, strict=True):
        if not source.indexed:
            raise ValueError(
                f"index=true: {source.root} has no table that is up to date; make it: "
                f"facegen data index root={source.root}"
            )
        own = select(source, spec)["id"].to_pylist()
        names = [row["id"] for row in pictures[first : first + len(own)]]
        found.append(Tabled(table.table_path(source.root), dict(zip(names, own, strict=True))))
        first += len(own)
    return found
