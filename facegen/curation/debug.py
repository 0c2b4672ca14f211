"""One picture a face for people: the photograph with box and landmarks, and the crop with what its camera means."""

import textwrap
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from facegen.checkpoint import atomic_write
from facegen.curation.frames import face_frames
from facegen.curation.photographs import PLACE, read_photograph
from facegen.curation.stages import Row, Stage
from facegen.geometry.alignment_similarity import EG3D_OUTPUT
from facegen.geometry.constants import RADIUS
from facegen.geometry.overlay import LANDMARKS, draw_overlay

PANEL = EG3D_OUTPUT  # both halves are squares of this side
_BOX, _REASON = (255, 60, 60), (255, 140, 140)
_JPEG_QUALITY = 88
_LINE = 60  # characters
_READS = (
    *("id", *PLACE, "box", "score", "landmarks68", "rejected"),
    *("camera", "camera_distance", "model_landmarks", "yaw_degrees", "pitch_degrees", "reprojection_error"),
)


def debug_path(out: Path, face: str) -> Path:
    """Where the picture of a face lies."""
    return out / "debug" / f"{face}.jpg"


def debug_stage(root: str, out: str) -> Stage:
    """Write the debug picture of a face."""
    return Stage("debug", 2, _debug, _READS, pa.schema([]), context={"root": root, "out": out})


def _debug(row: Row, root: str, out: str) -> Row:
    pixels = read_photograph(row, root).pixels
    panels = [_photograph_panel(pixels, row), _crop_panel(pixels, row)]
    with atomic_write(debug_path(Path(out), row["id"])) as temporary:
        Image.fromarray(np.concatenate(panels, axis=1)).save(temporary, format="JPEG", quality=_JPEG_QUALITY)
    return {}


def _photograph_panel(pixels: UInt8[np.ndarray, "h w 3"], row: Row) -> UInt8[np.ndarray, "size size 3"]:
    """The whole photograph, reduced, with box, landmarks, and why the face was left out."""
    height, width = pixels.shape[:2]
    scale = PANEL / max(height, width)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    picture = Image.new("RGB", (PANEL, PANEL))
    picture.paste(Image.fromarray(np.asarray(small)))
    canvas = ImageDraw.Draw(picture)
    canvas.rectangle([edge * scale for edge in row["box"]], outline=_BOX, width=2)
    for x, y in np.reshape(row["landmarks68"] or [], (-1, 2)) * scale:
        canvas.ellipse([x - 1, y - 1, x + 1, y + 1], fill=LANDMARKS)
    _text(canvas, f"{row['id']}  score {row['score']:.2f}", 6, "white")
    _text(canvas, row["rejected"] or "", 28, _REASON)
    return np.asarray(picture)


def _crop_panel(pixels: UInt8[np.ndarray, "h w 3"], row: Row) -> UInt8[np.ndarray, "size size 3"]:
    """The EG3D crop with the camera's axes, the landmarks (yellow) and those of the fitted head (cyan).

    The head is drawn from where the camera was found, before it was put on the sphere: that is what the landmarks say.
    """
    if row["camera"] is None:
        picture = Image.new("RGB", (PANEL, PANEL))
        _text(ImageDraw.Draw(picture), row["rejected"] or "no camera", 6, _REASON)
        return np.asarray(picture)
    points = np.reshape(row["landmarks68"], (68, 2)).astype(np.float64)
    frames = face_frames(points, (pixels.shape[1], pixels.shape[0]))
    corners = np.array([[0, 0], [PANEL, 0], [0, PANEL]], dtype=np.float32)
    affine = cv2.getAffineTransform(frames.to_photograph(corners).astype(np.float32), corners)
    crop = np.asarray(cv2.warpAffine(pixels, affine, (PANEL, PANEL), flags=cv2.INTER_LINEAR), dtype=np.uint8)
    label: Any = np.array(row["camera"])
    label[[3, 7, 11]] *= row["camera_distance"] / RADIUS
    angles = f"yaw {row['yaw_degrees']:.0f}° pitch {row['pitch_degrees']:.0f}°"
    caption = f"{angles} error {row['reprojection_error']:.1f} px"
    return draw_overlay(crop, label, frames.to_eg3d(points), np.reshape(row["model_landmarks"], (68, 3)), caption)


def _text(canvas: ImageDraw.ImageDraw, text: str, upper: int, color: Any) -> None:
    text = "\n".join(textwrap.wrap(text, _LINE))
    canvas.text((6, upper), text, color, ImageFont.load_default(size=16), stroke_width=1, stroke_fill=0)
