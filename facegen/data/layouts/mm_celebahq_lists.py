"""Multi-Modal-CelebA-HQ's lists of training and test images, and what CelebAMask-HQ's lists say of the same faces."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from facegen.checkpoint.safe_pickle import load_pickle
from facegen.data import celeba
from facegen.data.layouts.beside import missing_file
from facegen.data.layouts.layout import Annotations, Terms
from facegen.data.problems import Problem

SPLITS = {"train": "train/filenames.pickle", "test": "test/filenames.pickle"}
ATTRIBUTES = ("CelebAMask-HQ-attribute-anno.txt", "celeba-hq-attribute.txt")
MAPPING = "CelebA-HQ-to-CelebA-mapping.txt"


def files(home: Path) -> list[Path]:
    """The files that are read."""
    return [home / name for name in (*SPLITS.values(), *ATTRIBUTES, MAPPING)]


def splits(home: Path, ids: Sequence[str], terms: Terms) -> Annotations:
    """split: train or test, by the two published lists; null for a face on none of them."""
    parts: dict[str, str] = {}
    problems = []
    for part, name in SPLITS.items():
        if not (home / name).exists():
            problems.append(missing_file(home / name, f"the list of {part} images", terms))
            continue
        try:
            faces = _listed(home / name)
        except ValueError as error:
            problems.append(Problem("malformed file", name, str(error).removeprefix(f"{home / name}: ")))
            continue
        if twice := [face for face in faces if face in parts]:
            problems.append(Problem("listed twice", name, f"{len(twice)} faces are also on the other list: {twice[0]}"))
        if strangers := sorted(set(faces) - set(ids)):
            detail = f"{len(strangers)} of {len(faces)} faces have no image here, such as {strangers[0]}"
            problems.append(Problem("entry without image", name, detail))
        parts = dict.fromkeys(faces, part) | parts
    alone = [face for face in ids if face not in parts]
    if parts and alone and not problems:
        problems.append(Problem("missing entry", alone[0], f"{len(alone)} faces are on neither list, train nor test"))
    return Annotations({"split": pa.array([parts.get(face) for face in ids], pa.string())} if parts else {}, problems)


def _listed(path: Path) -> list[str]:
    """The numbers in a pickled list of text. Raises ValueError for anything else."""
    names = load_pickle(path)
    if not isinstance(names, list) or not all(isinstance(name, str) and name.isdecimal() for name in names):
        raise ValueError(f"expected a list of numbers as text, got {names!r:.60}")
    return [str(int(name)) for name in names]


def celeba_columns(home: Path, ids: Sequence[str]) -> Annotations:
    """celeba_attributes [40] of -1 and 1, celeba (index in CelebA) and partition (MaskGAN's), from its lists."""
    columns: dict[str, pa.Array] = {}
    try:
        if path := next((home / name for name in ATTRIBUTES if (home / name).is_file()), None):
            columns["celeba_attributes"] = _attributes(celeba.read_attributes(path), ids)
        if (home / MAPPING).is_file():
            images = celeba.read_mapping(home / MAPPING)
            found = [images.get(int(face)) for face in ids]
            parts = [None if index is None else celeba.partition(index) for index in found]
            columns |= {"celeba": pa.array(found, pa.int32()), "partition": pa.array(parts, pa.string())}
    except ValueError as error:
        return Annotations(columns, [Problem("malformed file", home.name, str(error))])
    return Annotations(columns, [])


def _attributes(table: celeba.Attributes, ids: Sequence[str]) -> pa.Array:
    rows = {name: row for row, name in enumerate(table.ids)}
    places = np.array([rows.get(face, -1) for face in ids])
    values = np.append(table.values, np.zeros((1, table.values.shape[1]), np.int8), axis=0)[places]
    size = table.values.shape[1]
    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), size, mask=pa.array(places < 0))
