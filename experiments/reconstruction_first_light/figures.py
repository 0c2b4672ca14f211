"""Curves of the measured errors and a sheet of held-out faces: `figures.py MEASURED.json RUN_OR_EXPORT`.

Writes curves.png and faces.png beside this file. On the sheet each face is followed by what the network sees in it,
drawn over the picture, and by the truth drawn in the same way.
"""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib
import torch

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from measure import POSES, SIDE, HeldOut, held_out

import facegen
from facegen.data.pictures import save_png, tile, to_uint8
from facegen.models import KnownFaces
from facegen.morphable.views import face_view
from facegen.networks.reconstruction import regress

HERE = Path(__file__).parent
PANELS = (
    ("pose_degrees", "pose, degrees"),
    ("landmarks_px224", "landmarks, pixels of 224"),
    ("shape", "shape, eye distances"),
    ("albedo", "albedo, 1 is white"),
)
EACH, COLUMNS = 12, 4


def curves(measured: Path) -> None:
    """Medians (lines) and 90th percentiles (dashed) over the images seen."""
    rows = [row for row in json.loads(measured.read_text()) if row["kimg"] is not None]
    _, axes = plt.subplots(1, len(PANELS), figsize=(4 * len(PANELS), 3), layout="constrained")
    for axis, (name, label) in zip(axes, PANELS, strict=True):
        for poses, color in zip(POSES, ("tab:blue", "tab:orange"), strict=True):
            for place, style in enumerate(("-", "--")):
                values = [row[poses][name][place] for row in rows]
                what = f"{poses}, {'median' if place == 0 else '90 %'}"
                axis.plot([row["kimg"] for row in rows], values, style, color=color, label=what)
        axis.set(xlabel="kimg", ylabel=label, ylim=(0, None))
    axes[0].legend(fontsize=7)
    plt.savefig(HERE / "curves.png", dpi=80)


@torch.no_grad()
def sheet(known: KnownFaces, network: Any, held: dict[str, HeldOut]) -> None:
    """Faces of both kinds of poses, evenly chosen by yaw."""
    shown = []
    for faces in held.values():
        order = torch.from_numpy(faces.yaw).argsort()[torch.linspace(0, len(faces.yaw) - 1, EACH).round().long()]
        images, truth = faces.images[order], faces.truth[order]
        views = [face_view(known.model, found, SIDE) for found in (regress(network, images), truth)]
        drawn = [torch.where(view.seen, view.images, images) for view in views]
        shown.append(to_uint8(torch.stack([images, *drawn], dim=1).flatten(0, 1)))
    save_png(tile(torch.cat(shown), 3 * COLUMNS), HERE / "faces.png")


if __name__ == "__main__":
    curves(Path(sys.argv[1]))
    faces_known = KnownFaces()
    sheet(faces_known, facegen.load(sys.argv[2]), {poses: held_out(faces_known, poses) for poses in POSES})
