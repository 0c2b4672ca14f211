"""Fit the measure of quality to damaged pictures of faces whose licences allow it (SFHQ, SFHQ-T2I: MIT; London: CC BY).

python experiments/curation/quality_fit.py FACES WORK   # FACES: a folder with index.csv; WORK: where samples are kept

writes facegen/curation/quality/quality.npz. FFHQ's photographs are not fitted to: they judge (quality.py).
"""

import csv
import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

import facegen.curation.quality
from experiments.curation.quality_damage import damaged, random_damage
from facegen.checkpoint import atomic_write
from facegen.curation.quality.estimator import OFFSET
from facegen.curation.quality.statistics import statistics

COPIES, HIDDEN, HELD_OUT = 8, 48, 10  # of each picture, units, one in so many people or pictures
OUT = Path(facegen.curation.quality.__file__).with_name("quality.npz")
SIDES = (40, 256)


def face_of(row: dict[str, str], faces: Path) -> np.ndarray | None:
    """The square about eyes and mouth of a picture, RGB."""
    if not row["yaw"]:
        return None
    five = np.array(
        [float(row[f"{name}_{axis}"]) for name in ("eye_l", "eye_r", "nose", "mouth_l", "mouth_r") for axis in "xy"]
    )
    five = five.reshape(5, 2)
    half = 1.4 * max(np.linalg.norm(five[1] - five[0]), 0.9 * np.linalg.norm(five[:2].mean(0) - five[3:].mean(0)))
    (left, upper), (right, lower) = (np.maximum(five.mean(0) + sign * half, 0).astype(int) for sign in (-1, 1))
    return cv2.cvtColor(cv2.imread(str(faces / row["path"])), cv2.COLOR_BGR2RGB)[upper:lower, left:right]


def crisp(face: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A face as cameras and programs hand it on: sharpened more or less (an unsharp mask)."""
    soft = cv2.GaussianBlur(face, (0, 0), float(generator.uniform(0.6, 1.2))).astype(np.float32)
    return np.clip(face + (face - soft) * generator.uniform(0, 1.2), 0, 255).astype(np.uint8)


def make_samples(faces: Path) -> dict[str, np.ndarray]:
    """Statistics, fidelity and blur of damaged faces of many sizes, and which picture each was made of."""
    rows = [row for row in csv.DictReader((faces / "index.csv").open()) if row["source"] != "ffhq"]
    found: dict[str, list] = {"statistics": [], "fidelity": [], "sigma": [], "group": []}
    for number, row in enumerate(rows):
        face = face_of(row, faces)
        generator = np.random.default_rng(number)
        for _ in range(0 if face is None else COPIES):
            most = min(SIDES[1], 0.8 * min(face.shape[:2]))  # made smaller, so that the clean picture is sharp
            side = round(np.exp(generator.uniform(np.log(SIDES[0]), np.log(most))))
            clean = crisp(cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA), generator)
            made = damaged(clean, random_damage(generator), generator)
            found["statistics"].append(statistics(cv2.cvtColor(made.pixels, cv2.COLOR_RGB2GRAY)))
            for name, value in (
                ("fidelity", made.fidelity),
                ("sigma", made.sigma),
                ("group", int(row["source_id"][:3]) if row["source"] == "london" else number + 1000),
            ):
                found[name].append(value)
        if number % 100 == 0:
            print(number, "of", len(rows), flush=True)
    return {name: np.array(values, np.float32) for name, values in found.items()}


def fit(samples: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Weights of the small network; the best ones on held-out pictures."""
    torch.manual_seed(0)
    held = samples["group"].astype(int) % HELD_OUT == 0
    mean, std = samples["statistics"].mean(0), samples["statistics"].std(0) + 1e-3
    x = torch.from_numpy(np.clip((samples["statistics"] - mean) / std, -5, 5))
    y = torch.from_numpy(np.stack([samples["fidelity"], np.log(samples["sigma"] + OFFSET)], 1))
    network = nn.Sequential(
        nn.Linear(x.shape[1], HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, 2)
    )
    optimizer = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=0.02)
    epochs, train = 120, torch.from_numpy(np.flatnonzero(~held))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=epochs * (len(train) // 128))
    weight, best, kept = torch.tensor([4.0, 1.0]), np.inf, {}
    for epoch in range(epochs):
        for some in train[torch.randperm(len(train))][: len(train) // 128 * 128].split(128):
            loss = (nn.functional.smooth_l1_loss(network(x[some]), y[some], reduction="none", beta=0.1) * weight).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            error = (network(x[held]) - y[held]).abs().mean(0)
        if (error * weight).sum() < best:
            best = (error * weight).sum()
            kept = {
                f"layer{n}_{k}": v.detach().numpy().copy()
                for n, m in enumerate(m for m in network if isinstance(m, nn.Linear))
                for k, v in m.named_parameters()
            }
            print(epoch, f"held out: fidelity off by {error[0]:.4f}, log blur by {error[1]:.4f}", flush=True)
    return {"mean": mean, "std": std, **kept}


if __name__ == "__main__":
    source, work = Path(sys.argv[1]), Path(sys.argv[2])
    cv2.setNumThreads(1)
    if not (work / "samples.npz").exists():
        np.savez(work / "samples.npz", **make_samples(source))
    with np.load(work / "samples.npz") as arrays:
        weights = fit({name: arrays[name] for name in arrays.files})
    with atomic_write(OUT) as temporary, temporary.open("wb") as file:
        np.savez(file, **{name: value.astype(np.float32) for name, value in weights.items()})
