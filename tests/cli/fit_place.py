"""A folder of synthetic faces with a table of their landmarks, and a coarse morphable model."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from PIL import Image

from facegen.data import table
from facegen.data.index import build_index
from facegen.data.synthetic.faces import Settings, make_face
from facegen.morphable.procedural import load_head
from tests.curation.conftest import DETAIL, write_coarse_model

SIDE, COUNT = 128, 4


class Place(NamedTuple):
    """Where the faces and the model lie, and the true labels of the faces."""

    faces: Path
    model: Path
    labels: np.ndarray


def make_place(root: Path) -> Place:
    """Make them: `face0.png` to `face3.png`; face2's landmarks are not finite."""
    faces = root / "faces"
    faces.mkdir(parents=True)
    made = [make_face(load_head(root / "cache", DETAIL), Settings(3, SIDE, "ffhq", DETAIL), n) for n in range(COUNT)]
    for number, face in enumerate(made):
        Image.fromarray(face.picture.image).save(faces / f"face{number}.png")
    points = np.stack([face.picture.landmarks.astype(np.float32) for face in made])
    points[2, 5] = np.nan
    indexed = build_index(faces)
    column = pa.FixedSizeListArray.from_arrays(pa.array(points.ravel(), pa.float32()), 136)
    table.set_columns(indexed.path, pa.table({"id": [f"face{n}" for n in range(COUNT)], "landmarks": column}))
    model = write_coarse_model(root / "cache", root / "head.safetensors")
    return Place(faces, model, np.stack([face.label for face in made]))
