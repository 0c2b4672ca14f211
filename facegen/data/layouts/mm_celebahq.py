"""Multi-Modal-CelebA-HQ (Xia et al., CVPR 2021): CelebA-HQ at 512 pixels with masks, sketches and captions.

https://github.com/IIGROUP/MM-CelebA-HQ-Dataset names the folders image, label, sketch, text, train and test; archives
unpack to other names in places, so the usual ones are known too. Masks are CelebAMask-HQ's ids. Coefficients and
renders of 29,437 faces come as with the cleaned CelebA-HQ (`deep3d_files`). CelebAMask-HQ's attributes and its mapping
to CelebA are read where they lie beside them (`mm_celebahq_lists`).
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from facegen.data.captions import CAPTIONS_PER_IMAGE
from facegen.data.layouts import deep3d_files
from facegen.data.layouts import mm_celebahq_lists as lists
from facegen.data.layouts.beside import unexpected_files
from facegen.data.layouts.layout import Annotations, Layout, Place, Terms
from facegen.data.layouts.per_face import Files, match, path_column, read_all
from facegen.data.layouts.small_files import check_mask
from facegen.data.problems import Problem

PUBLISHED = 30_000
IMAGES = ("image", "images", "CelebA-HQ-img")
MASKS = ("label", "labels", "mask", "masks", "CelebAMask-HQ-mask")
SKETCHES = ("sketch", "sketches", "celeba_sketch")
CAPTIONS = ("text", "celeba-caption", "celeba_caption")
INNER = ("images", "celeba-caption")  # folders that archives put inside `image` and `text`
MASK_PARTS = "CelebAMask-HQ-mask-anno"
TERMS = Terms(
    "Multi-Modal-CelebA-HQ (Xia et al., CVPR 2021)",
    "non-commercial research and education only, as CelebAMask-HQ; not to be passed on",
    "https://github.com/IIGROUP/MM-CelebA-HQ-Dataset",
)
_SHIPPED = (
    *(name for names in (IMAGES, MASKS, SKETCHES, CAPTIONS, tuple(lists.SPLITS)) for name in names),
    *("CelebAMask-HQ-*", "captions.pickle", "class_info.pickle", "rmebg*", "inverted_code"),
    *lists.ATTRIBUTES,
    lists.MAPPING,
    *deep3d_files.FOLDERS,
)
_MOST_BYTES = 1 << 16  # of a file of captions: published ones have two thousand


def locate(path: Path) -> Place | None:
    """A folder with images and captions or one of the two lists, or its folder of images."""
    for home in (path, path.parent, path.parent.parent):
        images = _first(home, IMAGES)
        if images.is_dir() and path in (home, images, images.parent) and _ships(home):
            return Place(images, home)
    return None


def face_id(name: str) -> str | None:
    """The plain number of CelebA-HQ's face, which is also that of its other files."""
    return _numbered(name, "jpg|jpeg|png")


def annotate(place: Place, ids: Sequence[str]) -> Annotations:
    """captions (list of text), mask (CelebAMask ids), sketch and render (paths), split, coefficients, pose, landmarks.

    And CelebA's attributes, index and partition, where CelebAMask-HQ's lists are there.
    """
    columns: dict[str, pa.Array] = {}
    problems: list[Problem] = []
    captions = _files(place.home, CAPTIONS, "txt", ids)
    if captions.paths is not None:
        found, malformed = read_all(captions.paths, read_captions, "captions")
        columns["captions"] = pa.array([found.get(row) for row in range(len(ids))], pa.list_(pa.string()))
        problems += malformed
    masks, sketches = _files(place.home, MASKS, "png", ids), _files(place.home, SKETCHES, "jpg|png", ids)
    for name, files in (("mask", masks), ("sketch", sketches)):
        if files.paths is not None:
            columns[name] = path_column(place, files.paths, len(ids))
    problems += [*captions.problems, *masks.problems, *sketches.problems, *_unmerged(place.home, masks)]
    for found in (
        lists.splits(place.home, ids, TERMS),
        lists.celeba_columns(place.home, ids),
        deep3d_files.annotate(place, ids, "celebahq", TERMS),
        Annotations({}, unexpected_files(place.home, _SHIPPED, TERMS)),
    ):
        columns, problems = columns | found.columns, problems + found.problems
    return Annotations(columns, problems)


def read_captions(path: Path) -> list[str]:
    """The captions of a face, one in a line. Raises ValueError for a file that is no text, or has none."""
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError(f"{path.stat().st_size} bytes, expected {CAPTIONS_PER_IMAGE} lines of text")
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").split("\n")]
    except UnicodeDecodeError as error:
        raise ValueError(f"not text in UTF-8 (byte {error.start}); download it again") from error
    if not (captions := [line for line in lines if line]):
        raise ValueError(f"no captions, expected {CAPTIONS_PER_IMAGE}, one in a line; download it again")
    return captions


def inspect(place: Place, ids: Sequence[str]) -> Iterator[Problem]:
    """Files without exactly ten captions, and masks that are not pictures of CelebAMask's ids."""
    captions = _files(place.home, CAPTIONS, "txt", ids).paths or {}
    for row, lines in read_all(captions, read_captions, "captions")[0].items():
        if len(lines) != CAPTIONS_PER_IMAGE:
            name = f"{captions[row].parent.name}/{captions[row].name}"
            yield Problem("number of captions", name, f"{len(lines)} captions, expected {CAPTIONS_PER_IMAGE}")
    yield from read_all(_files(place.home, MASKS, "png", ids).paths or {}, check_mask, "masks")[1]


def metadata(place: Place) -> list[Path]:
    """Everything beside the images that `annotate` reads."""
    folders = [_first(place.home, names) for names in (MASKS, SKETCHES, CAPTIONS)]
    return [*folders, *lists.files(place.home), *deep3d_files.folders(place.home)]


def _ships(home: Path) -> bool:
    return any((home / name).exists() for name in (*CAPTIONS, *lists.SPLITS.values()))


def _first(home: Path, names: Sequence[str]) -> Path:
    """The first of these folders that there is, or what an archive put inside it; the first name where none is."""
    folder = next((home / name for name in names if (home / name).is_dir()), home / names[0])
    return next((folder / name for name in INNER if (folder / name).is_dir()), folder)


def _files(home: Path, names: Sequence[str], suffixes: str, ids: Sequence[str]) -> Files:
    return match(_first(home, names), lambda name: _numbered(name, suffixes), ids, TERMS)


def _numbered(name: str, suffixes: str) -> str | None:
    """The face of a file: 42 for 42.png and 00042.png, and for 42_edges.jpg, as the published sketch script says."""
    found = re.fullmatch(rf"(\d{{1,5}})(?:_edges)?\.(?:{suffixes})", name)
    return str(int(found[1])) if found and int(found[1]) < PUBLISHED else None


def _unmerged(home: Path, masks: Files) -> list[Problem]:
    """What to do where masks are there, but as CelebAMask-HQ ships them."""
    if masks.paths is not None or not (home / MASK_PARTS).is_dir():
        return []
    detail = f"one file for each part; facegen.data.mask_parts.merge_folder makes masks of them, for {home / MASKS[0]}"
    return [Problem("masks in parts", MASK_PARTS, detail)]


MM_CELEBAHQ = Layout(
    "mm_celebahq", TERMS, locate, PUBLISHED, face_id, labels=lambda place, names, dataset_json: None,
    annotate=annotate, inspect=inspect, metadata=metadata,
)  # fmt: skip
