"""The photographs that quality is fitted to and judged on, and their landmarks as dlib finds them."""

import csv
from pathlib import Path

import cv2
import numpy as np

from facegen.curation.models import loaded, named_models


def found_landmarks(faces: Path, kept: Path) -> dict[str, np.ndarray]:
    """The 68 landmarks of the largest face of each picture of a folder with index.csv, by path; found once."""
    if not kept.exists():
        with (faces / "index.csv").open() as file:
            paths = [row["path"] for row in csv.DictReader(file)]
        found = {path: points for path in paths if (points := _landmarks(faces / path)) is not None}
        np.savez(kept, **found)
    with np.load(kept) as arrays:
        return {path: arrays[path] for path in arrays.files}


def _landmarks(path: Path) -> np.ndarray | None:
    models, pixels = loaded(named_models("dlib", None)), cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    boxes = [face.box for face in models.detect(pixels, path)]
    return models.landmarks(pixels, path, max(boxes, key=lambda box: box[2] - box[0])) if boxes else None
