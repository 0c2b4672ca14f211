"""SFHQ (Beniaguev 2022): synthetic faces in four parts, with landmarks, segmentations and CLIP features.

Each part is a source of its own. https://github.com/SelfishGene/SFHQ-dataset describes the files: below `SFHQ_part1`
to `SFHQ_part4` the folders images, landmarks, segmentations and pretrained_features have one file for each face, all
of the same name. Landmarks are 110 points (x, y) in pixels of the 1024 image: the usual 68, and hairlines; the order of
the other 42 is documented nowhere. They and the segmentations were found at 256 pixels and scaled up.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Float

from facegen.checkpoint.safe_pickle import load_pickle
from facegen.data.layouts import sfhq_t2i
from facegen.data.layouts.beside import unexpected_files, vectors
from facegen.data.layouts.layout import Annotations, Layout, Place, Terms
from facegen.data.layouts.per_face import match, path_column, read_all
from facegen.data.layouts.small_files import check_mask, npz_array, numbers
from facegen.data.problems import Problem


class Part(NamedTuple):
    """A part as published: its number, how many images it has, what they were made from."""

    number: int
    images: int
    inspiration: tuple[str, ...]


PARTS = (
    Part(1, 89_785, ("AAHQ", "Close-Up Humans", "UIBVFED")),
    Part(2, 91_361, ("Face Synthetics", "Stable Diffusion v1.4")),
    Part(3, 118_358, ("StyleGAN2 mapping samples with psi>1, pulled to the e4e inversion",)),
    Part(4, 125_754, ("Stable Diffusion v2.1",)),
)
PART_NAME = "SFHQ_part"
IMAGE_SIZE, ANNOTATED_AT = 1024, 256
NUM_LANDMARKS = 110
CLIP_MODEL, CLIP_SIZE = "ViT-L/14@336px", 768
FEATURES = "CLIP_ViTL_14@336"  # its key in the files of features
LANDMARKS, SEGMENTATIONS, PRETRAINED = "landmarks", "segmentations", "pretrained_features"
IMAGES = "images"
SAMPLE = re.compile(r"(?:a )?(?:tiny|small) sample \(\d+ images\)")  # folders of some of a part's images
TERMS = Terms(
    "SFHQ (Beniaguev, 2022)",
    "MIT; synthetic faces, made with the help of other datasets and generators (see its README)",
    "https://github.com/SelfishGene/SFHQ-dataset",
)
_LOOKED_AT = 20  # names in a folder
_SHIPPED = (IMAGES, LANDMARKS, SEGMENTATIONS, PRETRAINED, "*sample (* images)", sfhq_t2i.TABLE)


def locate(path: Path) -> Place | None:
    """A part's folder of whatever name, its `images`, or one of its folders of sample images."""
    if not path.is_dir():
        return None
    if (path / IMAGES).is_dir() and _ships(path):
        return Place(path / IMAGES, path)
    if (path.name == IMAGES or SAMPLE.fullmatch(path.name)) and _ships(path.parent):
        return Place(path, path.parent)
    return None


def face_id(name: str) -> str | None:
    """The name without its suffix, which is also that of the face's other files."""
    match = re.fullmatch(r"([^/]+)\.(?:jpg|jpeg|png)", name)
    return match[1] if match else None


def annotate(place: Place, ids: Sequence[str]) -> Annotations:
    """landmarks110 [220], segmentation (path; face-parsing ids) and clip [768], and what SFHQ-T2I's table says."""
    columns: dict[str, pa.Array] = {}
    problems: list[Problem] = []
    if (place.home / sfhq_t2i.TABLE).exists():
        columns, problems = sfhq_t2i.annotate(place.home / sfhq_t2i.TABLE, ids)
        if not any((place.home / folder).is_dir() for folder in (LANDMARKS, SEGMENTATIONS, PRETRAINED)):
            return Annotations(columns, problems)
    whole = place.images.name == IMAGES
    readers = {
        "landmarks110": (LANDMARKS, "npz", read_landmarks, NUM_LANDMARKS * 2),
        "clip": (PRETRAINED, "pickle", read_clip, CLIP_SIZE),
    }
    for name, (folder, suffix, read, size) in readers.items():
        files = match(place.home / folder, _named(suffix), ids, TERMS, whole)
        problems += files.problems
        if files.paths is not None:
            found, malformed = read_all(files.paths, read, folder)
            columns[name], problems = vectors(found, len(ids), size), problems + malformed
    files = match(place.home / SEGMENTATIONS, _named("png"), ids, TERMS, whole)
    if files.paths is not None:
        columns["segmentation"] = path_column(place, files.paths, len(ids))
    return Annotations(columns, [*problems, *files.problems, *unexpected_files(place.home, _SHIPPED, TERMS)])


def read_landmarks(path: Path) -> Float[np.ndarray, "110 2"]:
    """The points of a face in pixels of the 1024 image, y down. Raises ValueError for anything else."""
    points = numbers(npz_array(path, "landmarks"), [(NUM_LANDMARKS, 2)], "landmarks")
    if points.max() <= ANNOTATED_AT:
        raise ValueError(f"landmarks up to {points.max():g}: pixels at {ANNOTATED_AT}; expected them at {IMAGE_SIZE}")
    return points


def read_clip(path: Path) -> Float[np.ndarray, " 768"]:
    """The features of CLIP ViT-L/14 at 336 pixels, not scaled to length 1. Raises ValueError for anything else."""
    content = load_pickle(path)
    if not isinstance(content, dict) or FEATURES not in content:
        raise ValueError(f"no features {FEATURES!r} (of CLIP {CLIP_MODEL}); download the file again")
    return numbers(content[FEATURES], [(1, CLIP_SIZE), (CLIP_SIZE,)], FEATURES)


def inspect(place: Place, ids: Sequence[str]) -> Iterator[Problem]:
    """Segmentations that are not pictures of face-parsing ids."""
    files = match(place.home / SEGMENTATIONS, _named("png"), ids, TERMS)
    yield from read_all(files.paths or {}, check_mask, SEGMENTATIONS)[1]


def metadata(place: Place) -> list[Path]:
    """The folders beside the images, and SFHQ-T2I's table."""
    return [place.home / name for name in (LANDMARKS, SEGMENTATIONS, PRETRAINED, sfhq_t2i.TABLE)]


def _ships(home: Path) -> bool:
    if (home / sfhq_t2i.TABLE).is_file() or any((home / name).is_dir() for name in (SEGMENTATIONS, PRETRAINED)):
        return True
    if not (home / LANDMARKS).is_dir():
        return False
    with os.scandir(home / LANDMARKS) as entries:
        return any(entry.name.endswith(".npz") for entry in islice(entries, _LOOKED_AT))


def _named(suffix: str) -> Callable[[str], str | None]:
    return lambda name: name.removesuffix(f".{suffix}") if name.endswith(f".{suffix}") else None


SFHQ = Layout(
    "sfhq", TERMS, locate, face_id=face_id, labels=lambda place, names, dataset_json: None,
    annotate=annotate, inspect=inspect, metadata=metadata,
)  # fmt: skip
