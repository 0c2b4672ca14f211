"""Fits of real photographs: how far their cameras are from published ones, and whether the score finds bad fits.

    python experiments/fitting/photographs.py FACES KDE [--model procedural] [--each 300] [--out photographs.json]

FACES: the developers' photographs (`index.csv` with a pose measured by MediaPipe). KDE: the npz with theta and phi of
FFHQ's published EG3D labels, in the order of its faces. Landmarks are dlib's; nothing that shows a person is written
unless --sheet names a file. At the end the failure score is calibrated on these photographs, as benchmarks/fit_score.py
does on synthetic faces; a fit counts as failed whose yaw is 8 degrees off MediaPipe's.
"""

import argparse
import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks.fit_score import report
from facegen.curation.models import named_models
from facegen.geometry.alignment import similarity_crop
from facegen.geometry.cameras import positions, theta_phi_position
from facegen.morphable.fitting import Fit, Fitter
from facegen.morphable.fitting.score import features
from facegen.morphable.model import MorphableModel

SETS = ("london512", "ffhq256", "t2i256")
BATCH, FAR, WRONG = 16, 15.0, 8.0  # degrees of yaw


def crops(root: Path, rows: list[dict[str, str]]) -> tuple[list[dict[str, str]], Tensor, Tensor]:
    """Rows whose face was found, their Deep3DFaceRecon crops, and the landmarks in these."""
    models = named_models("dlib", None).load()
    found, images, landmarks = [], [], []
    for row in tqdm(rows, "detecting", unit="img"):
        path = root / row["path"]
        pixels = np.asarray(Image.open(path).convert("RGB"))
        boxes = models.detect(pixels, path)
        if not boxes:
            continue
        crop = similarity_crop(pixels, models.landmarks(pixels, path, max(boxes, key=lambda face: face.score).box))
        found.append(row)
        images.append(crop.image)
        landmarks.append(crop.landmarks + 0.5)  # dlib counts whole pixels
    return found, torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2), torch.from_numpy(np.stack(landmarks))


def off_index(rows: list[dict[str, str]], fit: Fit) -> Tensor:
    """Yaw, pitch and roll (N, 3) minus those of MediaPipe, whichever way it counts them; NaN where it found no face."""
    known = torch.tensor([[float(row[name] or "nan") for name in ("yaw", "pitch", "roll")] for row in rows])
    signs = torch.tensor([[_sign(fit.pose_degrees[:, k], known[:, k]) for k in range(3)]])
    return fit.pose_degrees * signs - known


def index_errors(rows: list[dict[str, str]], fit: Fit) -> dict[str, Any]:
    """Figures of the angles against MediaPipe's."""
    off = off_index(rows, fit)
    usable = off.isfinite().all(dim=1)
    off, score = off[usable], fit.score[usable]
    far = off[:, 0].abs() > FAR
    figures: dict[str, Any] = {"faces": len(off), "yaw_median": _rounded(off[:, 0].abs().median())}
    figures |= {"yaw_mean": _rounded(off[:, 0].abs().mean()), "pitch_offset": _rounded(off[:, 1].mean())}
    figures |= {"pitch_mean_deviation": _rounded((off[:, 1] - off[:, 1].mean()).abs().mean()), "far": int(far.sum())}
    if far.any():
        figures["score_auc_of_far"] = _rounded((score[far][:, None] > score[~far]).float().mean())
    return figures


def published_errors(rows: list[dict[str, str]], fit: Fit, kde: Path) -> dict[str, Any]:
    """Angle at the head between our camera and the published one of FFHQ's faces.

    The published list leaves out faces that its authors' detector did not find; `dropped` says how many entries it is
    behind the photographs, found as the shift with the smallest median.
    """
    with np.load(kde) as arrays:
        angles = torch.from_numpy(np.stack([arrays["theta"][::2], arrays["phi"][::2]], axis=1)).double()
    numbers = torch.tensor([int(Path(row["path"]).stem) for row in rows])
    ours = positions(fit.cameras.double())
    medians = {}
    for shift in range(4):
        theirs = theta_phi_position(angles[(numbers - shift).clamp(min=0)])
        medians[shift] = torch.nn.functional.cosine_similarity(ours, theirs, dim=1).clamp(-1, 1).acos().rad2deg()
    best = min(medians, key=lambda shift: float(medians[shift].nanmedian()))
    off = medians[best]
    off = off[off.isfinite()]
    return {
        "faces": len(off),
        "dropped": best,
        "median_degrees": _rounded(off.median()),
        "ninetieth_degrees": _rounded(off.quantile(0.9)),
        "median_degrees_of_other_shifts": {shift: _rounded(m.nanmedian()) for shift, m in medians.items()},
    }


def sheet(images: Tensor, fit: Fit, model: MorphableModel, path: Path, columns: int = 16) -> None:
    """Photographs, renders over them, and shapes, evenly chosen and the ones with the highest scores last."""
    even = torch.linspace(0, len(images) - 1, columns).long()
    for name, rows in (("even", even), ("worst", fit.score.argsort(descending=True)[:columns])):
        photos = images[rows] / 127.5 - 1
        over = torch.where(fit.masks[rows], fit.renders[rows], photos)
        picture = torch.cat([torch.cat(list(row), dim=2) for row in (photos, over)], dim=1)
        pixels = ((picture + 1) * 127.5).clamp(0, 255).byte().permute(1, 2, 0).numpy()
        Image.fromarray(pixels).save(path.with_stem(f"{path.stem}_{name}"))


def _sign(ours: Tensor, theirs: Tensor) -> float:
    return float(torch.sign((ours * theirs).nansum()))


def _rounded(value: Tensor) -> float:
    return round(float(value), 3)


def main() -> None:
    """Fit all sets, print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces", type=Path)
    parser.add_argument("kde", type=Path)
    parser.add_argument("--model", default="procedural")
    parser.add_argument("--each", type=int, default=300)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "photographs.json")
    parser.add_argument("--sheet", type=Path, default=None)
    arguments = parser.parse_args()
    model, figures, judged = MorphableModel.load(arguments.model), {}, {False: [], True: []}
    index = list(csv.DictReader((arguments.faces / "index.csv").open()))
    for name in SETS:
        rows = [row for row in index if row["path"].startswith(name)]
        rows = rows[: arguments.each] if name == "ffhq256" else rows[:: max(len(rows) // arguments.each, 1)]
        rows, images, landmarks = crops(arguments.faces, rows[: arguments.each])
        for photometric in (False, True):
            fitter, batches = Fitter(model, photometric=photometric), torch.arange(len(images)).split(BATCH)
            fit = Fit.joined([fitter.fit(images[b], landmarks[b]) for b in tqdm(batches, name, unit="batch")])
            judged[photometric].append((features(fit.evidence), off_index(rows, fit)[:, 0].abs()))
            entry: dict[str, Any] = {"index": index_errors(rows, fit)}
            if name == "ffhq256":
                entry["published"] = published_errors(rows, fit, arguments.kde)
            figures[f"{name}, {'full fit' if photometric else 'landmarks only'}"] = entry
            print(name, photometric, json.dumps(entry), flush=True)
            if arguments.sheet is not None and photometric:
                sheet(images, fit, model, arguments.sheet.with_stem(f"{arguments.sheet.stem}_{name}"))
    for photometric, parts in judged.items():
        values, off = (torch.cat(part) for part in zip(*parts, strict=True))
        usable, order = off.isfinite(), torch.randperm(len(off), generator=torch.Generator().manual_seed(0))
        order = order[usable[order]]
        report("full fits" if photometric else "landmarks only", values[order], off[order] > WRONG)
    arguments.out.write_text(json.dumps({"model": model.name, "sets": figures}, indent=1) + "\n")


if __name__ == "__main__":
    main()
