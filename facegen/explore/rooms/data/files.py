"""Files that a table names: read only where they lie beside the faces."""

import os
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from facegen.checkpoint.files import check_file
from facegen.data.headers import ImageError
from facegen.data.sources import Source


def inside(source: Source, path: str) -> bool:
    """Whether a file that a table names is one of the source: below it, or beside a zip in its folder."""
    normal = Path(os.path.normpath(path))
    return any(normal.is_relative_to(_folder(each)) for each in (source.root, source.place.home))


def read_beside(path: str, source: Source, modes: Sequence[str]) -> Image.Image:
    """A picture that a column names. Raises ImageError where it is none, or lies elsewhere."""
    if not inside(source, path := os.path.join(_folder(source.root), path)):
        raise ImageError("the table names a file outside of the faces' folder; it is not read")
    check_file(Path(path))
    with Image.open(path) as picture:
        if picture.mode not in modes:
            raise ImageError(f"a picture of mode {picture.mode}, expected {', '.join(modes)}")
        picture.load()
        return picture.copy()


def _folder(path: Path) -> Path:
    return path if path.is_dir() else path.parent
