"""Train the network that marks other people's faces, on portraits of SFHQ, SFHQ-T2I (MIT) and London (CC BY).

python experiments/curation/neighbours_fit.py FACES WORK   # FACES has index.csv; WORK keeps landmarks

writes facegen/curation/quality/neighbours.npz. FFHQ's photographs are not fitted to: they judge (quality.py).
"""

import csv
import sys
from functools import partial
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from marking import train
from neighbours import Portrait, plant_neighbour, plant_patch
from occlusion_fit import in_any_light
from quality_photographs import found_landmarks

import facegen.curation.quality
from facegen.curation.quality.neighbours import WIDTH, blanked

OUT = Path(facegen.curation.quality.__file__).with_name("neighbours.npz")
STEPS = 2000 if OUT.exists() else 3000  # run twice: the second run goes on


def example(portraits: list[Portrait], generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels with the face blanked, where another face is, and where that counts: everywhere."""
    main, other = (portraits[int(generator.integers(len(portraits)))] for _ in range(2))
    face = np.zeros((WIDTH, WIDTH), np.float32)
    for _ in range(int(generator.choice([0, 1, 3], p=[0.5, 0.25, 0.25]))):
        main = main._replace(pixels=plant_patch(main, [other.pixels], generator))
    if generator.random() < 0.55:
        pixels, face = plant_neighbour(main, other, generator)
        main = main._replace(pixels=pixels)
    pixels = blanked(in_any_light(main.pixels, generator), main.landmarks + generator.normal(0, 1, 2))
    flip = -1 if generator.random() < 0.5 else 1
    return np.ascontiguousarray(pixels[:, ::flip]), np.ascontiguousarray(face[:, ::flip]), np.ones_like(face)


if __name__ == "__main__":
    source, work = Path(sys.argv[1]), Path(sys.argv[2])
    cv2.setNumThreads(1)
    with (source / "index.csv").open() as file:
        paths = [row["path"] for row in csv.DictReader(file) if row["source"] != "ffhq"]
    landmarks, portraits = found_landmarks(source, work / "landmarks.npz"), []
    for path in paths:
        if path in landmarks:
            pixels = cv2.imread(str(source / path))[..., ::-1]
            small = cv2.resize(pixels, (WIDTH, WIDTH), interpolation=cv2.INTER_AREA)
            portraits.append(Portrait(small, landmarks[path] * WIDTH / pixels.shape[1]))
    train(partial(example, portraits), STEPS, OUT)
