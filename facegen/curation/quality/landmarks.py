"""The stage that finds the faces of a picture and the 68 landmarks of the one that it is about."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa

from facegen.curation.columns import Group, Making
from facegen.curation.faces import implausible, vector
from facegen.curation.models import FaceModels, Pixels, loaded
from facegen.curation.photographs import PLACE, read_photograph
from facegen.curation.stages import REASON, Row, Stage
from facegen.data import table

BOXES, LANDMARKS = "face_boxes", "landmarks68"
_SEARCHED = 512  # pixels: larger pictures are searched reduced; faces below a tenth of them are nobody
_GIVEN = ("landmarks", "landmarks110")  # columns of datasets that begin with the 68 landmarks, pixels of the picture


def landmarks_group(models: FaceModels) -> Group:
    """`landmarks68`, pixels, y down: those that came with the dataset, else as the model finds them in the largest box.

    `face_boxes`: left, upper, right, lower of all faces that a detector finds, the largest one first; null where the
    landmarks came with the dataset, as nothing is looked for then.
    """
    return Group("landmarks", partial(_landmarks_stage, models), terms=models.terms)


def side(box: Sequence[float]) -> float:
    """The longer side of a box (left, upper, right, lower)."""
    return max(box[2] - box[0], box[3] - box[1])


def _landmarks_stage(models: FaceModels, making: Making) -> Stage:
    given = next((name for name in _GIVEN if name in table.schema(making.table).names), None)
    schema = pa.schema([(BOXES, pa.list_(vector(4))), (LANDMARKS, vector(136))])
    settings, context = {"model": models.name, "given": given}, {"models": models, "base": str(making.base)}
    return Stage("landmarks68", 1, _landmarks, (*PLACE, *((given,) if given else ())), schema, settings, context, 16)


def _landmarks(row: Row, model: str, given: str | None, models: FaceModels, base: str) -> Row:
    if given and row[given] is not None and len(row[given]) >= 136 and np.isfinite(row[given][:136]).all():
        return {LANDMARKS: row[given][:136]}
    picture = read_photograph(row, base)
    boxes = _boxes(models, *picture)
    if not boxes:
        return {BOXES: [], REASON: "no face"}
    left, upper, right, lower = boxes[0]
    try:
        points = loaded(models).landmarks(*picture, (left, upper, right, lower))
    except ValueError as error:
        return {BOXES: boxes, REASON: f"no landmarks: {error}"}
    if reason := implausible(points, boxes[0], picture.pixels.shape[1::-1]):
        return {BOXES: boxes, REASON: f"landmarks implausible: {reason}"}
    return {BOXES: boxes, LANDMARKS: points.ravel().tolist()}


def _boxes(models: FaceModels, pixels: Pixels, path: Path) -> list[list[float]]:
    scale = min(1.0, _SEARCHED / max(pixels.shape[:2]))
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    searched = pixels if scale == 1 else np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    found = loaded(models).detect(searched, path)
    return sorted(([edge / scale for edge in face.box] for face in found), key=side, reverse=True)
