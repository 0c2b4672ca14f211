"""How right quality, blur, occlusion and other people are, on photographs that nothing was fitted to (FFHQ).

    python experiments/curation/quality.py FACES WORK --out quality.json [--masks FOLDER] [--synthetic ROOT]

FACES: a folder with index.csv and ffhq256; WORK keeps landmarks (dlib); --masks: PNGs of CelebAMask-HQ's ids by path.
ROOT: a source of `facegen data synthesize`.
Damage and occluders are planted; sunglasses, hats, hands and other people were looked for by eye (quality_labels.yaml).
"""

import argparse
import csv
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import torch
import yaml
from PIL import Image
from scipy.stats import spearmanr
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).parent))
from occluders import plant
from quality_damage import Damage, damaged
from quality_photographs import found_landmarks

from facegen.curation.quality.aligned import Aligned, align
from facegen.curation.quality.estimator import judge
from facegen.curation.quality.faces import face_square
from facegen.curation.quality.neighbours import find_neighbours
from facegen.curation.quality.occlusion import hidden, share_hidden
from facegen.curation.quality.poses import yaw_degrees
from facegen.curation.quality.wearing import worn
from facegen.data import table

DAMAGE = {
    "blur": [Damage(blur=value) for value in (0.5, 1, 1.5, 2, 3, 4, 6)],
    "enlarged": [Damage(enlarged=value) for value in (1.5, 2, 3, 4, 6)],
    "noise": [Damage(noise=value) for value in (3, 6, 12, 24, 40)],
    "jpeg": [Damage(jpeg=value) for value in (80, 50, 30, 15, 8)],
}
EVERY, LABELLED = 10, 400  # of the photographs are damaged, were looked at
HIDDEN = 0.06  # share of a face that counts as hidden where it is planted


class Photographs:
    """FFHQ's pictures with landmarks."""

    def __init__(self, faces: Path, work: Path) -> None:
        self.root = faces
        found = found_landmarks(faces, work / "landmarks.npz")
        self.all, self.landmarks = found, {path: found[path] for path in sorted(found) if path.startswith("ffhq256/")}

    def pixels(self, path: str) -> np.ndarray:
        """RGB."""
        return cv2.cvtColor(cv2.imread(str(self.root / path)), cv2.COLOR_BGR2RGB)


def damage(photographs: Photographs) -> dict:
    """Rank correlations with the strength of the damage and with what is left, and errors of blur by its size."""
    generator, found = np.random.default_rng(0), {}
    paths = list(photographs.landmarks)[::EVERY]
    faces = [face_square(photographs.pixels(path), photographs.landmarks[path]).pixels for path in paths]
    clean = [judge(face) for face in faces]
    every: list[tuple[float, float]] = []
    for kind, strengths in DAMAGE.items():
        judged, rows = [[each.quality for each in clean]], []
        for strength in strengths:
            made = [damaged(face, strength, generator) for face in faces]
            seen = [judge(each.pixels) for each in made]
            judged.append([each.quality for each in seen])
            every += [(one.quality, other.fidelity) for one, other in zip(seen, made, strict=True)]
            rows.append(_row(getattr(strength, kind), made, seen))
        values = np.array(judged)
        ranks = [spearmanr(range(len(values)), -column).statistic for column in values.T]
        pooled = spearmanr(np.repeat(range(len(values)), values.shape[1]), -values.ravel()).statistic
        found[kind] = {"rank_within_a_picture": np.mean(ranks), "rank_pooled": pooled, "strengths": rows}
    one, other = np.array(every).T
    everything = {"rank": spearmanr(one, other).statistic, "mean_error": np.abs(one - other).mean()}
    found["fidelity"] = everything | {"pearson": np.corrcoef(one, other)[0, 1], "pictures": len(one)}
    of_clean = {"quality": [each.quality for each in clean], "blur": [each.blur for each in clean]}
    found["undamaged"] = {name: np.percentile(each, (5, 50, 95)).tolist() for name, each in of_clean.items()}
    return found


def _row(strength: float, made: list, seen: list) -> dict:
    sigma, blur = np.array([each.sigma for each in made]), np.array([each.blur for each in seen])
    left, quality = ([getattr(each, name) for each in some] for some, name in ((made, "fidelity"), (seen, "quality")))
    means = {"left": np.mean(left), "quality": np.mean(quality), "sigma": sigma.mean(), "blur": np.median(blur)}
    return {"strength": strength, **means, "blur_error": np.abs(blur - sigma).mean()}


def planted_occluders(photographs: Photographs) -> dict:
    """How much of planted occluders is found, on every second photograph."""
    paths = list(photographs.landmarks)[::2]
    pictures = [photographs.pixels(path) for path in paths]
    return _occluded(pictures, [photographs.landmarks[path] for path in paths])


def synthetic(root: Path) -> dict:
    """Occluders and blur planted on rendered faces with their true landmarks, every fifth of a source."""
    rows = table.read(table.table_path(root), ["uri", "landmarks", "yaw_degrees"]).to_pylist()[::5]
    pictures = [cv2.cvtColor(cv2.imread(str(root / row["uri"])), cv2.COLOR_BGR2RGB) for row in rows]
    points = [np.reshape(row["landmarks"], (68, 2)).astype(np.float64) for row in rows]
    found, generator = {"occluders": _occluded(pictures, points), "blur": []}, np.random.default_rng(0)
    shares = [share_hidden(hidden([face])[0], face) for face in map(align, pictures, points)]
    found["occluders"]["flagged_without"] = np.mean(np.array(shares) >= HIDDEN)
    faces = [face_square(*each).pixels for each in zip(pictures, points, strict=True)]
    for sigma in (0.0, 1.0, 1.5, 2.0, 3.0):
        made = [damaged(face, Damage(blur=sigma), generator) for face in faces]
        found["blur"].append(_row(sigma, made, [judge(each.pixels) for each in made]))
    yaws = np.array([(row["yaw_degrees"], yaw_degrees(each)) for row, each in zip(rows, points, strict=True)])
    found["yaw_median_error"] = np.median(np.abs(yaws[:, 0] - yaws[:, 1]))
    return found


def _occluded(pictures: list[np.ndarray], points: list[np.ndarray]) -> dict:
    generator = np.random.default_rng(5)
    faces = [align(*each) for each in zip(pictures, points, strict=True)]
    truth, covered = [], []
    for number, face in enumerate(faces):
        made = plant(face.pixels, [pictures[(7 * number + 3) % len(pictures)]], generator)
        truth.append((made.alpha > 0.5) & face.face)
        covered.append(Aligned(made.pixels, face.face))
    marks = hidden(covered)
    share = np.array([mask.sum() / face.face.sum() for mask, face in zip(truth, faces, strict=True)])
    found = np.array([share_hidden(mark, face) for mark, face in zip(marks, covered, strict=True)])
    overlap = [((a > 0.5) & b).sum() / max(((a > 0.5) | b).sum(), 1) for a, b in zip(marks, truth, strict=True)]
    large = share >= HIDDEN
    iou, correlation = np.mean(np.array(overlap)[large]), np.corrcoef(found, share)[0, 1]
    sizes = {"faces": len(faces), "hidden": int(large.sum()), "recall": (found[large] >= HIDDEN).mean()}
    return sizes | {"iou": iou, "share_mean_error": np.abs(found - share).mean(), "share_correlation": correlation}


def looked_at(photographs: Photographs, masks: Path | None) -> dict:
    """Precision and recall by limit, of what was looked for by eye in the first photographs."""
    labels = yaml.safe_load(Path(__file__).with_name("quality_labels.yaml").read_text())
    measured: dict[str, dict[int, float]] = {"occluded": {}, "several_people": {}, "hat": {}, "sunglasses": {}}
    for path, points in tqdm(list(photographs.landmarks.items())[:LABELLED]):
        number, pixels = int(Path(path).stem), photographs.pixels(path)
        if number >= LABELLED:
            break
        face = align(pixels, points)
        measured["occluded"][number] = share_hidden(hidden([face])[0], face)
        measured["several_people"][number] = find_neighbours(pixels, points).largest
        if masks and (masks / path).with_suffix(".png").exists():
            with Image.open((masks / path).with_suffix(".png")) as picture:
                seen = worn(np.asarray(picture), pixels, points)
            measured["hat"][number], measured["sunglasses"][number] = seen.hat, seen.dark_glasses
    limits = {"occluded": (0.03, 0.06, 0.12), "several_people": (0.2, 0.3, 0.4, 0.5), "hat": (0.1, 0.2, 0.3)}
    limits["sunglasses"] = (0.3, 0.4, 0.5)
    labels["occluded_unclear"] += labels["sunglasses"] + labels["sunglasses_unclear"]  # another flag
    return {name: _rates(measured[name], labels, name, limits[name]) for name in measured if measured[name]}


def _rates(values: dict[int, float], labels: dict, name: str, limits: tuple[float, ...]) -> dict:
    numbers = [number for number in values if number not in labels.get(f"{name}_unclear", ())]
    true, value = np.array([n in labels[name] for n in numbers]), np.array([values[n] for n in numbers])
    rows = []
    for limit in limits:
        right = int((true & (value >= limit)).sum())
        flagged, recall = int((value >= limit).sum()), right / max(int(true.sum()), 1)
        rows.append({"limit": limit, "flagged": flagged, "precision": right / max(flagged, 1), "recall": recall})
    return {"photographs": len(numbers), "true": int(true.sum()), "limits": rows}


def turned(photographs: Photographs) -> dict:
    """Yaw from five of dlib's landmarks against MediaPipe's, all pictures of the folder."""
    with (photographs.root / "index.csv").open() as file:
        truth = {row["path"]: float(row["yaw"]) for row in csv.DictReader(file) if row["yaw"]}
    both = np.array([(truth[path], yaw_degrees(points)) for path, points in photographs.all.items() if path in truth])
    found, size = {}, np.abs(both[:, 0])
    for low, high in ((0, 15), (15, 30), (30, 45), (45, 90)):
        some = both[(size >= low) & (size < high)]
        found[f"{low}-{high}"] = {"faces": len(some), "median_error": np.median(np.abs(some[:, 0] - some[:, 1]))}
    flagged, true = np.abs(both[:, 1]) >= 45, size >= 40
    found["profile"] = {"precision_beyond_40": (flagged & true).sum() / flagged.sum(), "flagged": int(flagged.sum())}
    found["profile"]["recall_beyond_50"] = float(flagged[size >= 50].mean())
    found["not_found_beyond_45"] = sum(abs(yaw) > 45 for path, yaw in truth.items() if path not in photographs.all)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faces", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--masks", type=Path)
    parser.add_argument("--synthetic", type=Path)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    pictures, results = Photographs(given.faces, given.work), {}
    for measure in (turned, planted_occluders, damage):
        results[measure.__name__] = measure(pictures)
    if given.synthetic:
        results["synthetic"] = synthetic(given.synthetic)
    results["looked_at"] = looked_at(pictures, given.masks)
    given.out.write_text(json.dumps(results, indent=1, default=float) + "\n")
