"""The topology and the assets of golden3d 13, made from its arrays as the README says."""

import numpy as np

from facegen.morphable.uv.assets import VIEWS, UVAssets, union
from facegen.morphable.uv.blending import Valid
from facegen.morphable.uv.views import Lookup, Remapped, View, facing, remap

SIZE, STORED = 1024, 64

Arrays = dict[str, np.ndarray]


def grid_lookup(grid: int, size: int = SIZE) -> Lookup:
    """A mesh of `grid` x `grid` vertices over the texture, each cell cut into two triangles."""
    at = np.arange(size) / size * (grid - 1)
    cell = np.floor(at).astype(int)
    v, u = np.meshgrid(at - cell, at - cell, indexing="ij")
    row, column = np.meshgrid(cell, cell, indexing="ij")
    first = row * grid + column
    lower = np.stack([first, first + 1, first + grid], axis=-1)
    upper = np.stack([first + grid + 1, first + grid, first + 1], axis=-1)
    is_lower = (u + v <= 1)[..., None]
    weights = np.where(is_lower, np.stack([1 - u - v, u, v], -1), np.stack([u + v - 1, 1 - u, 1 - v], -1))
    return Lookup(np.where(is_lower, lower, upper).astype(np.int32), weights.astype(np.float32))


def enlarged(stored: np.ndarray) -> np.ndarray:
    times = SIZE // len(stored)
    return stored.repeat(times, axis=0).repeat(times, axis=1).astype(np.float32)


def golden_assets(golden: Arrays) -> UVAssets:
    masks = {name.removeprefix("asset_"): enlarged(a) for name, a in golden.items() if name.startswith("asset_")}
    inside = masks["unwrap_info_mask"][..., None]
    lookup = grid_lookup(int(golden["grid_G"]))
    valid = {view: Valid(masks[f"major_{view}"], masks[f"minor_{view}"]) for view in VIEWS}
    return UVAssets(
        Lookup((lookup.vertices * inside).astype(np.int32), lookup.weights * inside),
        enlarged(golden[f"base_uv_{STORED}"]),
        *(masks[name] for name in ("mouth", "hair", "center_face", "nosal_base", "nostril")),
        valid=valid,
        whole=union(valid),
        boxes=tuple(tuple(box) for box in golden["poisson_boxes_r0r1c0c1"].tolist()),
    )


def golden_views(golden: Arrays, assets: UVAssets) -> dict[str, Remapped]:
    found = {}
    for name in VIEWS:
        image, region, points, normals = (golden[f"{name}_{part}"] for part in ("img", "seg", "projXY", "norm"))
        view = View(image.astype(np.float32), region.astype(np.float32), points, facing(normals))
        found[name] = remap(view, assets.lookup)
    return found
