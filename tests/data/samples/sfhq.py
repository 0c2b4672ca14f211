"""SFHQ as published: https://github.com/SelfishGene/SFHQ-dataset."""

import csv
import json
import pickle
from pathlib import Path

import numpy as np
from PIL import Image

SHIPPED = {
    "images": "images/<name>.jpg",
    "landmarks": "landmarks/<name>.npz",
    "segmentations": "segmentations/<name>.png",
    "pretrained_features": "pretrained_features/<name>.pickle",
}


def make_sfhq(root: Path, faces: int = 6, part: int = 1) -> Path:
    """One part with all its folders below `root`; returns the part's folder."""
    home = root / f"SFHQ_part{part}"
    for folder in SHIPPED:
        (home / folder).mkdir(parents=True)
    for number in range(faces):
        rng = np.random.default_rng([part, number])
        name = f"SFHQ_pt{part}_{number:08d}"
        rough = Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
        rough.resize((1024, 1024), Image.Resampling.BICUBIC).save(home / "images" / f"{name}.jpg")
        np.savez(home / "landmarks" / f"{name}.npz", landmarks=rng.uniform(200, 900, (110, 2)))
        ids = np.kron(rng.integers(0, 19, (16, 16), dtype=np.uint8), np.ones((64, 64), np.uint8))
        Image.fromarray(ids).save(home / "segmentations" / f"{name}.png")
        features = {"CLIP_ViTL_14@336": rng.normal(size=(1, 768)).astype(np.float16)}
        (home / "pretrained_features" / f"{name}.pickle").write_bytes(pickle.dumps(features))
    return home


def add_sample_folder(home: Path, faces: int = 2) -> Path:
    """Some of a part's images once more, as parts 1 and 2 have them."""
    folder = home / "tiny sample (30 images)"
    folder.mkdir()
    for path in sorted((home / "images").iterdir())[:faces]:
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def make_sfhq_t2i(root: Path, faces: int = 4) -> Path:
    """SFHQ-T2I: images and a table of prompts; returns its folder."""
    home = root / "SFHQ_T2I"
    (home / "images").mkdir(parents=True)
    with (home / "SFHQ_T2I_dataset.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image_filename", "model_used", "text_prompt", "configs"])
        for number in range(faces):
            rng = np.random.default_rng(number)
            name = f"SDXL_image_{number:08d}.jpg"
            Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(home / "images" / name)
            prompt = f'a portrait, number {number}, of a "face"'
            writer.writerow([name, "SDXL", prompt, json.dumps({"steps": 20, "seed": number})])
    return home
