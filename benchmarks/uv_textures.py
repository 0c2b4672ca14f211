"""How long unwrapping takes, and how much evener textures are without the light.

python benchmarks/uv_textures.py FOLDER [--count 24] [--size 512] [--save SHEET.png]: fits the procedural model to the
first photographs of a folder in which dlib finds a face (`pip install 'facegen[curate]'`), and unwraps them. The sheet
shows photograph, fit, texture with and without light, mask. One thread.
"""

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from facegen.curation.dlib_models import dlib_models
from facegen.geometry.alignment_similarity import similarity_crop
from facegen.morphable.fitting import Fit, Fitter
from facegen.morphable.model import MorphableModel
from facegen.morphable.uv.own_assets import own_assets
from facegen.morphable.uv.unwrap import UVResult, unwrap

SIDE, UNIT = 448, 204.0  # pixels of the crops, twice Deep3DFaceRecon's
_SUFFIXES = (".jpg", ".jpeg", ".png")


class Found(NamedTuple):
    """Crops (N, 3, SIDE, SIDE) and their landmarks, (0, 0) the corner."""

    images: Tensor
    landmarks: Tensor


def find_faces(folder: Path, count: int) -> Found:
    """The first face of each photograph until there are enough."""
    detect, landmarks = dlib_models().load()
    images, points = [], []
    for path in sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES):
        if len(images) == count:
            break
        pixels = np.array(Image.open(path).convert("RGB"))
        if faces := detect(pixels, path):
            crop = similarity_crop(pixels, landmarks(pixels, path, faces[0].box), size=SIDE, rescale=UNIT)
            images.append(torch.from_numpy(crop.image).permute(2, 0, 1))
            points.append(torch.from_numpy(crop.landmarks + 0.5).float())
    if not images:
        raise SystemExit(f"{folder}: no faces found in {', '.join(_SUFFIXES)} files")
    return Found(torch.stack(images), torch.stack(points))


def sheet(faces: Found, fit: Fit, found: UVResult) -> np.ndarray:
    """One row of pictures for each face."""

    def pictures(x: Tensor) -> np.ndarray:
        shown = ((x.float() + 1) * 127.5).clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
        return np.stack([cv2.resize(one, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for one in shown])

    masks = found.mask.expand(-1, 3, -1, -1) * 2 - 1
    parts = (faces.images / 127.5 - 1, fit.renders, found.photographed, found.texture, masks)
    return np.concatenate([np.concatenate(row, axis=1) for row in zip(*map(pictures, parts), strict=True)])


def timed(work: str, start: tuple[float, float], faces: int) -> None:
    """Print seconds since `start`, on the clock and of the processor."""
    wall, busy = time.perf_counter() - start[0], time.process_time() - start[1]
    print(f"{work}: {wall / faces:.2f} s, {busy / faces:.2f} s of the processor")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--save", type=Path)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    model, faces = MorphableModel.load("procedural"), find_faces(chosen.folder, chosen.count)
    start = (time.perf_counter(), time.process_time())
    assets = own_assets(model, chosen.size)
    timed("assets", start, 1)
    fit = Fitter(model).fit(faces.images, faces.landmarks)
    start = (time.perf_counter(), time.process_time())
    found = unwrap(model, fit.coefficients, faces.images, size=chosen.size, assets=assets)
    timed(f"unwrapping a face at {chosen.size}", start, len(faces.images))
    fitted = fit.coefficients.isfinite().all(dim=1)
    lit, even = (errors[fitted] for errors in (found.evenness_photographed, found.evenness))
    print(f"{int(fitted.sum())} faces of {len(fitted)} fitted")
    print(f"BS error, median: photographed {lit.median():.2f}, without light {even.median():.2f}")
    print(f"lower without light: {int((even < lit).sum())} of {len(lit)}")
    if chosen.save is not None:
        Image.fromarray(sheet(faces, fit, found)).save(chosen.save)


if __name__ == "__main__":
    main()
