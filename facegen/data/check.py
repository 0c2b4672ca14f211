"""The cheap look at a recipe before training: listing, labels and headers, no pixels."""

import warnings
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from facegen.data.headers import ImageHeader, unusual
from facegen.data.index import read_headers
from facegen.data.labels import IMPLAUSIBLE
from facegen.data.problems import Problem, summarise
from facegen.data.reader import ImageReader
from facegen.data.recipe import Recipe
from facegen.geometry.camera_checks import check_labels

BEFORE_TRAINING = ("duplicate id", "index out of date")  # label problems stop a recipe that needs labels earlier


def quick_check(recipe: Recipe) -> None:
    """Raise one ValueError that names the first problems of a recipe's images, how many there are, and what to do.

    Cameras that do not see the face are a warning: a generator that takes a camera as a mere name trains with them.
    """
    problems = [problem for source in recipe.sources for problem in source.problems if problem.kind in BEFORE_TRAINING]
    problems += header_problems(recipe)
    if problems:
        roots = ",".join(str(source.root) for source in recipe.sources)
        where = roots if len(recipe.sources) == 1 else f"[{roots}]"
        raise ValueError(f"{summarise(problems)}. See all: facegen data validate root={where}")
    if cameras := camera_problems(recipe):
        warnings.warn(f"{summarise(cameras, 1)}. EG3D cannot learn from such labels", stacklevel=2)


def camera_problems(recipe: Recipe) -> list[Problem]:
    """Cameras of a recipe, as far as it uses labels, that do not see the face as EG3D's do."""
    if "camera" not in recipe.rows.column_names or not recipe.labels:
        return []
    ids = recipe.rows["id"]
    found = check_labels(recipe.label_table).implausible
    return [Problem(IMPLAUSIBLE, ids[row].as_py(), reason) for row, reason in found.items()]


def header_problems(recipe: Recipe) -> list[Problem]:
    """What headers alone say is wrong with the images of a recipe under its own transform.

    The headers of an indexed source come from its table.
    """
    headers = _stored_headers(recipe.rows)
    reader = ImageReader.of(recipe.rows)
    unknown = [row for row, header in enumerate(headers) if header is None]
    fresh, problems = read_headers(reader, unknown)
    headers = [fresh[row] if header is None else header for row, header in enumerate(headers)]
    usual = usual_size([header for header in headers if header is not None])
    for row, header in enumerate(headers):
        if header is not None and (found := _problem(header, recipe, usual)):
            problems.append(Problem(found[0], reader.where(row), found[1]))
    return problems


def usual_size(headers: Sequence[ImageHeader]) -> tuple[int, int]:
    """The most frequent (width, height)."""
    sizes = Counter((header.width, header.height) for header in headers)
    return sizes.most_common(1)[0][0] if sizes else (0, 0)


def _stored_headers(rows: pa.Table) -> list[ImageHeader | None]:
    fields = ImageHeader._fields
    if not set(fields) <= set(rows.column_names):
        return [None] * len(rows)
    known = np.asarray(rows["width"].is_valid())
    values = zip(*(rows[name].to_pylist() for name in fields), strict=True)
    return [ImageHeader(*value) if valid else None for value, valid in zip(values, known, strict=True)]


def _problem(header: ImageHeader, recipe: Recipe, usual: tuple[int, int]) -> tuple[str, str] | None:
    size = f"{header.width}x{header.height}"
    if (reason := unusual(header)) and not recipe.convert:
        return reason, "expected 8-bit RGB; convert the file, or set data.convert=true"
    if header.width != header.height and recipe.crop is None:
        return "not square", f"{size}; crop the file, or set data.crop=center"
    if not recipe.has_explicit_resolution and recipe.crop is None:
        detail = f"{size}, most are {usual[0]}x{usual[1]}; set a resolution to resize all"
        return None if (header.width, header.height) == usual else ("of another size", detail)
    if min(header.width, header.height) < recipe.resolution and not recipe.upscale:
        return (
            "too small",
            f"{size} for resolution {recipe.resolution}; lower the resolution, or set data.upscale=true",
        )
    return None
