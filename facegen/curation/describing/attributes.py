"""CelebA's 40 attributes of the faces of a source: from its table, from a list, or from what its faces were made of."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import Int8

from facegen.curation.describing.synthetic_attributes import GROUPS, synthetic_attributes
from facegen.data import table
from facegen.data.celeba import ATTRIBUTES, read_attributes
from facegen.data.synthetic.source import MANIFEST

COLUMN = "celeba_attributes"  # of tables: 40 numbers, -1 absent, 1 present, as CelebAMask-HQ's list has them
UNKNOWN = 0
Attributes = Int8[np.ndarray, "face 40"]  # -1, 1, and 0 where it is not known


def attributes_of(root: Path, listed: Path | None = None) -> Attributes:
    """The attributes of the rows of an indexed source; rows of which nothing is known are all 0.

    `listed`: a file as CelebA's `list_attr_celeba.txt` and CelebAMask-HQ's, whose names are ids or their last parts.
    Without it: the truth about synthetic faces, or the column `celeba_attributes` of the table.
    Raises ValueError where there is none of these.
    """
    place = table.table_path(root)
    if listed is not None:
        return _from_list(listed, table.read(place, ["id"])["id"].to_pylist())
    names = table.schema(place).names
    if (root / MANIFEST).is_file() and {f"coefficients_{group}" for group in GROUPS} <= set(names):
        return _from_truth(root)
    if COLUMN in names:
        return _from_column(table.read(place, [COLUMN])[COLUMN].combine_chunks())
    raise ValueError(
        f"captions: the faces of {root} have no attributes; give attributes=FILE (a list like CelebA's), or leave "
        "captions out"
    )


def named(values: Int8[np.ndarray, "40"]) -> dict[str, bool]:
    """The known attributes of a face by name."""
    return {name: value > 0 for name, value in zip(ATTRIBUTES, values.tolist(), strict=True) if value != UNKNOWN}


def _from_list(listed: Path, ids: list[str]) -> Attributes:
    found = read_attributes(listed)
    rows = {name: row for row, name in enumerate(found.ids)}
    places = [rows.get(face, rows.get(face.rpartition("/")[2], -1)) for face in ids]
    if max(places, default=-1) < 0:
        raise ValueError(f"attributes: {listed} names {found.ids[0]} and so on, but no face, such as {ids[0]}")
    unknown = np.full((1, len(ATTRIBUTES)), UNKNOWN, np.int8)
    return np.concatenate([found.values, unknown])[places]


def _from_column(column: pa.FixedSizeListArray) -> Attributes:
    return np.array([[UNKNOWN] * len(ATTRIBUTES) if row is None else row for row in column.to_pylist()], np.int8)


def _from_truth(root: Path) -> Attributes:
    columns = table.read(table.table_path(root), [f"coefficients_{group}" for group in GROUPS])
    vectors = {group: columns[f"coefficients_{group}"].combine_chunks() for group in GROUPS}
    if missing := max(vector.null_count for vector in vectors.values()):
        raise ValueError(f"{root}: {missing} faces changed since they were made, got new files; synthesize them again")
    coefficients = {
        group: np.asarray(vector.flatten()).reshape(len(columns), vector.type.list_size)
        for group, vector in vectors.items()
    }
    try:
        names = json.loads((root / MANIFEST).read_text(encoding="utf-8"))["coefficients"]
        judged = synthetic_attributes(coefficients, names)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ValueError(f"{root / MANIFEST} does not describe the faces ({error}); synthesize them again") from error
    values = np.full((len(columns), len(ATTRIBUTES)), UNKNOWN, np.int8)
    for name, present in judged.items():
        values[:, ATTRIBUTES.index(name)] = np.where(present, 1, -1)
    return values
