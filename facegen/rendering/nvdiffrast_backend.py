"""The interface of this package on NVIDIA's nvdiffrast (Laine et al. 2020), which is imported when it is used.

Its images begin with the row of clip-space y = -1: vertices are mirrored on the way in, so that rows count from the
top here as well. Its pixels hold (u, v, z/w, triangle + 1), u and v the weights of the first two corners. It has no
culling: where that is asked for, every image gets its own list of triangles.
"""

from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from facegen.rendering import definitions
from facegen.rendering.rasterization import BACKENDS, Rasterization


def chosen(backend: str, values: Tensor) -> bool:
    """Whether nvdiffrast works on these values; ValueError where it is asked for and cannot, or for other words."""
    if backend not in BACKENDS:
        raise ValueError(f"rendering: got backend {backend!r}, expected one of {', '.join(map(repr, BACKENDS))}")
    able = values.device.type == "cuda" and values.dtype == torch.float32
    if backend == "nvdiffrast" and not able:
        got = f"{values.dtype} on {values.device}"
        raise ValueError(f"rendering: got {got}, nvdiffrast expects torch.float32 on CUDA; convert, or ask for 'cpu'")
    installed = able and backend != "cpu" and find_spec("nvdiffrast") is not None
    if backend == "nvdiffrast" and not installed:
        raise ValueError("rendering: got backend 'nvdiffrast', which is not installed; install it, or ask for 'cpu'")
    return able and installed


def rasterize(
    vertices_clip: Float[Tensor, "batch vertex 4"], triangles: Int[Tensor, "face 3"], size: tuple[int, int], cull: bool
) -> Rasterization:
    """As `facegen.rendering.rasterize`: nvdiffrast finds the triangles, where they are hit is ours to say."""
    points, faces = _mirrored(vertices_clip.detach()), triangles.int().contiguous()
    if cull:
        triangle_id = _front_ids(points, faces, definitions.front_facing(vertices_clip, triangles), size)
    else:
        triangle_id = _ids(points, faces, size)
    return Rasterization(triangle_id, *definitions.barycentric_at(vertices_clip, triangles, triangle_id))


def interpolate(
    attributes: Float[Tensor, "*batch vertex channel"], rasterization: Rasterization, triangles: Int[Tensor, "face 3"]
) -> Float[Tensor, "batch height width channel"]:
    """As `facegen.rendering.interpolate`."""
    import nvdiffrast.torch as dr  # pyright: ignore[reportMissingImports]

    values = attributes if attributes.ndim == 3 else attributes[None]
    return dr.interpolate(values.contiguous(), _pixels(rasterization), triangles.int().contiguous())[0]


def antialias(
    images: Float[Tensor, "batch height width channel"],
    rasterization: Rasterization,
    vertices_clip: Float[Tensor, "batch vertex 4"],
    triangles: Int[Tensor, "face 3"],
) -> Float[Tensor, "batch height width channel"]:
    """nvdiffrast's own blending, which looks at the edges of the nearer pixel's triangle only."""
    import nvdiffrast.torch as dr  # pyright: ignore[reportMissingImports]

    faces = triangles.int().contiguous()
    return dr.antialias(images.contiguous(), _pixels(rasterization), _mirrored(vertices_clip), faces)


def _mirrored(vertices_clip: Tensor) -> Tensor:
    return (vertices_clip * vertices_clip.new_tensor([1, -1, 1, 1])).float().contiguous()


def _pixels(rasterization: Rasterization) -> Float[Tensor, "batch height width 4"]:
    depth, number = rasterization.depth[..., None], rasterization.triangle_id[..., None] + 1
    return torch.cat([rasterization.barycentric[..., :2], depth, number], dim=-1).float().contiguous()


@cache
def _context(device: torch.device) -> Any:
    import nvdiffrast.torch as dr  # pyright: ignore[reportMissingImports]

    return dr.RasterizeCudaContext(device=device)


def _ids(points: Tensor, faces: Tensor, size: tuple[int, int], ranges: Tensor | None = None) -> Tensor:
    import nvdiffrast.torch as dr  # pyright: ignore[reportMissingImports]

    pixels, _ = dr.rasterize(_context(points.device), points, faces, list(size), ranges=ranges, grad_db=False)
    return pixels[..., 3].int() - 1


def _front_ids(points: Tensor, faces: Tensor, front: Tensor, size: tuple[int, int]) -> Tensor:
    """Each image has a range of the list of front-facing triangles of all images."""
    image, kept = front.nonzero(as_tuple=True)
    counts = front.sum(dim=1).int().cpu()
    ranges = torch.stack([counts.cumsum(0).int() - counts, counts], dim=-1)
    own = (faces[kept] + image[:, None].int() * points.shape[1]).contiguous()
    place = _ids(points.flatten(0, 1), own, size, ranges)
    return torch.where(place >= 0, kept.int()[place.clamp(min=0).long()], -1)
