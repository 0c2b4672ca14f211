"""How right fits are where the truth is known: synthetic faces with poses to 75 degrees, expressions and light.

    python experiments/fitting/accuracy.py [--count 500] [--regressor EXPORT] [--out accuracy.json]

For each way of fitting: the median and 90th percentile of the error of the head's rotation (degrees), of the face's
vertices before the pose (mean distance as a fraction of the interocular distance) and of the landmarks (pixels of the
224-pixel picture, to the true ones), the share of 90 % intervals that hold the true angle, and faces per second.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks.fitted_faces import Faces, errors, make_faces
from facegen.geometry.angles import view_angles
from facegen.morphable.fitting import EXACT, Fit, Fitter

BATCH = 16


def fits(faces: Faces, regressor: str | None) -> Iterator[tuple[str, float, Tensor, Fit | None]]:
    """Name, seconds, coefficients and the whole fit of each way."""
    noise = 2 * torch.randn(faces.landmarks.shape, generator=torch.Generator().manual_seed(5))
    for words, landmarks, deviation in (
        ("exact landmarks", faces.landmarks, 0.3),
        ("landmarks with noise of 2 pixels", faces.landmarks + noise, 2.0),
    ):
        for photometric in (False, True):
            fitter = Fitter(faces.model, noise=deviation, landmark_weights=EXACT, photometric=photometric)
            fitter.fit(faces.images[:1], landmarks[:1])  # tables and compiled loops are made at first use
            begun, found = time.perf_counter(), []
            for rows in tqdm(torch.arange(len(landmarks)).split(BATCH), words, unit="batch"):
                found.append(fitter.fit(faces.images[rows], landmarks[rows]))
            fit = Fit.joined(found)
            yield f"{words}, {'full fit' if photometric else 'landmarks only'}", time.perf_counter() - begun, *both(fit)
    if regressor is None:
        return
    from facegen.morphable.regressor import load_regressor

    loaded = load_regressor(regressor)
    images, started = faces.images / 127.5 - 1, time.perf_counter()
    start = torch.cat([loaded.coefficients(part) for part in tqdm(images.split(BATCH), "regressor", unit="batch")])
    yield "regressor", time.perf_counter() - started, start, None
    fitter, begun = Fitter(faces.model), time.perf_counter()
    batches = tqdm(torch.arange(len(images)).split(BATCH), "from the regressor", unit="batch")
    fit = Fit.joined([fitter.fit(images[rows], start=start[rows]) for rows in batches])
    yield "regressor, then pixels, no landmarks", time.perf_counter() - begun, *both(fit)


def both(fit: Fit) -> tuple[Tensor, Fit]:
    """The coefficients, and the fit."""
    return fit.coefficients, fit


def main() -> None:
    """Measure, print a table and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--regressor", default=None)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "accuracy.json")
    arguments = parser.parse_args()
    faces, figures = make_faces(arguments.count, seed=99), []
    print("| fit | pose, degrees | vertices / interocular | landmarks, pixels | intervals | faces/s |")
    print("|---|---|---|---|---|---|")
    for name, seconds, coefficients, fit in fits(faces, arguments.regressor):
        row: dict[str, object] = {"fit": name, "faces_per_second": round(len(coefficients) / seconds, 2)}
        for kind, values in errors(faces, coefficients)._asdict().items():
            row[kind] = [round(float(values.quantile(q)), 4) for q in (0.5, 0.9)]
        if fit is not None and bool(fit.interval_degrees.isfinite().all()):
            off = (fit.pose_degrees - view_angles(faces.labels).rad2deg()).abs()
            row["intervals"] = [round(float(x), 3) for x in (off <= fit.interval_degrees).float().mean(dim=0)]
        figures.append(row)
        pairs = " | ".join("{} / {}".format(*row[kind]) for kind in ("pose", "vertices", "landmarks"))  # type: ignore[misc]
        print(f"| {name} | {pairs} | {row.get('intervals', '')} | {row['faces_per_second']} |", flush=True)
    arguments.out.write_text(json.dumps({"faces": len(faces.images), "fits": figures}, indent=1) + "\n")


if __name__ == "__main__":
    main()
