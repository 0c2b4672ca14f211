"""The small morphable model with a chart, and a decoder of textures of a few thousand weights."""

import torch
from torch import Tensor

from facegen.geometry.perspective import Perspective
from facegen.morphable.model import MorphableModel, UVMap
from facegen.networks.stylegan2 import Generator
from tests.morphable.small import SIDE, small_model

PICTURE = 64
CAMERA = Perspective().at(PICTURE)
# iBUG points in columns and rows of a grid that is 1 from side to side, y up: enough for eyes, nose and mouth
_EYE = [(-0.08, 0.0), (-0.03, 0.04), (0.03, 0.04), (0.08, 0.0), (0.03, -0.04), (-0.03, -0.04)]
_RING = [(-0.12, 0.0), (-0.08, 0.04), (-0.03, 0.06), (0.0, 0.05), (0.03, 0.06), (0.08, 0.04)]


def face_landmarks() -> list[int]:
    """Vertices of 68 points on the grid of the small model."""
    jaw = [(x / 10 + 0.1, 0.45 - 0.35 * (1 - ((x - 4) / 4) ** 2)) for x in (k / 2 for k in range(17))]
    brows = [(0.2 + 0.14 * k / 2, 0.74) for k in range(5)] + [(0.52 + 0.14 * k / 2, 0.74) for k in range(5)]
    nose = [(0.5, 0.66 - 0.05 * k) for k in range(4)] + [(0.4 + 0.05 * k, 0.45) for k in range(5)]
    eyes = [(center + dx, 0.65 + dy) for center in (0.32, 0.68) for dx, dy in _EYE]
    outer = [(0.5 + dx, 0.3 + dy) for dx, dy in [*_RING, *[(-x, -y) for x, y in _RING]]]
    inner = [(0.5 + 0.5 * dx, 0.3 + 0.5 * dy) for dx, dy in [_RING[0], *_RING[2:5], (0.12, 0.0)]]
    inner += [(0.5 + 0.5 * dx, 0.3 - 0.5 * dy) for dx, dy in _RING[2:5]]
    points = [*jaw, *brows, *nose, *eyes, *outer, *inner]
    assert len(points) == 68
    return [round(min(max(y, 0), 1) * (SIDE - 1)) * SIDE + round(min(max(x, 0), 1) * (SIDE - 1)) for x, y in points]


def charted_model() -> MorphableModel:
    """The small model in front of Deep3DFaceRecon's camera, its grid as the chart, landmarks where a face has them."""
    model = small_model().with_perspective(CAMERA)
    v, u = torch.meshgrid(torch.linspace(0.02, 0.98, SIDE), torch.linspace(0.02, 0.98, SIDE), indexing="ij")
    chart = UVMap(torch.stack([u, v], dim=-1).reshape(-1, 2), model.triangles)
    model.uv_coordinates, model.uv_triangles = chart
    model.landmarks = torch.tensor(face_landmarks())
    model.skin = (v.flatten() < 0.92).float()  # above is where hair grows
    return model


def coefficients(model: MorphableModel, yaw: float = 0.0, seed: int = 0) -> Tensor:
    """A face in front of the camera, in uneven light."""
    parts = model.split(model.layout.zeros(1))
    generator = torch.Generator().manual_seed(seed)
    light = torch.zeros(1, 3, 9)
    light[:, :, 0], light[:, :, 3] = 0.25, -0.3  # brighter from the picture's right
    angle = torch.tensor([[0.0, yaw, 0.0]])
    identity = 0.3 * torch.randn(parts.identity.shape, generator=generator)
    return model.layout.join(parts._replace(identity=identity, angle=angle, light=light.flatten(1)))


def tiny_decoder(resolution: int = 32) -> Generator:
    """An untrained generator: some texture for every latent."""
    torch.manual_seed(0)
    return Generator(
        z_dim=16,
        w_dim=16,
        img_resolution=resolution,
        mapping_kwargs={"num_layers": 2},
        synthesis_kwargs={"channel_base": 256, "channel_max": 16, "num_fp16_res": 0},
    ).eval()
