"""Landmarks of one view, moved to another: exact for one rigid face, whatever its scale; larger for a wrong one."""

import pytest
import torch

from facegen.geometry import cameras
from facegen.geometry.projection import project
from facegen.metrics.reprojection import reproject
from tests.models.tiny import camera_labels

COUNT = 6


def scene() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Landmarks before the first of two cameras in decimetres, seen in the second, and both cameras; float64."""
    generator = torch.Generator().manual_seed(0)
    world = 0.15 * torch.randn(COUNT, 68, 3, generator=generator, dtype=torch.float64)
    first, second = camera_labels(COUNT, seed=1).double(), camera_labels(COUNT, seed=2).double()
    before = (world - cameras.positions(first)[:, None]) @ cameras.split_label(first)[0][:, :3, :3]
    return before / cameras.LABEL_SCALE, project(world, second), first, second


@pytest.mark.parametrize("size", [1.0, 0.8, 1.3])
def test_one_face_meets_itself_at_any_scale(size: float) -> None:
    points, observed, first, second = scene()
    found = reproject(size * points, observed, first, second)
    assert found.distance.max() < 1e-6
    torch.testing.assert_close(found.scale, torch.full_like(found.scale, cameras.LABEL_SCALE / size), rtol=1e-5, atol=0)


def test_a_camera_that_is_turned_moves_the_points() -> None:
    points, observed, first, second = scene()
    wrong = second.clone()
    wrong[:, :16] = cameras.look_at(torch.tensor(1.4), torch.tensor(1.5)).reshape(1, 16)
    assert reproject(points, observed, first, wrong).distance.min() > 0.01


def test_distances_are_those_of_the_pixels() -> None:
    points, observed, first, second = scene()
    shift = torch.tensor([0.01, 0.0], dtype=torch.float64)
    found = reproject(points, observed + shift, first, second)
    assert (found.distance <= 0.01 + 1e-9).all() and found.distance.max() > 0.005


def test_interocular_distance_does_not_depend_on_the_view() -> None:
    points, observed, first, second = scene()
    found = reproject(points, observed, first, second)
    eyes = (points[:, 36] - points[:, 45]).norm(dim=1) * cameras.LABEL_SCALE
    torch.testing.assert_close(found.interocular, eyes * cameras.FOCAL / 2.7, rtol=0.1, atol=0)


def test_the_scale_stays_plausible_and_faces_that_were_not_found_stay_alone() -> None:
    points, observed, first, second = scene()
    points[2] = torch.nan
    found = reproject(points, torch.rand_like(observed), first, second)
    others = torch.arange(COUNT) != 2
    assert found.distance[2].isnan() and found.distance[others].isfinite().all()
    scale = found.scale[others]
    assert (scale >= 0.5 * cameras.LABEL_SCALE - 1e-9).all() and (scale <= 2 * cameras.LABEL_SCALE + 1e-9).all()
