"""LPFF and Unsplash-Pexels in small."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.data.helpers import camera, noise
from tests.data.samples.ffhq import zip_folder

CROPS = ("eg3d", "stylegan")


def face_ids(faces: int) -> list[str]:
    """Ids as published; every second photograph holds two faces."""
    photos = [f"{100004356 + photo}@N06_{21795165006 + photo}" for photo in range(faces)]
    ids = [f"{photo}_{face:02d}" for number, photo in enumerate(photos) for face in range(1, 2 + number % 2)]
    return ids[:faces]


def make_lpff(root: Path, faces: int = 6, size: int = 64, packed: bool = True, unsplash: bool = False) -> Path:
    """`LPFF-dataset` with both crops, packed as zips or not; or its sibling `Unsplash-Pexels-dataset`."""
    home = root / ("Unsplash-Pexels-dataset" if unsplash else "LPFF-dataset")
    ids = [f"guess-attic-girl-{n}_01" for n in range(faces)] if unsplash else face_ids(faces)
    for crop, pixels in zip(CROPS, (size, 2 * size), strict=True):
        folder = home / "crop" / crop
        folder.mkdir(parents=True)
        for seed, name in enumerate(ids):
            Image.fromarray(noise(pixels, seed)).save(folder / f"{name}.png")
        if packed:
            zip_folder(folder, folder.with_name(f"{crop}.zip"))
            shutil.rmtree(folder)
    _write(home / "camera_parameters.json", {name: camera(seed) for seed, name in enumerate(ids)})
    _write(home / "info.json", {name: _url(name) if unsplash else _info(name) for name in ids})
    _write(home / "raw_lm.json", {name: _landmarks(seed, 3000, whole=True) for seed, name in enumerate(ids)})
    _write(home / "realign2400_lm.json", {name: _landmarks(seed, 2400) for seed, name in enumerate(ids)})
    return home


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content))


def _landmarks(seed: int, side: int, whole: bool = False) -> list[list[float]]:
    points = np.random.default_rng(seed).uniform(0.2 * side, 0.8 * side, (68, 2))
    return points.astype(int).tolist() if whole else points.tolist()


def _url(name: str) -> str:
    return f"https://images.pexels.com/photos/34525/{name[:-3]}.jpg"


def _info(name: str) -> dict[str, Any]:
    photo = name[:-3]
    user, number = photo.split("_")
    return {
        "raw_image_name": photo,
        "image_info": {
            "photo_id": number,
            "user_id": user,
            "photo_url": f"https://www.flickr.com/photos/{user}/{number}/",
            "server": "5727",
            "secret": "809c964c3a",
            "originalsecret": "4840597377",
            "originalformat": "jpg",
            "low_resolution_download_url": f"https://live.staticflickr.com/5727/{number}_z_d.jpg",
            "high_resolution_download_url": f"https://live.staticflickr.com/5727/{number}_o_d.jpg",
            "license": {"name": "Attribution License", "url": "https://creativecommons.org/licenses/by/2.0/"},
            "username": f"someone{number}",
        },
    }
