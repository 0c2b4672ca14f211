"""Pictures of meshes from five sides, grey and coloured, a row each: python mesh_views.py mesh.png FILE.ply ... .

Needs trimesh, of the `dev` extra: the files are read by somebody else's reader.
"""

import math
import sys
from pathlib import Path

import numpy as np
import torch
import trimesh

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from facegen.data.pictures import save_png, tile
from facegen.geometry import cameras
from facegen.geometry.projection import world_to_clip
from facegen.rendering import interpolate, rasterize

YAWS_DEGREES, SIDE, FOCAL = (-70, -35, 0, 35, 70), 256, 3.6
LAMP = torch.tensor([0.6, 1.0, 0.0])  # beside the camera


def views(path: str) -> list[torch.Tensor]:
    """Grey and coloured pictures (3, SIDE, SIDE) of one mesh from every yaw."""
    mesh = trimesh.load(path, process=False)
    vertices, normals = (torch.from_numpy(np.array(a, np.float32)) for a in (mesh.vertices, mesh.vertex_normals))
    colors = torch.from_numpy(np.array(mesh.visual.vertex_colors, np.float32))[:, :3]
    triangles = torch.from_numpy(np.array(mesh.faces, np.int64))
    found = []
    for yaw in YAWS_DEGREES:
        pose = cameras.look_at(math.pi / 2 + math.radians(yaw), math.pi / 2, (0, 0, 0))
        label = cameras.label(pose, cameras.pinhole_intrinsics(FOCAL))
        clip = torch.cat([vertices, torch.ones(len(vertices), 1)], dim=1) @ world_to_clip(label)[0].T
        seen = rasterize(clip[None], triangles, SIDE)
        light = torch.nn.functional.normalize(cameras.positions(label)[0] + LAMP, dim=0)
        shade = (interpolate(normals, seen, triangles)[0] @ light).clamp(0.1, 1)[..., None] * 255
        hit = (seen.triangle_id[0] >= 0)[..., None]
        for picture in (shade.expand(-1, -1, 3), interpolate(colors, seen, triangles)[0]):
            found.append(torch.where(hit, picture, 255.0).permute(2, 0, 1).byte())
    return found


if __name__ == "__main__":
    rows = [view for path in sys.argv[2:] for view in views(path)]
    save_png(tile(torch.stack(rows), 2 * len(YAWS_DEGREES)), Path(sys.argv[1]))
