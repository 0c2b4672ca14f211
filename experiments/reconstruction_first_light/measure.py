"""Errors of reconstruction networks on synthetic faces that they have not seen: `measure.py OUT.json RUN_OR_EXPORT ...`

Of a run, every checkpoint is measured. Held-out faces: 500 with the poses of FFHQ, and those of 500 in all directions
whose yaw is at most 75 degrees. Pose: the angle between the true and the found rotation. Shape: root mean square over
vertices before the pose, as a share of the distance of the outer eye corners. Landmarks: mean distance, pixels of 224.
"""

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

import facegen
from facegen.checkpoint import checkpoint_files, read_checkpoint
from facegen.data.dataset import FaceDataset
from facegen.data.poses import yaw_pitch_degrees
from facegen.data.synthetic import synthetic_recipe
from facegen.geometry.alignment_points import LEFT_EYE, RIGHT_EYE
from facegen.geometry.cameras import head_rotation
from facegen.models import KnownFaces
from facegen.networks.reconstruction import regress

COUNT, SEED, SIDE, MOST_YAW = 500, 7, 64, 75.0
POSES = ("ffhq", "uniform")


class HeldOut(NamedTuple):
    """Faces that no network has seen."""

    images: Tensor  # [-1, 1]
    truth: Tensor  # coefficients
    yaw: np.ndarray  # degrees
    eyes: Tensor  # distance of the outer eye corners, decimetres


def held_out(known: KnownFaces, poses: Any) -> HeldOut:
    """Those of one kind of poses whose yaw is small enough."""
    recipe = synthetic_recipe(COUNT, SIDE, poses, SEED, labels=True, conditions=list(known.columns))
    batch = FaceDataset(recipe)[list(range(COUNT))]
    yaw, truth, model = yaw_pitch_degrees(batch.cameras.numpy())[:, 0], known.truth(batch), known.model
    parts, corners = model.split(truth), model.landmarks[[RIGHT_EYE.start, LEFT_EYE.start + 3]]
    shape = torch.cat([parts.identity, parts.expression], dim=1)
    modes = torch.cat([model.identity, model.expression])[:, corners]
    places = model.mean_shape[corners] + (shape @ modes.flatten(1)).unflatten(1, (2, 3))
    kept = torch.from_numpy(np.abs(yaw) <= MOST_YAW)
    eyes = (places[:, 0] - places[:, 1]).norm(dim=1)
    return HeldOut((batch.images / 127.5 - 1)[kept], truth[kept], yaw[kept.numpy()], eyes[kept])


def errors(known: KnownFaces, found: Tensor, faces: HeldOut) -> dict[str, np.ndarray]:
    """Pose in degrees, shape in eye distances, landmarks in pixels of 224, of each face."""
    ours, theirs = known.model.split(found), known.model.split(faces.truth)
    trace = (head_rotation(ours.angle) * head_rotation(theirs.angle)).sum(dim=(1, 2))
    measured = known.measure(ours, theirs)
    figures = {
        "pose_degrees": torch.rad2deg(((trace - 1) / 2).clamp(-1, 1).acos()),
        "shape": measured.shape / faces.eyes,
        "landmarks_px224": measured.landmarks * 224,
        "albedo": measured.albedo,
        "light": measured.light,
    }
    return {name: values.numpy() for name, values in figures.items()}


def summary(values: dict[str, np.ndarray]) -> dict[str, list[float]]:
    """Median and 90th percentile."""
    return {name: [round(float(np.quantile(v, q)), 5) for q in (0.5, 0.9)] for name, v in values.items()}


@torch.no_grad()
def measure(known: KnownFaces, network: Any, held: dict[str, HeldOut]) -> dict[str, Any]:
    """Figures of a network (None: the mean face from in front) by the poses of the faces."""
    row: dict[str, Any] = {}
    for poses, faces in held.items():
        found = torch.zeros_like(faces.truth)
        if network is not None:
            found = torch.cat([regress(network, part) for part in faces.images.split(50)])
        values = errors(known, found, faces)
        row[poses] = summary(values)
        for least, most in ((0, 30), (30, 60), (60, 75)):
            chosen = (np.abs(faces.yaw) >= least) & (np.abs(faces.yaw) < most)
            if poses == "uniform" and chosen.any():
                pose = values["pose_degrees"][chosen]
                row[f"{poses} yaw {least}-{most}"] = {"pose_degrees": np.quantile(pose, [0.5, 0.9]).round(4).tolist()}
    return row


def main(out: str, *sources: str) -> None:
    """Measure, print and write rows."""
    known = KnownFaces()
    held = {poses: held_out(known, poses) for poses in POSES}
    rows = [{"source": "mean face", "kimg": 0.0, **measure(known, None, held)}]
    for source in sources:
        for path in checkpoint_files(source) or [Path(source)]:
            kimg = read_checkpoint(path)["facegen"]["images_seen"] / 1000 if path.suffix == ".ckpt" else None
            rows.append({"source": Path(source).name, "kimg": kimg, **measure(known, facegen.load(path), held)})
            print(json.dumps(rows[-1]), flush=True)
    Path(out).write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
