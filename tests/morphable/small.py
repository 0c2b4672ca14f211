"""A morphable model of a few hundred vertices, and pictures of its faces from cameras that are known."""

from pathlib import Path

import torch
from torch import Tensor

from facegen.geometry import cameras
from facegen.geometry.perspective import EG3D
from facegen.morphable.coefficients import Coefficients
from facegen.morphable.formats import ModelFile, write_model
from facegen.morphable.model import Basis, MorphableModel

SIDE = 24  # vertices of the grid to a side


def small_basis(identity: int = 4, expression: int = 3, albedo: int = 3) -> Basis:
    """The front half of an ellipsoid with a nose."""
    generator = torch.Generator().manual_seed(0)
    longitude = torch.linspace(-1.5, 1.5, SIDE)
    latitude = torch.linspace(-1.2, 1.2, SIDE)
    v, u = torch.meshgrid(latitude, longitude, indexing="ij")
    mean = torch.stack([0.8 * u.sin() * v.cos(), 1.1 * v.sin(), u.cos() * v.cos()], dim=-1).reshape(-1, 3)
    nose = torch.exp(-(mean[:, :2].square().sum(dim=1)) / 0.03)
    mean[:, 2] += 0.3 * nose - 0.5
    corner = torch.arange(SIDE * SIDE).reshape(SIDE, SIDE)
    a, b, c, d = (part.reshape(-1) for part in (corner[:-1, :-1], corner[:-1, 1:], corner[1:, :-1], corner[1:, 1:]))
    triangles = torch.cat([torch.stack([a, b, c], dim=1), torch.stack([b, d, c], dim=1)])
    waves = torch.stack([torch.sin(k * u + v) for k in range(1, 8)]).reshape(7, -1, 1)

    def modes(count: int, size: float) -> Tensor:
        weights = torch.randn(count, 7, 1, 3, generator=generator) * size
        return (weights * waves).sum(dim=1)

    landmarks = torch.linspace(0, len(mean) - 1, 68).long()
    landmarks[36], landmarks[45] = corner[15, 6], corner[15, 17]
    return Basis(
        mean,
        modes(identity, 0.01),
        modes(expression, 0.01),
        torch.full_like(mean, 0.5) + 0.4 * nose[:, None],
        modes(albedo, 0.03),
        triangles,
        landmarks,
        recentre=False,
    )


def small_model() -> MorphableModel:
    """A model of it, in front of the camera of EG3D's pictures."""
    return MorphableModel(small_basis(), name="small", perspective=EG3D).eval()


def small_file(folder: Path) -> str:
    """It in a file."""
    path = folder / "small.safetensors"
    write_model(path, ModelFile(small_basis(), "small", ""))
    return str(path)


def faces_seen_from(model: MorphableModel, labels: Tensor, seed: int = 0) -> Tensor:
    """Coefficients of random faces, one for each camera, with the pose that puts each before its camera."""
    generator = torch.Generator().manual_seed(seed)
    layout, count = model.layout, len(labels)
    angle, translation = cameras.head_pose(labels)
    identity, expression, albedo = (torch.randn(count, n, generator=generator) for n in layout)
    light = 0.1 * torch.randn(count, 27, generator=generator)
    return layout.join(Coefficients(identity, expression, albedo, angle, light, translation))
