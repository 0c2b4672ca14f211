"""Train the network that marks what hides a face, on faces of SFHQ, SFHQ-T2I (MIT) and London (CC BY) with occluders.

python experiments/curation/occlusion_fit.py FACES WORK   # FACES has index.csv; WORK keeps landmarks

writes facegen/curation/quality/occlusion.npz. FFHQ's photographs are not fitted to: they judge (quality.py).
"""

import csv
import sys
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from marking import train
from occluders import plant, shade
from quality_photographs import found_landmarks

import facegen.curation.quality
from facegen.curation.quality.aligned import SIZE, align

OUT = Path(facegen.curation.quality.__file__).with_name("occlusion.npz")
STEPS = 2000 if OUT.exists() else 5000  # run twice: the second run goes on
GLASSES = "sunglasses"  # pictures found for this word are left out: they judge


class Face(NamedTuple):
    """A picture and its landmarks."""

    pixels: np.ndarray
    landmarks: np.ndarray


def jittered(face: Face, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Aligned pixels and the hull, moved, turned and scaled a little as landmarks err, and flipped."""
    spread = 0.02 * np.ptp(face.landmarks, axis=0).max()
    moved = face.landmarks + generator.normal(0, spread, 2)
    centre, angle, scale = moved.mean(0), generator.normal(0, 0.06), np.exp(generator.normal(0, 0.05))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    made = align(face.pixels, (moved - centre) @ turn + centre)
    flip = -1 if generator.random() < 0.5 else 1
    return np.ascontiguousarray(made.pixels[:, ::flip]), np.ascontiguousarray(made.face[:, ::flip])


def example(faces: list[Face], generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels, what is hidden, and where the face should be, of one face in any light."""
    pixels, hull = jittered(faces[int(generator.integers(len(faces)))], generator)
    alpha = np.zeros((SIZE, SIZE), np.float32)
    if generator.random() < 0.3:
        pixels = shade(pixels, generator)
    for _ in range(int(generator.choice([0, 1, 2], p=[0.35, 0.5, 0.15]))):
        others = [faces[int(generator.integers(len(faces)))].pixels]
        pixels, new = plant(pixels, others, generator)
        alpha = np.maximum(alpha, new)
    return in_any_light(pixels, generator), alpha, hull


def in_any_light(pixels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Colours, contrast, sharpness and noise of a picture changed."""
    values = pixels.astype(np.float32)
    if generator.random() < 0.1:
        values[:] = values.mean(-1, keepdims=True)
    values = (values - 128) * generator.uniform(0.6, 1.3) + 128
    values = values * generator.uniform(0.7, 1.25) * generator.uniform(0.9, 1.1, 3)
    if generator.random() < 0.3:
        values = cv2.GaussianBlur(values, (0, 0), generator.uniform(0.3, 1.5))
    values += generator.normal(0, generator.uniform(0, 8), values.shape)
    return np.clip(values, 0, 255).astype(np.uint8)


if __name__ == "__main__":
    source, work = Path(sys.argv[1]), Path(sys.argv[2])
    cv2.setNumThreads(1)
    with (source / "index.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["source"] != "ffhq" and GLASSES not in row["labels"]]
    landmarks = found_landmarks(source, work / "landmarks.npz")
    kept = [row for row in rows if row["path"] in landmarks]
    faces = [Face(cv2.imread(str(source / row["path"]))[..., ::-1].copy(), landmarks[row["path"]]) for row in kept]
    train(partial(example, faces), STEPS, OUT)
