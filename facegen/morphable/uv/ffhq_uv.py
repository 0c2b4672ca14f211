"""The assets of FFHQ-UV's HiFi3D++ topology, which its authors give out on request; facegen does not hold them."""

from pathlib import Path

import cv2
import numpy as np
from scipy.io import loadmat

from facegen.morphable.uv.assets import UVAssets, scaled
from facegen.morphable.uv.blending import Valid
from facegen.morphable.uv.masks import Mask, Texture, threshold
from facegen.morphable.uv.views import Lookup

INFO_FILE = "unwrap_1024_info.mat"
TEMPLATE_FILE = "template_base_uv.png"
MASK_FILES = {
    "info": "unwrap_1024_info_mask.png",
    "mouth": "mouth_constract_mask.png",
    "hair": "hair_mask.png",
    "center": "center_face_mask.png",
    "nasal_base": "nosal_base_mask.png",
    "nostril": "nostril_mask.png",
} | {
    f"{kind} {view}": f"{kind}_valid_{view}_mask.png"
    for kind in ("major", "minor")
    for view in ("front", "left", "right", "whole")
}
# Eyes, base of the nose and mouth in a texture of 1024 pixels
BOXES = ((330, 400, 560, 710), (330, 400, 310, 460), (465, 525, 440, 585), (555, 620, 410, 610))

_ASK = "ask FFHQ-UV's authors for the folder of topology assets"


def read_assets(folder: str | Path) -> UVAssets:
    """Assets from a folder in FFHQ-UV's layout: `unwrap_1024_info.mat`, `template_base_uv.png` and 14 masks.

    The size is that of the lookup in the .mat file. Raises ValueError, which names the file, for what is missing or is
    something else.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"UV assets: {folder} is no folder; {_ASK}, or leave `assets` out for the model's own")
    names = [INFO_FILE, TEMPLATE_FILE, *MASK_FILES.values()]
    if missing := [name for name in names if not (folder / name).is_file()]:
        raise ValueError(f"UV assets: {folder} lacks {missing[0]} ({len(missing)} of {len(names)} files); {_ASK}")
    lookup = _read_lookup(folder / INFO_FILE)
    size = len(lookup.weights)
    masks = {name: _read_mask(folder / file, size) for name, file in MASK_FILES.items()}
    inside = masks["info"][..., None]
    return UVAssets(
        Lookup((lookup.vertices * inside).astype(np.int32), lookup.weights * inside),
        _read_picture(folder / TEMPLATE_FILE, size, cv2.INTER_AREA),
        *(masks[name] for name in ("mouth", "hair", "center", "nasal_base", "nostril")),
        valid={view: Valid(masks[f"major {view}"], masks[f"minor {view}"]) for view in ("front", "left", "right")},
        whole=Valid(masks["major whole"], masks["minor whole"]),
        boxes=tuple(scaled(box, size) for box in BOXES),
    )


def _read_lookup(path: Path) -> Lookup:
    try:
        info = loadmat(path, variable_names=["uv_idx_v_idx", "uv_idx_bw"])
    except Exception as error:  # scipy has many
        raise ValueError(f"UV assets: {path} is no readable .mat file ({type(error).__name__})") from error
    found = [info.get(key) for key in ("uv_idx_v_idx", "uv_idx_bw")]
    vertices, weights = found
    if vertices is None or weights is None:
        raise ValueError(f"UV assets: {path} lacks uv_idx_v_idx or uv_idx_bw; {_ASK}")
    size = len(weights)
    if not vertices.shape == weights.shape == (size, size, 3):
        got = f"{vertices.shape} and {weights.shape}"
        raise ValueError(f"UV assets: {path} holds arrays of shapes {got}, expected twice (size, size, 3)")
    if not (np.isfinite(weights).all() and np.isfinite(vertices).all() and vertices.min() >= 0):
        raise ValueError(f"UV assets: {path} holds numbers that are no vertices or weights; the file is damaged")
    return Lookup(vertices.astype(np.int32), weights.astype(np.float32))


def _read_picture(path: Path, size: int, interpolation: int) -> Texture:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        raise ValueError(f"UV assets: {path} is no readable picture")
    if picture.shape[:2] != (size, size):
        picture = cv2.resize(picture, (size, size), interpolation=interpolation)
    return picture.astype(np.float32)


def _read_mask(path: Path, size: int) -> Mask:
    return threshold(_read_picture(path, size, cv2.INTER_NEAREST)[..., 0] / 255)
