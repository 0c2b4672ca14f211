"""How well repair takes planted damage out of pictures whose undamaged state is known.

Damage of a quarter of the picture's sides: noise, or a plain coloured rectangle. A damaged picture is searched in W+,
pulled toward a mean, and compared with the undamaged one. The judge of taste is a head on embeddings, fitted to other
pictures, of which the undamaged are liked.

    OMP_NUM_THREADS=1 python experiments/curation/repair.py CHECKPOINT SOURCE REFERENCES --out out.json
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facegen.checkpoint import weights_digest
from facegen.curation.taste.head import Head, fit
from facegen.data import Recipe
from facegen.data.dataset import FaceDataset
from facegen.data.pictures import save_png, tile
from facegen.importers.loading import load_generator
from facegen.losses.perceptual import perceptual_distance
from facegen.metrics.extractors import load_extractor
from facegen.models import repair
from facegen.models.inversion.pictures import conditioning_rows
from facegen.models.inversion.projection import Space

PSIS = [1.0, 0.85, 0.7, 0.5, 0.3, 0.0]


def damaged(pictures: Tensor, kind: str, seed: int) -> tuple[Tensor, Tensor]:
    """Pictures with a square of noise or of one colour at a random place of their middle, and where it is."""
    random, side = torch.Generator().manual_seed(seed), pictures.shape[-1] // 4
    changed, where = pictures.clone(), torch.zeros(len(pictures), 1, *pictures.shape[2:], dtype=torch.bool)
    for picture, mask in zip(changed, where, strict=True):
        top, left = torch.randint(side, 2 * side, (2,), generator=random).tolist()
        square = (slice(None), slice(top, top + side), slice(left, left + side))
        size = (3, side, side) if kind == "noise" else (3, 1, 1)
        picture[square] = torch.randint(0, 256, size, generator=random, dtype=torch.uint8)
        mask[square] = True
    return changed, where


def psnr(pictures: Tensor, truth: Tensor, where: Tensor | None = None) -> float:
    """Mean over pictures of the signal-to-noise ratio in dB, in the whole picture or in a part of each."""
    errors = (pictures.float() - truth.float()).square()
    where = torch.ones_like(errors[:, :1], dtype=torch.bool) if where is None else where
    part = (errors * where).sum(dim=(1, 2, 3)) / (3 * where.sum(dim=(1, 2, 3)))
    return float((10 * torch.log10(255**2 / part.clamp_min(1e-6))).mean())


class Bench:
    """A generator, a source and those who judge."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.generator: Any = load_generator(args.checkpoint, "cpu")
        self.args, side = args, self.generator.img_resolution
        self.distance = perceptual_distance("auto", side)
        self.search = repair.Search(weights_digest(self.generator), space=args.space, steps=args.steps)
        self.embed = load_extractor("efficientnet_lite0")

    def faces(self, root: str, count: int, first: int = 0) -> tuple[Tensor, Tensor | None]:
        """Pictures and cameras of some faces of a source."""
        recipe = Recipe([root], resolution=self.generator.img_resolution, labels=self.generator.c_dim > 0)
        batch = FaceDataset(recipe, cache=False)[list(range(first, first + count))]
        return batch.images, batch.cameras if recipe.labels else None

    def encode(self, pictures: Tensor, cameras: Tensor | None) -> Tensor:
        """Latents; kept beside the results."""
        folder, found = Path(self.args.out).parent / ".repair", []
        for start in range(0, len(pictures), 8):
            rows = slice(start, start + 8)
            seen = None if cameras is None else cameras[rows]
            found.append(
                repair.inverted(self.generator, pictures[rows], seen, self.search, self.distance, folder, False)
            )
        return torch.cat(found)

    def taste(self) -> Head:
        """Of somebody who likes pictures without damage."""
        clean, _ = self.faces(self.args.source, 60, self.args.count)
        worse = torch.cat([damaged(clean[:30], "noise", 5)[0], damaged(clean[30:], "rectangle", 6)[0]])
        return fit(self.embedded(torch.cat([clean, worse])), np.repeat([1.0, 0.0], 60))

    def embedded(self, pictures: Tensor) -> np.ndarray:
        """Unit vectors of pictures."""
        return torch.nn.functional.normalize(self.embed(pictures), dim=1).numpy()


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Figures of every kind of damage, mean and candidate."""
    bench, start = Bench(args), time.perf_counter()
    clean, cameras = bench.faces(args.source, args.count)
    encoded = repair.encoded_mean(bench.encode(*bench.faces(args.references, args.reference_count)))
    mapped = repair.mapping_mean(bench.generator, conditioning_rows(bench.generator, 1, None, None))
    head, wanted = bench.taste(), repair.candidates(PSIS, repair.LAYERS)
    rows: list[dict[str, Any]] = []
    sheet = [clean[:8]]
    for kind in ("noise", "rectangle"):
        bad, where = damaged(clean, kind, 1)
        ws = bench.encode(bad, cameras)
        rows.append({"damage": kind, "mean": "", "what": "damaged", **figures(bench, head, bad, clean, where)})
        for mean, statistics in (("encoded", encoded), ("mapping", mapped)):
            judges = repair.Judges(lambda x: torch.from_numpy(bench.embedded(x)), lambda x: tasted(bench, head, x))
            found = [
                repair.repair(bench.generator, bad[n], ws[n], statistics, wanted, judges, _camera(cameras, n))
                for n in range(len(bad))
            ]
            for place, candidate in enumerate(wanted):
                made = torch.stack([each.pictures[place] for each in found])
                named = {"damage": kind, "mean": mean, "what": f"psi {candidate.psi:g} {candidate.layers}"}
                rows.append({**named, **figures(bench, head, made, clean, where)})
            chosen = bad
            for enough in (None, 0.9):
                places = [repair.choose(each.judgements, None, enough) or 0 for each in found]
                chosen = torch.stack([each.pictures[place] for each, place in zip(found, places, strict=True)])
                named = {"damage": kind, "mean": mean, "what": "most liked" if enough is None else f"liked {enough}"}
                rows.append({**named, **figures(bench, head, chosen, clean, where)})
            if mean == "encoded":
                whole = wanted.index(repair.Candidate(1.0))
                sheet += [bad[:8], torch.stack([each.pictures[whole] for each in found[:8]]), chosen[:8]]
    save_png(tile(torch.cat(sheet), 8), Path(args.out).with_suffix(".png"))
    return {"settings": vars(args), "seconds": time.perf_counter() - start, "rows": rows}


def _camera(cameras: Tensor | None, row: int) -> Tensor | None:
    return None if cameras is None else cameras[row]


def tasted(bench: Bench, head: Head, pictures: Tensor) -> Tensor:
    """How probably pictures are liked."""
    return torch.from_numpy(head.predict(bench.embedded(pictures)).taste)


def figures(bench: Bench, head: Head, pictures: Tensor, clean: Tensor, where: Tensor) -> dict[str, float]:
    """PSNR to the undamaged pictures, in the damage and beside it; embedding distance to them; taste."""
    apart = np.linalg.norm(bench.embedded(pictures) - bench.embedded(clean), axis=1).mean()
    found = {"psnr": psnr(pictures, clean), "inside": psnr(pictures, clean, where)}
    found |= {"outside": psnr(pictures, clean, ~where), "distance": float(apart)}
    return found | {"taste": float(tasted(bench, head, pictures).mean())}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("checkpoint", "source", "references"):
        parser.add_argument(name)
    parser.add_argument("--count", type=int, default=16)
    parser.add_argument("--reference-count", type=int, default=32)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--space", type=str, default="w+", choices=Space.__args__)
    parser.add_argument("--out", default="repair.json")
    args = parser.parse_args()
    found = run(args)
    Path(args.out).write_text(json.dumps(found, indent=1) + "\n")
    for row in found["rows"]:
        print("  ".join(f"{v:<16}" if isinstance(v, str) else f"{v:7.3f}" for v in row.values()))


if __name__ == "__main__":
    main()
