"""How much the geometry of a generator is that of a head: its depth maps against those of the synthetic heads.

    python experiments/eg3d_first_light/geometry.py runs/NAME [--poses uniform]

64 synthetic heads that training has not seen (another seed) have a camera and a true depth map each. The generator
renders one face from each of these cameras, conditioned on the average camera. The faces differ, so depth is compared
as Pearson's correlation over the pixels where the true head shows its face (skin, eyes, mouth, ears), and where it
shows anything (with hair and shoulders): of depth itself, and of what is left of both after the best plane is taken
away, which a flat face, however it is tilted, would leave uncorrelated. What another true head scores is the ceiling.
Writes geometry.json and depths.png.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from facegen.checkpoint import load
from facegen.data.pictures import save_png, tile, to_uint8
from facegen.data.poses import random_label
from facegen.data.synthetic.source import cache_folder
from facegen.geometry.cameras import positions
from facegen.geometry.projection import world_to_clip
from facegen.morphable.procedural import PARTS, load_head, random_person
from facegen.rendering import interpolate, rasterize

SIDE, COUNT, SEED = 64, 64, 4_000_000
BACKGROUND = 3.3  # where rays end
LEAST_PIXELS = 100


def true_depth(head: Any, vertices: np.ndarray, label: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Distance along rays (SIDE, SIDE) to a head, NaN where there is none; and where its face is seen."""
    points = torch.from_numpy(vertices)
    triangles = torch.from_numpy(head.triangles)
    ones = torch.ones(len(points), 1)
    clip = torch.cat([points, ones], dim=1) @ world_to_clip(label)[0].T
    seen = rasterize(clip[None], triangles, SIDE)
    surface = interpolate(points, seen, triangles)[0]
    distance = (surface - positions(label)[0]).norm(dim=-1)
    hit = seen.triangle_id[0] >= 0
    part = torch.from_numpy(head.part.astype(np.int64))[triangles.long()[seen.triangle_id[0].clamp_min(0).long(), 0]]
    covered = (part == PARTS.index("hair")) | (part == PARTS.index("cloth"))
    return distance.where(hit, torch.nan), hit & ~covered


def correlation(a: torch.Tensor, b: torch.Tensor) -> float:
    """Pearson's correlation of two vectors."""
    return float(torch.corrcoef(torch.stack([a, b]))[0, 1])


def without_plane(depth: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> tuple[torch.Tensor, float]:
    """What a least-squares plane leaves of depth at pixels, and the share of the variance that the plane explains."""
    design = torch.stack([torch.ones(len(depth)), rows.float(), columns.float()], dim=1)
    rest = depth - design @ torch.linalg.lstsq(design, depth[:, None]).solution[:, 0]
    return rest, float(1 - rest.var() / depth.var())


def compare(found: torch.Tensor, truth: torch.Tensor, region: torch.Tensor) -> dict[str, float]:
    """Correlations of two depth maps in a region of the true head."""
    rows, columns = torch.nonzero(truth.isfinite() & region, as_tuple=True)
    ours, theirs = found[rows, columns], truth[rows, columns]
    both = ours.isfinite()
    ours, theirs, rows, columns = ours[both], theirs[both], rows[both], columns[both]
    (ours_left, explained), (theirs_left, _) = (without_plane(d, rows, columns) for d in (ours, theirs))
    return {
        "depth": correlation(ours, theirs),
        "without_plane": correlation(ours_left, theirs_left),
        "plane_explains": explained,
        "relief": float(ours_left.std() / theirs_left.std()),
    }


def shaded(depth: torch.Tensor) -> torch.Tensor:
    """A depth map as a picture (3, H, W): near is bright, nothing is black."""
    return (1 - 2 * (depth.nan_to_num(BACKGROUND) - 2.25) / (BACKGROUND - 2.25)).clamp(-1, 1).expand(3, -1, -1)


@torch.no_grad()
def main() -> None:
    """Compare, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("--poses", default="uniform", help="cameras of the synthetic heads: ffhq, large or uniform")
    parser.add_argument("--truncation", type=float, default=0.7)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    arguments = parser.parse_args()
    generator: Any = load(arguments.checkpoint)
    generator.rendering_kwargs.update(depth_resolution=48, depth_resolution_importance=48)
    head = load_head(cache_folder(), 1.0)
    frontal = generator.average_camera()
    scores: dict[str, list[dict[str, float]]] = {"face": [], "all": []}
    ceilings: dict[str, list[dict[str, float]]] = {"face": [], "all": []}
    cells: list[torch.Tensor] = []
    before = None
    for number in tqdm(range(COUNT), "comparing", unit="face"):
        rng = np.random.default_rng([SEED, number])
        person = random_person(head, rng)
        label = torch.from_numpy(random_label(arguments.poses, rng))[None]
        vertices = head.vertices(person.identity, person.expression)
        truth, face = true_depth(head, vertices, label)
        z = torch.from_numpy(np.random.RandomState(number).randn(1, generator.z_dim)).float()
        ws = generator.mapping(z, frontal, truncation_psi=arguments.truncation)
        random = torch.Generator().manual_seed(number)
        out = generator.synthesis(
            ws, label, SIDE, rand=lambda shape, device=None, g=random: torch.rand(shape, generator=g)
        )
        found = out.image_depth[0, 0]
        for name, region in (("face", face), ("all", truth.isfinite())):
            if region.sum() < LEAST_PIXELS:  # a head from behind its hair
                continue
            scores[name].append(compare(found, truth, region))
            if before is not None:  # another head from the same camera
                ceilings[name].append(compare(true_depth(head, before, label)[0], truth, region))
        before = vertices
        if len(cells) < 3 * 16:
            image = torch.nn.functional.interpolate(out.image, SIDE)[0]
            cells += [image, shaded(found), shaded(truth)]
    result: dict[str, Any] = {"poses": arguments.poses, "truncation": arguments.truncation}
    for region in scores:
        ours, other = scores[region], ceilings[region]
        result[region] = {
            "faces": len(ours),
            "generator": {name: _spread([score[name] for score in ours]) for name in ours[0]},
            "another_true_head": {name: _spread([s[name] for s in other]) for name in ("depth", "without_plane")},
        }
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "geometry.json").write_text(json.dumps(result, indent=1) + "\n")
    save_png(tile(to_uint8(torch.stack(cells)), 12), arguments.out / "depths.png")
    print(json.dumps(result, indent=1))


def _spread(values: list[float]) -> dict[str, float]:
    found = np.asarray(values)
    return {"mean": round(found.mean(), 3), "median": round(float(np.median(found)), 3), "least": round(found.min(), 3)}


if __name__ == "__main__":
    main()
