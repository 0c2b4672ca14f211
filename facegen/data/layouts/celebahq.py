"""CelebA-HQ (Karras et al. 2018): a folder of 30,000 images, by number.

It is published as differences to CelebA (https://github.com/tkarras/progressive_growing_of_gans); as images it comes
with CelebAMask-HQ (https://github.com/switchablenorms/CelebAMask-HQ: CelebA-HQ-img/0.jpg to 29999.jpg, which is how
the list of excluded images writes them), and elsewhere with five or six digits. Images are told by their number.
"""

import os
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from facegen.data.labels import LABELS_FILE
from facegen.data.layouts import deep3d_files
from facegen.data.layouts.beside import unexpected_files
from facegen.data.layouts.layout import Annotations, Layout, Place, Terms

PUBLISHED = 30_000
IMAGES = "CelebA-HQ-img"
FACE = re.compile(r"(\d{1,6})\.(?:jpg|jpeg|png)")
TERMS = Terms(
    "CelebA-HQ (Karras et al., ICLR 2018)",
    "non-commercial research and education only, as CelebA; not to be passed on",
    "https://github.com/switchablenorms/CelebAMask-HQ",
)
_NAMED = re.compile(r"celeba(?:mask)?[-_ ]?hq", re.IGNORECASE)
_SHIPPED = (IMAGES, "images", "CelebAMask-HQ-*", "CelebA-HQ-to-CelebA-mapping.txt", *deep3d_files.FOLDERS)
_MULTI_MODAL = ("text", "celeba-caption", "celeba_caption", "train/filenames.pickle", "test/filenames.pickle")
_LOOKED_AT = 20  # names in a folder


def locate(path: Path) -> Place | None:
    """CelebAMask-HQ's folder, or one that holds the images, directly or in `images`.

    With captions beside them they are Multi-Modal-CelebA-HQ, whose layout knows all that this one does.
    """
    home = path.parent if path.name == IMAGES else path
    if not path.is_dir() or any((home / name).exists() for name in _MULTI_MODAL):
        return None
    if (home / IMAGES).is_dir():
        return Place(home / IMAGES, home)
    return next((Place(images, path) for images in (path, path / "images") if _holds_faces(images)), None)


def is_celebahq(path: Path) -> bool:
    """Whether a name says so; numbers alone are anybody's."""
    return path.name == IMAGES or (path / IMAGES).is_dir() or bool(_NAMED.search(path.name))


def face_id(name: str) -> str | None:
    """The plain number: 42 for 42.jpg, 00042.png and 000042.jpg."""
    match = FACE.fullmatch(name)
    return str(int(match[1])) if match and int(match[1]) < PUBLISHED else None


def annotate(place: Place, ids: Sequence[str]) -> Annotations:
    """The reconstructions of the cleaned dataset, where they are there."""
    columns, problems = deep3d_files.annotate(place, ids, "celebahq", TERMS)
    odd = unexpected_files(place.home, _SHIPPED, TERMS) if place.home != place.images else []
    return Annotations(columns, [*problems, *odd])


def metadata(place: Place) -> list[Path]:
    """The folders of the reconstructions."""
    return deep3d_files.folders(place.home)


def _holds_faces(folder: Path) -> bool:
    if not folder.is_dir() or (folder / LABELS_FILE).is_file():  # with labels it is a plain folder
        return False
    with os.scandir(folder) as entries:
        return any(face_id(entry.name) for entry in islice(entries, _LOOKED_AT))


CELEBAHQ = Layout("celebahq", TERMS, locate, PUBLISHED, face_id, annotate=annotate, metadata=metadata, sure=is_celebahq)
