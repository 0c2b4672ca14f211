"""How well faces are parsed and hairlines found: synthetic faces, whose parts are known, and photographs.

    python experiments/curation/parsing.py FACES [--own EXPORT] [--each 60] [--out parsing.json]

FACES: the developers' photographs (`index.csv`, `london512_landmarks.npz` with 189 points placed by hand). --own: an
export of model=parser trained on synthetic faces, to compare. Only figures are written. What is compared with what:

london: areas within the points placed by hand (eyes, brows, lips, mouth, face), and the points of the hairlines
  (134 to 144 between face and hair, 148 to 154 around the hair), in parts of the distance of the pupils. People whose
  hair hangs into the forehead are counted apart: their points mark the roots, ours what is seen.
sides: whether the eye at a point that MediaPipe measured is named by the person's own side, before and after
  `with_sides`, on FFHQ and on turned heads.
mirrored: agreement of a mask with that of the mirrored picture, without truth.
synthetic: against the masks that faces were rendered with; hairlines against the nearest pixel where, in these masks,
  skin meets hair, or hair meets what lies behind.
"""

import argparse
import csv
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from PIL import Image
from torch import nn
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from facegen.checkpoint import cache_folder
from facegen.curation.models import named_models
from facegen.curation.parsing.hairlines import find_hairlines
from facegen.curation.parsing.orders import PAIRS, where, with_sides
from facegen.curation.parsing.parsers import named_parser
from facegen.curation.parsing.pictures import parse_pictures
from facegen.data.masks import CELEBAMASK, convert_ids
from facegen.data.synthetic.faces import Settings, make_face
from facegen.morphable.procedural import PARTS, load_head
from facegen.networks.parsing import parse

Array = np.ndarray
FRINGED = ("003", "005", "026", "045", "062", "128", "136", "143")  # of the London set, by eye
INNER, OUTER = slice(134, 145), slice(148, 155)
AREAS = {  # polygons of the London set's points, and the parts that fill them
    "eyes": ([[18, 19, 20, 21, 22, 30, 29, 28], [23, 24, 25, 26, 27, 33, 32, 31]], ("l_eye", "r_eye")),
    "brows": ([[71, 72, 73, 74, 75, 76, 84, 83], [77, 78, 79, 80, 81, 82, 86, 85]], ("l_brow", "r_brow")),
    "upper lip": ([[*range(87, 94), *range(98, 93, -1)]], ("u_lip",)),
    "lower lip": ([[87, *range(99, 104), 93, *range(108, 103, -1)]], ("l_lip",)),
    "lips": ([[*range(87, 94), *range(108, 103, -1)]], ("u_lip", "l_lip", "mouth")),
    "face": (
        [[*range(134, 145), 112, 113, 114, *range(133, 124, -1), 111, 110, 109]],
        ("skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "mouth", "u_lip", "l_lip"),
    ),
}
COARSE = {  # the parts of synthetic faces as CelebAMask-HQ's; necks and brows of synthetic faces are skin
    "skin": ("skin", "nose", "neck", "l_brow", "r_brow"),
    "hair": ("hair", "hat"),
    "eye": ("l_eye", "r_eye", "eye_g"),
    "ear": ("l_ear", "r_ear", "ear_r"),
    "lips": ("u_lip", "l_lip"),
    "mouth": ("mouth",),
    "cloth": ("cloth", "neck_l"),
    "background": ("background",),
}


class Overlap(NamedTuple):
    """Pixels in both masks and in either."""

    both: int
    either: int


def overlap(one: Array, other: Array) -> Overlap:
    """Of two areas."""
    return Overlap(int((one & other).sum()), int((one | other).sum()))


def iou(found: Sequence[Overlap]) -> float | None:
    """Over all pixels of all pictures."""
    either = sum(one.either for one in found)
    return round(sum(one.both for one in found) / either, 3) if either else None


def summary(distances: Sequence[Array]) -> dict[str, float]:
    """Median, mean and 90th percentile of distances that are known, and the share that is."""
    every = np.concatenate([np.ravel(one) for one in distances])
    values = every[np.isfinite(every)]
    figures = {"median": np.median(values), "mean": values.mean(), "p90": np.quantile(values, 0.9)}
    return {name: round(float(value), 4) for name, value in figures.items()} | {
        "known": round(len(values) / len(every), 3)
    }


def to_polyline(points: Array, line: Array) -> Array:
    """Distance of points from the nearest of a line's stretches whose ends are both known."""
    starts, ends = line[:-1], line[1:]
    known = np.isfinite(starts).all(axis=1) & np.isfinite(ends).all(axis=1)
    if not known.any():
        return np.full(len(points), np.nan)
    a, way = starts[known], ends[known] - starts[known]
    share = ((points[:, None] - a) * way).sum(-1) / np.maximum((way**2).sum(-1), 1e-9)
    nearest = a + share.clip(0, 1)[..., None] * way
    return np.linalg.norm(points[:, None] - nearest, axis=-1).min(axis=1)


def pixels_of(path: Path) -> Array:
    """RGB."""
    return np.array(Image.open(path).convert("RGB"))


def raw(network: nn.Module, pixels: Array) -> Array:
    """CelebAMask-HQ's ids of a square picture, sides as the network says them."""
    images = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.inference_mode():
        ids = parse(network, images)[0, 0].byte().numpy()  # type: ignore[arg-type]
    return convert_ids(ids, network.parts, CELEBAMASK)  # type: ignore[arg-type]


def london(faces: Path, network: nn.Module) -> dict[str, Any]:
    """Areas and hairlines against points placed by hand, with and without the second look at the face."""
    with np.load(faces / "london512_landmarks.npz") as stored:
        names, points = stored["names"].tolist(), stored["points"].astype(np.float64)
    models = named_models("dlib", None).load()
    areas: dict[str, dict[str, list[Overlap]]] = {}
    errors: dict[str, list[Array]] = {}
    for name, hand in zip(tqdm(names, "london"), points, strict=True):
        path, fringed = faces / "london512" / f"{name}.jpg", name.split("_")[0] in FRINGED
        pixels = pixels_of(path)
        box = max(models.detect(pixels, path), key=lambda face: face.score).box
        landmarks, unit = models.landmarks(pixels, path, box) + 0.5, float(np.linalg.norm(hand[1] - hand[0]))
        masks = {"one look": with_sides(raw(network, pixels)), "two looks": parse_pictures(network, [pixels])[0]}
        for looks, mask in masks.items():
            for area, (polygons, parts) in AREAS.items():
                if area != "face" or not fringed:
                    both = overlap(filled(hand, polygons, mask.shape), where(mask, parts))
                    areas.setdefault(looks, {}).setdefault(area, []).append(both)
            lines = find_hairlines(mask, landmarks, CELEBAMASK)
            kind = "inner, hair in the forehead" if fringed else "inner"
            for key, line, truth in ((kind, lines.inner, hand[INNER]), ("outer", lines.outer, hand[OUTER])):
                errors.setdefault(f"{looks}: {key}", []).append(to_polyline(truth, line) / unit)
    return {
        "faces": len(names),
        "iou": {looks: {name: iou(found) for name, found in each.items()} for looks, each in areas.items()},
        "hairlines, in distances of the pupils": {name: summary(found) for name, found in errors.items()},
    }


def filled(points: Array, polygons: Sequence[Sequence[int]], shape: tuple[int, int]) -> Array:
    """Where polygons of points are, to an eighth of a pixel."""
    drawn = np.zeros(shape, np.uint8)
    for polygon in polygons:
        cv2.fillPoly(drawn, [np.round(8 * (points[list(polygon)] - 0.5)).astype(np.int32)], 1, shift=3)
    return drawn > 0


def sides(faces: Path, network: nn.Module, rows: list[dict[str, str]]) -> dict[str, Any]:
    """Share of eyes named by the person's own side, as the network says and after `with_sides`."""
    said, right = [], []
    for row in tqdm(rows, "sides"):
        before = raw(network, pixels_of(faces / row["path"]))
        for counts, mask in ((said, before), (right, with_sides(before))):
            for column, name in (("eye_l", "r_eye"), ("eye_r", "l_eye")):  # index.csv: eye_l is at the picture's left
                x, y = (int(float(row[f"{column}_{axis}"])) for axis in "xy")
                seen = mask[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
                if (eyes := seen[where(seen, PAIRS[0])]).size:
                    counts.append(float((eyes == CELEBAMASK.index(name)).mean() > 0.5))
    figures = {"as the network says": np.mean(said), "after with_sides": np.mean(right)}
    return {"faces": len(rows), "eyes": len(right)} | {name: round(float(one), 4) for name, one in figures.items()}


def mirrored(faces: Path, network: nn.Module, rows: list[dict[str, str]]) -> dict[str, Any]:
    """IoU of parts between masks of pictures and the mirrored masks of their mirror images."""
    found: dict[str, list[Overlap]] = {name: [] for name in CELEBAMASK}
    swap = {a: b for pair in PAIRS for a, b in (pair, pair[::-1])}
    for row in tqdm(rows, "mirrored"):
        pixels = pixels_of(faces / row["path"])
        one, other = parse_pictures(network, [pixels, pixels[:, ::-1]])
        for name in CELEBAMASK:
            found[name].append(overlap(where(one, [name]), where(other[:, ::-1], [swap.get(name, name)])))
    return {"faces": len(rows), "iou": {name: iou(each) for name, each in found.items()}}


def synthetic(networks: dict[str, nn.Module], side: int, count: int, seed: int = 7) -> dict[str, Any]:
    """Parts and hairlines of rendered heads."""
    head = load_head(cache_folder())
    areas = {name: {part: [] for part in COARSE} for name in networks}
    errors: dict[str, list[Array]] = {}
    for number in tqdm(range(count), f"synthetic {side}"):
        picture = make_face(head, Settings(seed, side, "ffhq"), number).picture
        points = picture.landmarks.astype(np.float64)
        unit = float(np.linalg.norm(points[42:48].mean(axis=0) - points[36:42].mean(axis=0)))
        masks: dict[str, tuple[Array, Sequence[str]]] = {"true masks": (picture.parts, PARTS)}
        for name, network in networks.items():
            (mask,) = parse_pictures(network, [picture.image])
            masks[name] = (mask, CELEBAMASK)
            for part, same in COARSE.items():
                areas[name][part].append(overlap(picture.parts == PARTS.index(part), where(mask, same)))
        edges = true_edges(picture.parts)
        for name, (mask, parts) in masks.items():
            for line, points_of_line in zip(("inner", "outer"), find_hairlines(mask, points, parts), strict=True):
                off = np.linalg.norm(points_of_line[:, None] - edges[line], axis=-1).min(axis=1, initial=np.inf)
                errors.setdefault(f"{name}: {line}", []).append(np.where(np.isinf(off), np.nan, off) / unit)
    return {
        "faces": count,
        "side": side,
        "iou": {name: {part: iou(found) for part, found in each.items()} for name, each in areas.items()},
        "hairlines, in distances of the eyes": {name: summary(found) for name, found in errors.items()},
    }


def true_edges(parts: Array) -> dict[str, Array]:
    """Points between pixels of the face and of hair, and between hair and what lies behind it."""
    hair = parts == PARTS.index("hair")
    face = np.isin(parts, [PARTS.index(name) for name in ("skin", "eye", "ear", "brow", "lips", "mouth")])
    return {
        "inner": np.array([*_between(hair, face)]).reshape(-1, 2),
        "outer": np.array([*_between(hair, ~hair & ~face)]).reshape(-1, 2),
    }


def _between(one: Array, other: Array) -> Iterator[tuple[float, float]]:
    """Middles (x, y) of the edges that pixels of two areas share."""
    for shift_y, shift_x in ((0, 1), (1, 0)):
        near = slice(0, -shift_y or None), slice(0, -shift_x or None)
        far = slice(shift_y, None), slice(shift_x, None)
        for y, x in np.argwhere((one[near] & other[far]) | (other[near] & one[far])):
            yield x + 0.5 + shift_x / 2, y + 0.5 + shift_y / 2


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces", type=Path)
    parser.add_argument("--own", type=Path)
    parser.add_argument("--each", type=int, default=60)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    settings = parser.parse_args()
    model = named_parser()
    network = model.load(*model.arguments)
    networks = {"BiSeNet": network}
    if settings.own:
        own = named_parser(settings.own)
        networks["trained on synthetic faces"] = own.load(*own.arguments)
    with (settings.faces / "index.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["yaw"]]
    near = [row for row in rows if row["path"].startswith("ffhq256")][: settings.each]
    turned = [row for row in rows if abs(float(row["yaw"])) > 30][:: max(139 // settings.each, 1)][: settings.each]
    results: dict[str, Any] = {"parser": model.name}
    steps = {
        "london": lambda: london(settings.faces, network),
        "sides, ffhq": lambda: sides(settings.faces, network, near),
        "sides, turned by more than 30 degrees": lambda: sides(settings.faces, network, turned),
        "mirrored, ffhq": lambda: mirrored(settings.faces, network, near[: settings.each // 2]),
        "mirrored, turned": lambda: mirrored(settings.faces, network, turned[: settings.each // 2]),
        "synthetic 64": lambda: synthetic(networks, 64, 2 * settings.each),
        "synthetic 256": lambda: synthetic(networks, 256, settings.each),
    }
    for name, step in steps.items():
        results[name] = step()
        settings.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
