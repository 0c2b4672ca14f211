"""Near-duplicates planted among real pictures: how many are found, and how many pairs are none.

`python experiments/curation/duplicates.py FACES [--embedder NAME] [--weights FILE] [--copies 240]`, FACES a folder with
ffhq256, t2i256 and sfhq256. Copies of evenly chosen pictures, changed in one way each, are embedded and compared with
all originals. "False": pairs of two different FFHQ photographs, every one of which shows another scene.
"""

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from facegen.curation.embedding import DEFAULT_MODEL, embedder

FOLDERS, BATCH = ("ffhq256", "t2i256", "sfhq256"), 32
THRESHOLDS = (0.80, 0.85, 0.88, 0.90, 0.92, 0.94, 0.96)
Change = Callable[[Image.Image], Image.Image]


def _jpeg(quality: int) -> Change:
    def change(picture: Image.Image) -> Image.Image:
        data = io.BytesIO()
        picture.save(data, "JPEG", quality=quality)
        return Image.open(data).convert("RGB")

    return change


def _reduced(side: int) -> Change:
    return lambda picture: picture.resize((side, side), Image.Resampling.LANCZOS)


def _cropped(share: float) -> Change:
    def change(picture: Image.Image) -> Image.Image:
        edge = round(share * picture.width / 2)
        return picture.crop((edge, edge, picture.width - edge, picture.height - edge))

    return change


def _noisy(picture: Image.Image) -> Image.Image:
    noise = np.random.default_rng(0).normal(0, 8, (picture.height, picture.width, 3))
    return Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8))


CHANGES: dict[str, Change] = {
    "JPEG, quality 50": _jpeg(50),
    "JPEG, quality 20": _jpeg(20),
    "half the size": _reduced(128),
    "a quarter of the size": _reduced(64),
    "5 % cut off": _cropped(0.05),
    "15 % cut off": _cropped(0.15),
    "20 % brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.2),
    "30 % darker": lambda picture: ImageEnhance.Brightness(picture).enhance(0.7),
    "turned by 3 degrees": lambda picture: picture.rotate(3, Image.Resampling.BICUBIC),
    "noise of deviation 8": _noisy,
    "mirrored": ImageOps.mirror,
    "half the size, 5 % cut off, 10 % brighter, JPEG 60": lambda picture: _jpeg(60)(
        ImageEnhance.Brightness(_cropped(0.05)(_reduced(128)(picture))).enhance(1.1)
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces", type=Path)
    parser.add_argument("--embedder", default=DEFAULT_MODEL)
    parser.add_argument("--weights")
    parser.add_argument("--copies", type=int, default=240)
    arguments = parser.parse_args()
    embed = embedder(arguments.embedder, arguments.weights)

    def embedded(pictures: list[Image.Image]) -> np.ndarray:
        starts = range(0, len(pictures), BATCH)
        return np.concatenate([embed([np.asarray(p) for p in pictures[s : s + BATCH]]) for s in starts])

    paths = [path for folder in FOLDERS for path in sorted((arguments.faces / folder).glob("*.jpg"))]
    pictures = [Image.open(path).convert("RGB") for path in paths]
    originals = embedded(pictures)
    chosen = np.linspace(0, len(paths) - 1, arguments.copies).round().astype(int)
    num_ffhq = sum(path.parent.name == FOLDERS[0] for path in paths)
    among = originals[:num_ffhq] @ originals[:num_ffhq].T
    different = among[np.triu_indices(num_ffhq, 1)]
    print(f"{len(paths)} pictures, {len(chosen)} copies of each kind, {arguments.embedder}")
    print("| copies |", " | ".join(f"> {threshold:.2f}" for threshold in THRESHOLDS), "| median cosine |")
    print("|---" * (len(THRESHOLDS) + 2) + "|")
    found: list[np.ndarray] = []
    for name, change in CHANGES.items():
        copies = embedded([change(pictures[row]) for row in chosen])
        cosines = (copies * originals[chosen]).sum(1)
        found.append(cosines)
        shares = " | ".join(f"{(cosines > threshold).mean():.3f}" for threshold in THRESHOLDS)
        print(f"| {name} | {shares} | {np.median(cosines):.3f} |", flush=True)
    counts = [int((different > threshold).sum()) for threshold in THRESHOLDS]
    print("| false pairs among FFHQ's |", " | ".join(map(str, counts)), f"| of {len(different)} pairs |")
    every = np.concatenate(found)
    precision = [(every > t).sum() / ((every > t).sum() + n) for t, n in zip(THRESHOLDS, counts, strict=True)]
    print("| precision (copies found, those false pairs) |", " | ".join(f"{value:.3f}" for value in precision), "| |")
    highest = np.unravel_index(np.argsort(-np.triu(among, 1), axis=None)[:8], among.shape)
    for first, second in zip(*highest, strict=True):
        print(f"{among[first, second]:.3f} {paths[first].name} {paths[second].name}")


if __name__ == "__main__":
    main()
