"""An EG3D generator whose field is known: an ellipsoid with a nose, coloured by position."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facegen.networks.eg3d import TriPlaneGenerator
from facegen.networks.eg3d.generator import FFHQ_RENDERING
from facegen.rendering.isosurface import raw_density
from facegen.rendering.volume import Field

RADII = (0.22, 0.3, 0.25)
NOSE, NOSE_RADIUS = (0.0, -0.03, 0.25), 0.07
LEVEL = 9.0
SHARPNESS = 150.0  # raw density per world unit of depth below the surface, about


def tiny_eg3d(**changes: Any) -> TriPlaneGenerator:
    """Random weights; pictures of 32 pixels from renderings of 16."""
    torch.manual_seed(0)
    rendering = {"superresolution_module": "tiny", "depth_resolution": 8, "depth_resolution_importance": 8}
    arguments: dict[str, Any] = {
        "z_dim": 8,
        "w_dim": 8,
        "img_resolution": 32,
        "plane_resolution": 16,
        "neural_rendering_resolution": 16,
        "mapping_kwargs": {"num_layers": 1},
        "rendering_kwargs": {**FFHQ_RENDERING, **rendering},
        "channel_base": 128,
        "channel_max": 8,
        "num_fp16_res": 0,
    }
    return TriPlaneGenerator(**{**arguments, **changes}).eval().requires_grad_(False)


def inside(points: Tensor) -> Tensor:
    """Distance below the surface in world units, about; negative outside."""
    head = (1 - torch.linalg.vector_norm(points / points.new_tensor(RADII), dim=-1)) * min(RADII)
    nose = NOSE_RADIUS - torch.linalg.vector_norm(points - points.new_tensor(NOSE), dim=-1)
    return torch.maximum(head, nose)


def color(points: Tensor) -> Tensor:
    """Red grows along x, green along y, blue along z."""
    return (points + 0.5).clamp(0, 1)


class Head(TriPlaneGenerator):
    """The same head for every seed; `backbone_runs` counts how often it was made."""

    backbone_runs = 0

    def planes(self, ws: Tensor, noise_mode: Any = "const", randn: Any = None) -> Tensor:
        self.backbone_runs += 1
        return super().planes(ws, noise_mode, randn)

    def field(self, planes: Tensor) -> Callable[[Tensor], Field]:
        return lambda points: Field(
            F.pad(color(points), (0, 29)), raw_density(LEVEL) + SHARPNESS * inside(points)[..., None]
        )


class Enlarge(nn.Module):
    """Stands for super-resolution to pictures of a given side."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, raw: Tensor, features: Tensor, ws: Tensor, **_: Any) -> Tensor:
        return F.interpolate(raw, self.side, mode="bilinear")


def head(resolution: int = 32, samples: int = 32) -> Head:
    """The analytic head; pictures of `resolution` from renderings of half that side."""
    base = tiny_eg3d()
    rendering = base.rendering_kwargs | {"depth_resolution": samples, "depth_resolution_importance": samples}
    arguments = base.init_kwargs | {
        "img_resolution": resolution,
        "neural_rendering_resolution": resolution // 2,
        "rendering_kwargs": rendering,
    }
    made = Head(**arguments).eval().requires_grad_(False)
    made.superresolution = Enlarge(resolution)  # type: ignore[assignment]
    return made
