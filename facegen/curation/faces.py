"""The stages of one photograph or face: found, landmarks, quality. Pure functions of a row."""

import hashlib
from collections.abc import Sequence

import cv2
import numpy as np
import pyarrow as pa
from jaxtyping import UInt8

from facegen.curation.models import FaceModels, Landmarks, loaded
from facegen.curation.photographs import PLACE, decoded, read_bytes, read_photograph
from facegen.curation.stages import Rejection, Row, Stage
from facegen.geometry.alignment import five_points

QUALITY_SIZE = 192  # pixels: quality is measured on the face at this size, so that photographs compare
_MARGIN = 0.15  # around the landmarks, of their extent
_MOST_OUTSIDE = 10  # of 68 landmarks beyond the photograph's edge
_EYES_TO_MOUTH = (0.1, 3.0)  # distance of the eyes over distance from eyes to mouth, for any head people have
_EXTENT_TO_BOX = (0.4, 2.5)  # extent of the landmarks over the detector's box
_DARK, _BRIGHT = 8, 247  # grey levels without detail


def vector(length: int) -> pa.DataType:
    """Type of a column of `length` float32 numbers."""
    return pa.list_(pa.float32(), length)


def detect_stage(models: FaceModels, root: str) -> Stage:
    """Faces of a photograph, from the left."""
    schema = pa.schema(
        [
            ("width", pa.int32()),
            ("height", pa.int32()),
            ("sha256", pa.string()),
            ("detector", pa.string()),
            ("boxes", pa.list_(vector(4))),
            ("scores", pa.list_(pa.float32())),
        ]
    )
    settings, context = {"model": models.name}, {"models": models, "root": root}
    return Stage("detect", 1, _detect, PLACE, schema, settings, context)


def _detect(row: Row, model: str, models: FaceModels, root: str) -> Row:
    data, path = read_bytes(row, root)
    pixels = decoded(data)
    found = sorted(loaded(models).detect(pixels, path))
    columns = {"width": pixels.shape[1], "height": pixels.shape[0], "sha256": hashlib.sha256(data).hexdigest()}
    columns |= {
        "detector": model,
        "boxes": [list(face.box) for face in found],
        "scores": [face.score for face in found],
    }
    return columns if found else {**columns, "reason": "no face"}


def landmarks_stage(models: FaceModels, root: str) -> Stage:
    """The 68 landmarks of a face, in pixels of the photograph."""
    schema = pa.schema([("landmarks68", vector(136))])
    settings, context = {"model": models.name}, {"models": models, "root": root}
    return Stage("landmarks", 1, _landmarks, (*PLACE, "box"), schema, settings, context)


def _landmarks(row: Row, model: str, models: FaceModels, root: str) -> Row:
    photograph = read_photograph(row, root)
    try:
        points = loaded(models).landmarks(*photograph, tuple(row["box"]))
    except ValueError as error:
        raise Rejection("no landmarks", str(error)) from error
    columns = {"landmarks68": points.ravel().tolist()}
    height, width = photograph.pixels.shape[:2]
    reason = implausible(points, row["box"], (width, height))
    return {**columns, "reason": f"landmarks implausible: {reason}"} if reason else columns


def implausible(points: Landmarks, box: Sequence[float] | None, size: tuple[int, int]) -> str | None:
    """Why these can be no landmarks of a face, in this box if one is known, of a picture (width, height), or None."""
    outside = int(((points < 0) | (points > np.array(size))).any(axis=1).sum())
    if outside > _MOST_OUTSIDE:
        return f"{outside} of 68 outside the photograph"
    five = five_points(points)
    eyes, mouth = five[:2].mean(axis=0), five[3:].mean(axis=0)
    ratio = np.linalg.norm(five[1] - five[0]) / max(float(np.linalg.norm(mouth - eyes)), 1e-9)
    if not _EYES_TO_MOUTH[0] <= ratio <= _EYES_TO_MOUTH[1]:
        return f"eyes {ratio:.2f} times as far apart as the mouth is below them"
    extent = 1.0 if box is None else np.ptp(points, axis=0).max() / max(box[2] - box[0], box[3] - box[1])
    if not _EXTENT_TO_BOX[0] <= extent <= _EXTENT_TO_BOX[1]:
        return f"{extent:.2f} times as large as the detected box"
    return None


def quality_stage(root: str) -> Stage:
    """Numbers about the picture of a face, on grey levels from 0 to 1."""
    names = ("sharpness", "brightness", "contrast", "clipped")
    schema = pa.schema([(name, pa.float32()) for name in names])
    return Stage("quality", 1, _quality, (*PLACE, "landmarks68"), schema, context={"root": root})


def _quality(row: Row, root: str) -> Row:
    return photometry(read_photograph(row, root).pixels, np.reshape(row["landmarks68"], (68, 2)))


def photometry(pixels: UInt8[np.ndarray, "height width 3"], points: Landmarks) -> Row:
    """`sharpness` (variance of the Laplacian), `brightness`, `contrast` and `clipped` of a face with 68 landmarks."""
    grey = face_grey(pixels, points)
    return {
        "sharpness": float(cv2.Laplacian(grey, cv2.CV_64F).var()),
        "brightness": float(grey.mean() / 255),
        "contrast": float(grey.std() / 255),
        "clipped": float(((grey < _DARK) | (grey > _BRIGHT)).mean()),
    }


def face_grey(pixels: UInt8[np.ndarray, "height width 3"], points: Landmarks) -> UInt8[np.ndarray, "size size"]:
    """The square around the landmarks, as far as the photograph reaches, grey and at a size that all faces share."""
    centre = (points.min(axis=0) + points.max(axis=0)) / 2
    half = np.ptp(points, axis=0).max() * (0.5 + _MARGIN)
    left, upper = np.maximum(np.floor(centre - half), 0).astype(int)
    right, lower = np.ceil(centre + half).astype(int)
    cut = np.ascontiguousarray(pixels[upper:lower, left:right])
    if not cut.size:
        raise Rejection("landmarks implausible", "outside the photograph")
    method = cv2.INTER_AREA if max(cut.shape[:2]) > QUALITY_SIZE else cv2.INTER_CUBIC
    grey = cv2.cvtColor(cut, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, (QUALITY_SIZE, QUALITY_SIZE), interpolation=method), dtype=np.uint8)
