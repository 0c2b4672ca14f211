"""Inversion of 8 synthetic test heads and 4 photographs with the trained EG3D: PSNR and LPIPS before and after tuning.

    python experiments/eg3d_first_light/invert.py runs/NAME --faces ../shared/faces

Writes inversion.json, inversion_synthetic.png and inversion_photographs.png. Columns of the pictures: target, W, W from
yaw -40, 0 and 40 degrees, depth from the front; tuned, the same views and depth of the tuned generator.
"""

import argparse
import csv
import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8
from omegaconf import OmegaConf
from PIL import Image
from torch import Tensor
from tqdm import tqdm

import facegen
from facegen.checkpoint import atomic_write
from facegen.cli.invert import figures
from facegen.data.pictures import save_png, tile, to_uint8
from facegen.data.synthetic import cache_folder
from facegen.data.synthetic.faces import Settings, face_name, make_face
from facegen.geometry import cameras
from facegen.geometry.projection import project
from facegen.losses.perceptual import package_weights, perceptual_distance
from facegen.models import inversion
from facegen.morphable.procedural import PARTS, load_head, render_head

TEST_SEED = 12345  # other heads than those of the training, which has seed 0
HEADS = 8
# FFHQ: two beyond 45 degrees of yaw and two nearer to the front, unhidden faces
PHOTOGRAPHS = ("ffhq256/00035.jpg", "ffhq256/00120.jpg", "ffhq256/00012.jpg", "ffhq256/00076.jpg")
YAWS = (-40, 0, 40)
POINTS = ("eye_l", "eye_r", "nose", "mouth_l", "mouth_r")


class Subject(NamedTuple):
    """A picture in [-1, 1] with its camera; of a synthetic head also what YAWS show, and where the head is there."""

    name: str
    image: Float[Tensor, "1 3 side side"]
    camera: Float[Tensor, "1 25"]
    truth: Float[Tensor, "view 3 side side"] | None = None
    masks: Bool[Tensor, "view 1 side side"] | None = None


def label_from_pose(yaw_degrees: float, pitch_degrees: float) -> Float[Tensor, "1 25"]:
    """Camera that sees a head turned by (yaw, pitch) and not rolled.

    Positive yaw: the nose points to the right of the picture; positive pitch: the head looks down. The angles are those
    between the head and the optical axis, which goes through the pivot and not through the origin.
    """
    yaw, pitch = math.radians(yaw_degrees), math.radians(pitch_degrees)
    toward = torch.tensor([-math.sin(yaw) * math.cos(pitch), math.sin(pitch), math.cos(yaw) * math.cos(pitch)])
    pivot = torch.tensor(cameras.PIVOT)
    along = pivot @ toward
    distance = -along + torch.sqrt(along**2 - pivot @ pivot + cameras.RADIUS**2)  # where the axis meets the sphere
    position = (pivot + distance * toward)[None]
    return cameras.label(cameras.camera_to_world(-toward[None], position), cameras.pinhole_intrinsics())


def five_points(label: Float[Tensor, "1 25"]) -> Float[np.ndarray, "5 2"]:
    """Eyes, nose tip and mouth corners of the mean procedural head as a camera sees them, in image widths."""
    head = load_head(cache_folder())
    marks = torch.from_numpy(head.mean_shape[head.landmarks])
    points = torch.stack([marks[36:42].mean(0), marks[42:48].mean(0), marks[30], marks[48], marks[54]])
    return project(points, label)[0].numpy()


def similarity(source: Float[np.ndarray, "point 2"], target: Float[np.ndarray, "point 2"]) -> Float[np.ndarray, "2 3"]:
    """Scale, rotation and shift that bring `source` nearest to `target` (Umeyama 1991; a complex number here)."""
    p, q = (points[:, 0] + 1j * points[:, 1] for points in (source, target))
    a = np.vdot(p - p.mean(), q - q.mean()) / np.vdot(p - p.mean(), p - p.mean()).real
    b = q.mean() - a * p.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def align(picture: Image.Image, source: np.ndarray, target: np.ndarray, side: int) -> UInt8[np.ndarray, "side side 3"]:
    """Bring points (image widths) of a square picture to their targets; what lies outside is reflected."""
    width = picture.width
    border = width  # enough for a picture that is moved by its own size
    padded = np.pad(np.asarray(picture.convert("RGB")), ((border, border), (border, border), (0, 0)), mode="symmetric")
    matrix = np.vstack([similarity(source, target), [0, 0, 1]])
    fine = 4 * side
    to_widths = np.diag([1 / fine, 1 / fine, 1])
    to_pixels = np.array([[width, 0, border], [0, width, border], [0, 0, 1]])
    back = to_pixels @ np.linalg.inv(matrix) @ to_widths  # from pixels of the result to those of the padded picture
    moved = Image.fromarray(padded).transform(
        (fine, fine), Image.Transform.AFFINE, tuple(back[:2].ravel()), Image.Resampling.BICUBIC
    )
    return np.asarray(moved.resize((side, side), Image.Resampling.BOX))


def photographs(faces: Path, side: int) -> list[Subject]:
    """The chosen photographs in the framing of the synthetic heads, with cameras from their measured poses."""
    with (faces / "index.csv").open(newline="") as file:
        rows = {row["path"]: row for row in csv.DictReader(file)}
    found = []
    for name in PHOTOGRAPHS:
        row, picture = rows[name], Image.open(faces / name)
        label = label_from_pose(float(row["yaw"]), float(row["pitch"]))  # the similarity takes the roll away
        source = np.array([[float(row[f"{point}_{axis}"]) for axis in "xy"] for point in POINTS]) / picture.width
        found.append(Subject(name, _numbers(align(picture, source, five_points(label), side)), label))
    return found


def heads(poses: str, side: int) -> list[Subject]:
    """Synthetic heads that the training has not seen (`facegen data synthesize seed=12345`), and their other views."""
    head, settings = load_head(cache_folder()), Settings(TEST_SEED, side, poses)
    found = []
    for number in range(HEADS):
        face = make_face(head, settings, number)
        vertices, colors = head.vertices(face.person.identity, face.person.expression), head.colors(face.person.albedo)
        grey = np.full((side, side, 3), 0.5, np.float32)
        others = [label_from_pose(yaw, 0) for yaw in YAWS]
        seen = [render_head(head, vertices, colors, face.light, label[0].numpy(), grey) for label in others]
        truth = torch.cat([_numbers(picture.image) for picture in seen])
        masks = torch.from_numpy(np.stack([picture.parts != PARTS.index("background") for picture in seen]))[:, None]
        name = face_name(number).split("/")[-1]
        found.append(Subject(name, _numbers(face.picture.image), torch.from_numpy(face.label)[None], truth, masks))
    return found


def _numbers(pixels: UInt8[np.ndarray, "side side 3"]) -> Float[Tensor, "1 3 side side"]:
    return (torch.from_numpy(pixels.astype(np.float32)) / 127.5 - 1).permute(2, 0, 1)[None].contiguous()


@torch.no_grad()
def views(generator: Any, ws: Tensor) -> Float[Tensor, "view 3 side side"]:
    """Pictures from YAWS, and the depth from the front (near is bright)."""
    labels = torch.cat([label_from_pose(yaw, 0) for yaw in YAWS])
    made = [inversion.synthesize(generator, ws, label[None]) for label in labels]
    depth = made[YAWS.index(0)].depth
    assert depth is not None
    near, far = depth.quantile(0.02), depth.quantile(0.98)
    grey = (1 - 2 * (depth - near) / (far - near)).clamp(-1, 1).expand(-1, 3, -1, -1)
    grey = F.interpolate(grey, size=made[0].image.shape[-1], mode="nearest")
    return torch.cat([*(one.image for one in made), grey])


def other_views(images: Float[Tensor, "view 3 side side"], subject: Subject) -> dict[str, float]:
    """PSNR of the head's pixels in views that the inversion has not seen, where the truth is known."""
    if subject.truth is None or subject.masks is None:
        return {}
    error = ((images.clamp(-1, 1) - subject.truth).square() * subject.masks).sum() / (3 * subject.masks.sum())
    return {"psnr_of_unseen_views": float(10 * torch.log10(4 / error))}


def invert_all(generator: Any, subjects: list[Subject], steps: int, pivotal_steps: int) -> tuple[list[Any], np.ndarray]:
    """Figures of every subject, and the picture with a row for each."""
    minimised = perceptual_distance(side=generator.img_resolution)
    judges = [minimised, *(perceptual_distance("vgg", quiet=True) for _ in range(package_weights("vgg") is not None))]
    both: dict[str, Any] = {"perceptual": minimised, "pixel_weight": 5.0, "raw_weight": 2.0}
    targets, labels = (torch.cat(parts) for parts in zip(*((s.image, s.camera) for s in subjects), strict=True))
    found = inversion.invert(generator, targets, labels, steps=steps, **both)
    mean = inversion.w_statistics(generator, inversion.average_camera(generator)).mean[:, None]
    results, rows = [], []
    for number, subject in enumerate(tqdm(subjects, desc="tuning", unit="img")):
        target, camera = subject.image, subject.camera
        ws = found.ws[number : number + 1]
        tuned = inversion.pivotal_tuning(
            generator, ws, target, camera, steps=pivotal_steps, learning_rate=1e-3, progress=False, **both
        )
        with torch.no_grad():
            average = inversion.synthesize(generator, mean.expand(-1, generator.num_ws, -1), camera).image
        stages = {"mean_w": average, "w": found.images[number : number + 1], "pivotal": tuned.images}
        entry = {name: figures(image, target, judges) for name, image in stages.items()}
        shown = {"w": views(generator, ws), "pivotal": views(tuned.generator, ws)}
        for name, sheet in shown.items():
            entry[name] |= other_views(sheet[: len(YAWS)], subject)
        results.append({"name": subject.name, "camera": camera[0].tolist(), **entry})
        print(subject.name, {name: round(values["psnr"], 2) for name, values in entry.items()}, flush=True)
        rows += [target, stages["w"], shown["w"], tuned.images, shown["pivotal"]]
    sheet = to_uint8(torch.cat(rows))
    return results, tile(sheet, len(sheet) // len(subjects))


def means(results: list[Any]) -> dict[str, dict[str, float]]:
    """Means over the subjects."""
    stages = ("mean_w", "w", "pivotal")
    return {s: {k: float(np.mean([r[s][k] for r in results])) for k in results[0][s]} for s in stages}


def main() -> None:
    """Invert and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run folder of the training")
    parser.add_argument("--faces", type=Path, default=Path("../shared/faces"), help="holds index.csv and ffhq256/")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder to write to")
    parser.add_argument("--steps", type=int, default=250, help="of the search for w")
    parser.add_argument("--pivotal-steps", type=int, default=150, help="of tuning, for each picture")
    given = parser.parse_args()
    generator: Any = facegen.load(given.run)
    side = generator.img_resolution
    summary: dict[str, Any] = {"steps": given.steps, "pivotal_steps": given.pivotal_steps, "resolution": side}
    poses = OmegaConf.select(OmegaConf.load(given.run / "config.yaml"), "data.poses", default="ffhq")
    for name, subjects in (("synthetic", heads(poses, side)), ("photographs", photographs(given.faces, side))):
        results, sheet = invert_all(generator, subjects, given.steps, given.pivotal_steps)
        save_png(sheet, given.out / f"inversion_{name}.png")
        summary[name] = {"mean": means(results), "images": results}
        print(name, json.dumps(summary[name]["mean"], indent=1), flush=True)
        with atomic_write(given.out / "inversion.json") as temporary:
            temporary.write_text(json.dumps(summary, indent=1) + "\n")


if __name__ == "__main__":
    main()
