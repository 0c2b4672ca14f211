"""FFHQ-UV as published: https://github.com/csbhr/FFHQ-UV/blob/main/README_dataset.md."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

ATTRIBUTES = ("Age", "Baldness", "Beard", "Expression", "Gender", "Glasses", "Pitch", "Yaw")


def make_ffhq_uv(root: Path, faces: int = 6, name: str = "ffhq-uv", size: int = 64) -> Path:
    """`FFHQ-UV/dataset/<name>` with maps, latents and meta-info.json below `root`; returns it.

    Every third face has no photograph of FFHQ; that of face k is 11780 + 7 k otherwise.
    """
    home = root / "FFHQ-UV" / "dataset" / name
    (home / "uv-maps").mkdir(parents=True)
    meta = {}
    for number in range(faces):
        rng, face = np.random.default_rng(number), f"{number:06d}"
        Image.fromarray(rng.integers(0, 256, (size, size, 3), dtype=np.uint8)).save(home / "uv-maps" / f"{face}.png")
        latents = home / "face-latents" / face[:3] / face
        latents.mkdir(parents=True)
        for view in ("left", "front", "right"):
            (latents / f"{face}_{view}_latent.pt").write_bytes(b"never opened")
        index = None if number % 3 == 2 else 11780 + 7 * number
        meta[face] = {"Age": 20.0 + number, "Beard": 0.1 * number, "Gender": number % 2, "Index-in-FFHQ": index}
    (home / "meta-info.json").write_text(json.dumps(meta, indent=4))
    return home


def make_project(home: Path, zipped: bool = True) -> Path:
    """`FFHQ-UV/dataset_project` with light and attributes of the photographs of a sample; returns it."""
    project = home.parent.parent / "dataset_project"
    project.mkdir()
    meta = json.loads((home / "meta-info.json").read_text())
    photographs = [entry["Index-in-FFHQ"] for entry in meta.values() if entry["Index-in-FFHQ"] is not None]
    light, attributes = {}, {}
    for index in photographs:
        stream = io.BytesIO()
        np.save(stream, np.random.default_rng(index).normal(size=(1, 9, 1, 1)).astype(np.float32))
        light[f"lights/{index:05d}.npy"] = stream.getvalue()
        values = {key: index / 10 + place for place, key in enumerate(ATTRIBUTES)}
        attributes[f"attributes/{index:05d}.json"] = json.dumps(values, indent=4).encode()
    for name, contents in (("lights", light), ("attributes", attributes)):
        _write(project, name, contents, zipped)
    return project


def _write(project: Path, name: str, contents: dict[str, bytes], zipped: bool) -> None:
    if zipped:
        with zipfile.ZipFile(project / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for path, data in contents.items():
                archive.writestr(path, data)
        return
    (project / name).mkdir()
    for path, data in contents.items():
        (project / path).write_bytes(data)
