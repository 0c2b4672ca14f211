"""FFHQ and FFHQ-EG3D in small."""

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from facegen.geometry.cameras import mirror
from tests.data.helpers import camera, noise
from tests.data.samples.deep3d import add_reconstructions

# The second is on the list of excluded images; the last five are for validation.
NUMBERS = (0, 321, 999, 1000, 1001, 31007, 60000, 60001, 69998, 69999)
EXCLUDED = "00321"


def make_ffhq(root: Path, size: int = 64, cleaned: bool = True, metadata: bool = True) -> Path:
    """`ffhq-dataset` with ten images, their thumbnails, the metadata, and the cleaned dataset's reconstructions."""
    home = root / "ffhq-dataset"
    entries = {}
    for number in NUMBERS:
        name = f"{number // 1000 * 1000:05d}/{number:05d}.png"
        image = _image(home, f"images1024x1024/{name}", size, number)
        image["face_landmarks"] = np.random.default_rng(number).uniform(0, size, (68, 2)).tolist()
        thumbnail = _image(home, f"thumbnails128x128/{name}", size // 8, number)
        entries[str(number)] = _entry(number, image, thumbnail)
    (home / "LICENSE.txt").write_text("see the metadata")
    (home / "images1024x1024" / "LICENSE.txt").write_text("see the metadata")
    if metadata:
        (home / "ffhq-dataset-v2.json").write_text(json.dumps(entries))
    if cleaned:
        add_reconstructions(home, [f"{number:05d}" for number in NUMBERS if f"{number:05d}" != EXCLUDED])
    return home


def make_ffhq_eg3d(root: Path, faces: int = 5, size: int = 64, own_names: bool = False) -> Path:
    """Images and their mirrors with cameras: unpacked from NVIDIA's zip, or with the names of EG3D's pipeline."""
    home = root / ("ffhq/final_crops" if own_names else "FFHQ_512")
    labels = []
    for face in range(faces):
        pixels, values = noise(size, face), camera(face)
        flipped = mirror(torch.tensor([values], dtype=torch.float64))[0].tolist()
        for side, (array, label) in enumerate([(pixels, values), (pixels[:, ::-1], flipped)]):
            own = f"{face:05d}{'_mirror' * side}.png"
            name = own if own_names else f"00000/img{2 * face + side:08d}.png"
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.ascontiguousarray(array)).save(home / name)
            labels.append([name, label])
    (home / "dataset.json").write_text(json.dumps({"labels": labels}))
    return home


def zip_folder(folder: Path, path: Path, prefix: str = "") -> Path:
    """Everything in a folder as an uncompressed zip."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(found for found in folder.rglob("*") if found.is_file()):
            archive.write(file, prefix + file.relative_to(folder).as_posix())
    return path


def _image(home: Path, name: str, size: int, seed: int) -> dict[str, Any]:
    path = home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = noise(size, seed)
    Image.fromarray(pixels).save(path)
    data = path.read_bytes()
    return {
        "file_url": "https://drive.google.com/uc?id=none",
        "file_path": name,
        "file_size": len(data),
        "file_md5": hashlib.md5(data).hexdigest(),
        "pixel_size": [size, size],
        "pixel_md5": hashlib.md5(pixels.tobytes()).hexdigest(),
    }


def _entry(number: int, image: dict[str, Any], thumbnail: dict[str, Any]) -> dict[str, Any]:
    wild_path = image["file_path"].replace("images1024x1024", "in-the-wild-images")
    quad = [[0, 0], [0, 9], [9, 9], [9, 0]]
    return {
        "category": "training" if number < 60000 else "validation",
        "metadata": {
            "photo_url": f"https://www.flickr.com/photos/someone/{number}/",
            "photo_title": f"DSC{number}.JPG",
            "author": f"Author {number}",
            "country": "",
            "license": "Attribution License",
            "license_url": "https://creativecommons.org/licenses/by/2.0/",
            "date_uploaded": "2007-08-16",
            "date_crawled": "2018-10-10",
        },
        "image": image,
        "thumbnail": thumbnail,
        "in_the_wild": {"file_path": wild_path, "face_landmarks": [[1.0, 2.0]] * 68, "face_quad": quad},
    }
