"""Stages that measure the picture of a face: how clean and sharp it is, what hides the face, where it looks."""

from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import torch
from PIL import Image

from facegen.curation.columns import Group, Making
from facegen.curation.faces import photometry
from facegen.curation.models import Landmarks, Pixels
from facegen.curation.photographs import PLACE, read_photograph
from facegen.curation.quality.aligned import align
from facegen.curation.quality.estimator import VERSION as QUALITY_VERSION
from facegen.curation.quality.estimator import judge
from facegen.curation.quality.faces import face_square
from facegen.curation.quality.landmarks import BOXES, LANDMARKS, side
from facegen.curation.quality.neighbours import VERSION as NEIGHBOURS_VERSION
from facegen.curation.quality.neighbours import find_neighbours
from facegen.curation.quality.occlusion import VERSION as OCCLUSION_VERSION
from facegen.curation.quality.occlusion import hidden, share_hidden
from facegen.curation.quality.poses import outside, yaw_degrees
from facegen.curation.quality.wearing import worn
from facegen.curation.stages import Rejection, Row, Stage
from facegen.data import table

PARSING = "parsing"
ENLARGED = (
    0.42  # pixels of blur for each pixel that a picture had before it was enlarged (experiments/curation/quality.md)
)
_QUALITY = ("quality", "blur", "detail", "chroma", "sharpness", "brightness", "contrast", "clipped")
_HIDDEN = ("second_face", "occlusion", "outside", "head_yaw_degrees", "hat_area", "dark_glasses")


def quality_group() -> Group:
    """Numbers about the square around a face, or around the middle of a picture without landmarks.

    `quality`: 0 to 1, 1 clean. `blur`: sigma in pixels of the picture. `detail`: pixels across the square if it were
    reduced until it is sharp. `chroma`: mean distance of CIE a*, b* from the mean colour, 0 for grey. And `sharpness`,
    `brightness`, `contrast` and `clipped` as `facegen data curate` has them; null without landmarks.
    """
    return Group("quality", _quality_stage)


def _quality_stage(making: Making) -> Stage:
    reads = (*PLACE, LANDMARKS)
    settings, context = {"version": QUALITY_VERSION}, {"base": str(making.base)}
    return Stage("face_quality", 1, _quality, reads, _floats(_QUALITY), settings, context, chunk=32)


def _quality(row: Row, version: int, base: str) -> Row:
    cv2.setNumThreads(1)  # the processes share the work
    pixels, points = read_photograph(row, base).pixels, _points(row)
    face = face_square(pixels, points)
    judged = judge(face.pixels)
    blur = judged.blur * face.scale
    lab = cv2.cvtColor(face.pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[..., 1:].reshape(-1, 2)
    columns = {"quality": judged.quality, "blur": blur, "detail": face.side / max(1.0, blur / ENLARGED)}
    columns["chroma"] = float(np.linalg.norm(lab - lab.mean(axis=0), axis=1).mean())
    return columns if points is None else {**columns, **photometry(pixels, points)}


def occlusion_group() -> Group:
    """Who else is seen, and what hides the face: from boxes, landmarks and, where the table has it, the mask `parsing`.

    `faces`: how many are seen. `second_face`: side of the largest other one over that of the face, 0 where there is
    none. `occlusion`: share of the face that something hides, 0 to 1. `outside`: share of the square about the face
    that is not in the picture. `head_yaw_degrees`: how far the head is turned, from five landmarks. `hat_area` (over
    the area of the face) and `dark_glasses` (0 to 1). Without landmarks all but the first two are null, without a mask
    the last two.
    """
    return Group("occlusion", _occlusion_stage)


def _occlusion_stage(making: Making) -> Stage:
    parsing = PARSING in table.schema(making.table).names
    reads = (*PLACE, BOXES, LANDMARKS, *((PARSING,) if parsing else ()))
    settings = {"versions": [OCCLUSION_VERSION, NEIGHBOURS_VERSION], "parsing": parsing}
    schema = pa.schema([("faces", pa.int32()), *_floats(_HIDDEN)])
    return Stage("occlusion", 1, _occlusion, reads, schema, settings, {"base": str(making.base)}, chunk=32)


def _occlusion(row: Row, versions: list[int], parsing: bool, base: str) -> Row:
    cv2.setNumThreads(1)
    if torch.get_num_threads() > 1:
        torch.set_num_threads(1)
    points, seen = _points(row), _detected(row[BOXES] or [])
    if points is None and row[BOXES] is None:
        raise Rejection("no landmarks", "its faces were not found or not looked for")
    if points is None:
        return seen
    pixels = read_photograph(row, base).pixels
    found = find_neighbours(pixels, points)
    seen["faces"] = max(seen["faces"], 1 + found.others)
    seen["second_face"] = max(seen["second_face"], found.largest)
    return {**seen, **_hidden(pixels, points, row[PARSING] if parsing else None, base)}


def _detected(boxes: list[list[float]]) -> Row:
    second = side(boxes[1]) / side(boxes[0]) if len(boxes) > 1 else 0.0
    return {"faces": len(boxes), "second_face": second}


def _hidden(pixels: Pixels, points: Landmarks, mask: str | None, base: str) -> Row:
    face = align(pixels, points)
    columns = {"occlusion": share_hidden(hidden([face])[0], face), "head_yaw_degrees": yaw_degrees(points)}
    columns["outside"] = outside(points, pixels.shape[1], pixels.shape[0])
    if mask is None:
        return columns
    with Image.open(Path(base) / mask) as picture:
        seen = worn(np.asarray(picture), pixels, points)
    return {**columns, "hat_area": seen.hat, "dark_glasses": seen.dark_glasses}


def _points(row: Row) -> Landmarks | None:
    return None if row[LANDMARKS] is None else np.reshape(row[LANDMARKS], (68, 2)).astype(np.float64)


def _floats(names: tuple[str, ...]) -> pa.Schema:
    return pa.schema([(name, pa.float32()) for name in names])
