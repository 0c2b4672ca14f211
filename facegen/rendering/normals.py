"""Normals of meshes."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor


def vertex_normals(
    vertices: Float[Tensor, "*batch vertex 3"], triangles: Int[Tensor, "face 3"]
) -> Float[Tensor, "*batch vertex 3"]:
    """Unit normals: the mean of the faces around each vertex by their area, outwards where faces are counter-clockwise
    seen from outside; zero for a vertex without faces. Differentiable."""
    corners = vertices[..., triangles.long(), :]
    p, q, r = corners.unbind(dim=-2)
    areas = torch.linalg.cross(q - p, r - p)
    total = torch.zeros_like(vertices)
    for corner in triangles.long().T:
        total = total.index_add(-2, corner, areas)
    return F.normalize(total, dim=-1)
