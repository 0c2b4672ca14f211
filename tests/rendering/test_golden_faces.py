"""Reference pictures: the synthetic model of golden3d 02 (`raster_*`) and a real reconstruction, 04."""

import functools
from collections.abc import Callable

import numpy as np
import pytest
import scipy.io
import torch
from torch import Tensor

from facegen.geometry.perspective import DEEP3D
from facegen.rendering import Rasterization, interpolate, rasterize
from tests.data.golden3d import arrays, keys
from tests.geometry.reference import reference_file

pytestmark = pytest.mark.parity
FORWARD, REAL = "02_bfm_forward.npz", "04_real_recon.npz"


@functools.cache
def synthetic() -> tuple[Rasterization, Tensor, Tensor]:
    """Rasterisation, colours with a fourth channel of distances, and triangles of the drawn row."""
    golden = arrays(FORWARD)
    triangles = torch.from_numpy(scipy.io.loadmat(reference_file("golden3d/01_bfm_model.mat"))["tri"].astype(int) - 1)
    row = int(golden["raster_row"])
    camera = torch.from_numpy(golden["vertex_camera"][row : row + 1])
    seen = rasterize(DEEP3D.clip(camera), triangles, golden["raster_mask"].shape)
    drawn = torch.cat([torch.from_numpy(golden["color"][row : row + 1]), camera[..., 2:]], dim=-1)
    return seen, interpolate(drawn, seen, triangles)[0], triangles


def raster_mask(theirs: np.ndarray) -> None:
    assert np.array_equal((synthetic()[0].triangle_id[0] >= 0).numpy(), theirs)


def raster_depth(theirs: np.ndarray) -> None:
    np.testing.assert_allclose(synthetic()[1][..., 3], theirs, atol=5e-6)


def raster_image(theirs: np.ndarray) -> None:
    np.testing.assert_allclose(synthetic()[1][..., :3], theirs, atol=3e-4)


SYNTHETIC: dict[str, Callable[[np.ndarray], None]] = {
    "raster_mask": raster_mask,
    "raster_depth": raster_depth,
    "raster_image": raster_image,
    "raster_row": lambda theirs: None,  # says which face is drawn
}


@pytest.mark.parametrize("key", [key for key in keys(FORWARD) if not isinstance(key, str) or key.startswith("raster_")])
def test_synthetic_face(key: str) -> None:
    SYNTHETIC[key](arrays(FORWARD)[key])


@functools.cache
def real() -> tuple[Rasterization, Tensor]:
    golden = arrays(REAL)
    triangles = torch.from_numpy(golden["tri"])
    camera = DEEP3D.view(torch.from_numpy(golden["vertices"])[None])
    seen = rasterize(DEEP3D.clip(camera), triangles, golden["render_u8"].shape[0])
    colors = torch.from_numpy(golden["vertex_color_u8"]).float()
    return seen, interpolate(colors, seen, triangles)[0]


def render_u8(theirs: np.ndarray) -> None:
    """The published picture, which nvdiffrast drew: as near as the reference's own exact rasteriser comes."""
    seen, drawn = real()
    ours, published = (seen.triangle_id[0] >= 0).numpy(), theirs.any(axis=-1)
    both = ours & published
    assert both.sum() > 0.1 * both.size and (ours != published).sum() <= 17
    error = np.abs(drawn.numpy()[both] - theirs[both])
    assert error.mean() < 0.305 and np.quantile(error, 0.99) < 0.9


def landmarks(theirs: np.ndarray, limit: float) -> None:
    """Rows of published landmarks count from 223 down, not as pixel centres do."""
    golden = arrays(REAL)
    points = DEEP3D.project(DEEP3D.view(torch.from_numpy(golden["vertices"][golden["keypoints"]]).double()))
    np.testing.assert_allclose(points * torch.tensor([1, -1]) + torch.tensor([0, 223]), theirs, atol=limit)


REAL_FACE: dict[str, Callable[[np.ndarray], None]] = {
    "render_u8": render_u8,
    "lm68": lambda theirs: landmarks(theirs[0], 0.06),
    "lm68_from_vertices": lambda theirs: landmarks(theirs, 2e-5),
}


@pytest.mark.parametrize("key", [key for key in keys(REAL) if not isinstance(key, str) or key in REAL_FACE])
def test_real_face(key: str) -> None:
    REAL_FACE[key](arrays(REAL)[key])
