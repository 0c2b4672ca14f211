"""Calibrates `facegen.morphable.fitting.score`: good and spoilt landmarks of faces whose pose is known.

python benchmarks/fit_score.py [--count 400]: prints the numbers of the module, how well they separate fits whose pose
is off by more than five degrees, and whether the probabilities are right. Synthetic faces, one CPU thread: minutes.
"""

import argparse
import sys
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.fitted_faces import Faces, errors, make_faces
from facegen.morphable.fitting import Fit, Fitter
from facegen.morphable.fitting.score import features

FAILED = 5.0  # degrees
_BATCH = 16


NO_FACE, ANOTHER_FACE = 8, 6  # kinds from here on have landmarks of some face, if not of this one


def spoilt(faces: Faces, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Landmarks and pictures, and the kind of each: a third good, the others wrong in five ways."""
    landmarks, images = faces.landmarks.clone(), faces.images.clone()
    count = len(landmarks)
    kinds = torch.randint(0, 9, [count], generator=generator)
    noise = torch.randn(landmarks.shape, generator=generator)
    other = landmarks[torch.randperm(count, generator=generator)]
    centre, size = landmarks.mean(dim=1, keepdim=True), landmarks.std(dim=(1, 2), keepdim=True)
    moved = (other - other.mean(dim=1, keepdim=True)) / other.std(dim=(1, 2), keepdim=True) * size + centre
    for row in range(count):
        kind = int(kinds[row])
        if kind < 3:
            landmarks[row] += noise[row] * (0.5 + kind)
        elif kind < 5:  # a detector that is unsure
            landmarks[row] += noise[row] * (4 + 10 * (kind - 3))
        elif kind == 5:  # half of the points on something else, such as a hand
            lost = torch.randperm(68, generator=generator)[:34]
            landmarks[row, lost] += 20 * torch.randn(2, generator=generator) + 8 * noise[row, lost]
        elif kind < 8:  # a face in another pose: what detectors see in profiles
            landmarks[row] = moved[row] + noise[row]
        else:  # no face at all
            images[row] = torch.randint(0, 256, [3, 1, 1], generator=generator, dtype=torch.uint8)
    return landmarks, images, kinds


def fitted(values: Tensor, failed: Tensor) -> Tensor:
    """Logistic regression with slopes that are not negative, for worse evidence must not speak for a fit.

    Newton's method with a weak normal prior over the features whose slopes come out positive; the last is the offset.
    """
    used = torch.ones(values.shape[1], dtype=torch.bool)
    weights = torch.zeros(values.shape[1] + 1, dtype=torch.float64)
    while True:
        kept = torch.cat([used, torch.ones(1, dtype=torch.bool)])
        weights = torch.zeros_like(weights).masked_scatter(kept, _newton(values[:, used], failed))
        if bool((weights[:-1] >= 0).all()):
            return weights
        used &= weights[:-1] > 0


def _newton(values: Tensor, failed: Tensor) -> Tensor:
    design = torch.cat([values, values.new_ones(len(values), 1)], dim=1).double()
    weights = torch.zeros(design.shape[1], dtype=torch.float64)
    for _ in range(50):
        probability = torch.sigmoid(design @ weights)
        gradient = design.T @ (probability - failed.double()) + 0.1 * weights
        slope = (probability * (1 - probability))[:, None] * design
        weights = weights - torch.linalg.solve(design.T @ slope + 0.1 * torch.eye(len(weights)).double(), gradient)
    return weights


def report(name: str, values: Tensor, failed: Tensor) -> None:
    """Numbers from all faces, and how good those from one half are on the other."""
    weights, half = fitted(values, failed), len(values) // 2
    print(f"{name}: slopes {[round(w, 3) for w in weights[:-1].tolist()]}, offset {weights[-1]:.3f}")
    weights = fitted(values[:half], failed[:half])
    probability = torch.sigmoid(values[half:].double() @ weights[:-1] + weights[-1])
    truth = failed[half:]
    above = (probability[truth][:, None] > probability[~truth]).double().mean()
    print(f"  other half ({len(truth)} fits, {int(truth.sum())} failed): area under the curve {above:.3f}")
    for low in (0.0, 0.2, 0.4, 0.6, 0.8):
        inside = (probability >= low) & (probability < low + 0.2 + (low == 0.8))
        if inside.any():
            share = truth[inside].double().mean()
            print(f"  score {low:.1f} to {low + 0.2:.1f}: {int(inside.sum())} fits, {share:.2f} failed")


def main() -> None:
    """Print the calibration."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--landmarks-only", action="store_true")
    arguments = parser.parse_args()
    faces = make_faces(arguments.count, seed=61)
    landmarks, images, kinds = spoilt(faces, torch.Generator().manual_seed(8))
    for photometric in (False, True)[: 1 if arguments.landmarks_only else 2]:
        fitter = Fitter(faces.model, photometric=photometric)
        rows = tqdm(torch.arange(len(images)).split(_BATCH), "fitting")
        fit = Fit.joined([fitter.fit(images[some], landmarks[some]) for some in rows])
        failed = (errors(faces, fit.coefficients).pose > FAILED) | (kinds == NO_FACE)
        # whether they are those of the face in the picture, landmarks alone cannot tell
        judged = kinds < (NO_FACE + 1 if photometric else ANOTHER_FACE)
        name = "with the picture" if photometric else "landmarks only"
        report(name, features(fit.evidence)[judged], failed[judged])


if __name__ == "__main__":
    main()
