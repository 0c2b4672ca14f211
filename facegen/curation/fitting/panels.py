"""One picture a face for people: the crop with landmarks, the render over it, and the shape alone."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from facegen.checkpoint import atomic_write
from facegen.curation.fitting.crops import Crop
from facegen.data.pictures import to_uint8
from facegen.geometry.overlay import LANDMARKS, MODEL
from facegen.morphable.fitting import Fit
from facegen.morphable.render import Render

CELL = 256  # side of each of the three pictures; below them a line of text
LINE = 22
PANEL = (3 * CELL, CELL + LINE)  # width and height
_GREY, _AMBIENT = 215, 0.25
_JPEG_QUALITY = 90


def draw_panel(crop: Crop, fit: Fit, place: int, drawn: Render) -> UInt8[np.ndarray, "height width 3"]:
    """Crop with landmarks found (yellow) and of the fit (cyan); render over the crop; the shape in grey over it.

    `drawn` is one face at `CELL` pixels. Below: its score (high: the fit may have failed), and the pose with its 90 %
    intervals.
    """
    photo = np.asarray(Image.fromarray(crop.image).resize((CELL, CELL), Image.Resampling.BICUBIC))
    mask = drawn.masks[0, 0].cpu().numpy()[..., None]
    colors = to_uint8(drawn.images)[0].permute(1, 2, 0).cpu().numpy()
    panel = Image.new("RGB", PANEL)
    panel.paste(_landmarks(photo, crop, fit.landmarks[place].cpu().numpy()), (0, 0))
    for number, layer in enumerate((colors, _shape(drawn)), start=1):
        panel.paste(Image.fromarray(np.where(mask, layer, photo)), (number * CELL, 0))
    angles = zip(("yaw", "pitch", "roll"), head_degrees(fit, place), fit.interval_degrees[place].tolist(), strict=True)
    text = "  ".join(f"{name} {round(angle)}±{half:.1f}°" for name, angle, half in angles)
    words = f"score {float(fit.score[place]):.2f}   {text}"
    ImageDraw.Draw(panel).text((4, CELL + 2), words, "white", ImageFont.load_default(size=14))
    return np.asarray(panel)


def head_degrees(fit: Fit, place: int) -> list[float]:
    """Yaw, pitch and roll of a head as tables have them: yaw is positive where the nose points to the right.

    The fit's angles are those of the camera, which then stands to the left of the nose.
    """
    yaw, pitch, roll = fit.pose_degrees[place].tolist()
    return [-yaw, pitch, roll]


def _landmarks(photo: UInt8[np.ndarray, "cell cell 3"], crop: Crop, fitted: np.ndarray) -> Image.Image:
    picture = Image.fromarray(photo)
    canvas, scale = ImageDraw.Draw(picture), CELL / crop.image.shape[0]
    for x, y in crop.landmarks * scale:
        canvas.ellipse([x - 2, y - 2, x + 2, y + 2], outline=LANDMARKS)
    for x, y in fitted * scale:
        canvas.ellipse([x - 1, y - 1, x + 1, y + 1], fill=MODEL)
    return picture


def _shape(drawn: Render) -> UInt8[np.ndarray, "cell cell 3"]:
    """Grey plaster in the light of a lamp beside the camera."""
    towards = drawn.normals[0, 2].clamp(0, 1)
    grey = (_GREY * (_AMBIENT + (1 - _AMBIENT) * towards)).to(torch.uint8).cpu().numpy()
    return np.repeat(grey[..., None], 3, axis=2)


def save_panel(panel: UInt8[np.ndarray, "height width 3"], path: Path) -> None:
    """Write a panel, whole or not at all."""
    with atomic_write(path) as temporary:
        Image.fromarray(panel).save(temporary, format="JPEG", quality=_JPEG_QUALITY)


def write_sheet(panels: list[Path], titles: list[str], path: Path, columns: int = 2) -> None:
    """One picture of many panels, each with its title; no panel, no sheet."""
    if not panels:
        path.unlink(missing_ok=True)
        return
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    sheet = Image.new("RGB", (columns * PANEL[0], rows * (PANEL[1] + LINE)))
    canvas, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=14)
    for number, (panel, title) in enumerate(zip(panels, titles, strict=True)):
        left, upper = number % columns * PANEL[0], number // columns * (PANEL[1] + LINE)
        canvas.text((left + 4, upper + 2), title[:100], "white", font)
        with Image.open(panel) as picture:
            sheet.paste(picture, (left, upper + LINE))
    with atomic_write(path) as temporary:
        sheet.save(temporary, format="PNG")
