"""Multi-Modal-CelebA-HQ as published: https://github.com/IIGROUP/MM-CelebA-HQ-Dataset."""

import pickle
from pathlib import Path

import numpy as np
from PIL import Image

from facegen.data.celeba import ATTRIBUTES
from tests.data.helpers import noise
from tests.data.samples.deep3d import add_reconstructions

SHIPPED = {  # the place of each kind of file for face k
    "image": "image/{k}.jpg",
    "label": "label/{k}.png",
    "sketch": "sketch/{k}.jpg",
    "text": "text/{k}.txt",
    "train": "train/filenames.pickle",
    "test": "test/filenames.pickle",
    "coeff": "{k}.mat",
    "rendered": "{k}.png",
}
NUMBERS = (0, 1, 2, 1036, 20000, 29999)  # 1036 is on the list of excluded images: no coefficients, no render
EXCLUDED, TEST = 1036, (2, 29999)


def make_mm_celebahq(root: Path, size: int = 512) -> Path:
    """The dataset's folder with six faces below `root`; returns it."""
    home = root / "multi-modal-celeba"
    for folder in ("image", "label", "sketch", "text", "train", "test"):
        (home / folder).mkdir(parents=True)
    for number in NUMBERS:
        rng = np.random.default_rng(number)
        rough = Image.fromarray(noise(16, number)).resize((size, size), Image.Resampling.BICUBIC)
        rough.save(home / "image" / f"{number}.jpg")
        ids = np.kron(rng.integers(0, 19, (16, 16), dtype=np.uint8), np.ones((size // 16, size // 16), np.uint8))
        Image.fromarray(ids).save(home / "label" / f"{number}.png")
        rough.convert("L").save(home / "sketch" / f"{number}.jpg")
        (home / "text" / f"{number}.txt").write_text("\n".join(captions_of(number)))
    for part in ("train", "test"):
        names = [str(number) for number in NUMBERS if (number in TEST) == (part == "test")]
        (home / part / "filenames.pickle").write_bytes(pickle.dumps(names, 2))
    add_reconstructions(home, [str(number) for number in NUMBERS if number != EXCLUDED])
    return home


def captions_of(number: int) -> list[str]:
    """Ten captions of a face."""
    return [f"She has face {number}, and this is caption {place} of it." for place in range(10)]


def add_celebamask_lists(home: Path) -> None:
    """CelebAMask-HQ's attributes and mapping for the same faces."""
    rows = [f"{number}.jpg  " + " ".join(map(str, attributes_of(number))) for number in NUMBERS]
    text = "\n".join([str(len(NUMBERS)), " ".join(ATTRIBUTES), *rows, ""])
    (home / "CelebAMask-HQ-attribute-anno.txt").write_text(text)
    images = dict(zip(NUMBERS, (119613, 162770, 162771, 182637, 182638, 202598), strict=True))
    lines = [f"{number:<8}{image:>8} {image + 1:06d}.jpg" for number, image in images.items()]
    (home / "CelebA-HQ-to-CelebA-mapping.txt").write_text("\n".join(["idx  orig_idx  orig_file", *lines, ""]))


def attributes_of(number: int) -> list[int]:
    """The 40 attributes of a face."""
    return np.random.default_rng(number).choice([-1, 1], len(ATTRIBUTES)).tolist()
