"""What few images do to Fréchet distances of real face features, as they are and as pose bins measure them.

    python benchmarks/pose_bin_bias.py [faces=../shared/faces] [pictures=FOLDER]

Prints the table of docs/metrics_pose.md: subsets of n images of FFHQ and of a synthetic set, 20 times each, with the
default extractor. `pictures` writes the pose curve and map of both synthetic sets.
"""

import csv
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from facegen.metrics.extractors import load_extractor
from facegen.metrics.frechet_interval import frechet_interval
from facegen.metrics.pose_binned import binned_frechet
from facegen.metrics.pose_bins import PoseBins
from facegen.metrics.posed import Posed, leading_axes
from facegen.reports.pose_figures import curve, heat_map

COUNTS, REPEATS, COMPONENTS = (32, 64, 128, 256), 20, (16, 32, 64, None)
SETS = {"sfhq": "SFHQ part 1", "t2i": "SFHQ-T2I"}


def read(faces: Path) -> dict[str, Posed]:
    """Features and angles of the faces of each source that have a pose."""
    extractor = load_extractor("efficientnet_lite0")
    with (faces / "index.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["yaw"] and row["source"] in ("ffhq", *SETS)]
    features = []
    with torch.inference_mode():
        for start in range(0, len(rows), 32):
            pictures = [Image.open(faces / row["path"]).convert("RGB") for row in rows[start : start + 32]]
            images = torch.stack([torch.from_numpy(np.array(picture)) for picture in pictures]).permute(0, 3, 1, 2)
            features.append(extractor(images))
    every = Posed(
        torch.cat(features), torch.deg2rad(torch.tensor([[float(r["yaw"]), float(r["pitch"])] for r in rows]))
    )
    sources = np.array([row["source"] for row in rows])
    return {name: every.at(torch.from_numpy(sources == name)) for name in ("ffhq", *SETS)}


def line(name: str, real: torch.Tensor, generated: torch.Tensor, components: int | None) -> str:
    """A row of the table: all images, then subsets."""
    if components is not None:
        axes = leading_axes(real, components)
        real, generated = real.double() @ axes, generated.double() @ axes
    draws = torch.Generator().manual_seed(0)
    cells = [name, "all" if components is None else str(components)]
    whole = frechet_interval(real, generated)
    cells.append(f"{whole.value:.1f} / {whole.corrected:.1f} ± {whole.standard_error:.1f}")
    for count in COUNTS:
        parts = [
            [rows[torch.randperm(len(rows), generator=draws)[:count]] for rows in (real, generated)]
            for _ in range(REPEATS)
        ]
        found = [frechet_interval(first, second, replicates=10) for first, second in parts]
        corrected = np.array([each.corrected for each in found])
        cells.append(f"{np.mean([each.value for each in found]):.1f} / {corrected.mean():.1f} ± {corrected.std():.1f}")
    return f"| {' | '.join(cells)} |"


def draw(sets: dict[str, Posed], folder: Path) -> None:
    """Curve and maps in few and wide bins, which 800 faces fill."""
    folder.mkdir(parents=True, exist_ok=True)
    bins = PoseBins((-90, -45, -25, -15, -5, 5, 15, 25, 45, 90), (-45, -5, 5, 45))
    found = {
        title: binned_frechet(sets["ffhq"], sets[name], bins, num_per_bin=32, components=16).as_dict()
        for name, title in SETS.items()
    }
    (folder / "yaw.png").write_bytes(curve(found, title="Against FFHQ"))
    (folder / "yaw_kernel.png").write_bytes(curve(found, quantity="kernel", title="Against FFHQ"))
    for name, title in SETS.items():
        (folder / f"map_{name}.png").write_bytes(heat_map(title, found, quantity="kernel"))


def main() -> None:
    given = dict(argument.split("=", 1) for argument in sys.argv[1:])
    torch.set_num_threads(1)
    sets = read(Path(given.get("faces", "../shared/faces")))
    if "pictures" in given:
        draw(sets, Path(given["pictures"]))
    print(f"| against FFHQ | components | all images | {' | '.join(f'n = {count}' for count in COUNTS)} |")
    print("|---" * (3 + len(COUNTS)) + "|")
    for name, title in SETS.items():
        for components in COMPONENTS:
            print(line(title, sets["ffhq"].features, sets[name].features, components), flush=True)


if __name__ == "__main__":
    main()
