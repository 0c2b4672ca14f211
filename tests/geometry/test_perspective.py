import pytest
import torch

from facegen.geometry.cameras import (
    from_coefficients,
    head_angles,
    head_pose,
    head_rotation,
    label,
    look_at,
    pinhole_intrinsics,
    to_label_world,
)
from facegen.geometry.perspective import DEEP3D, EG3D, Perspective
from facegen.geometry.projection import project, world_to_clip
from facegen.rendering.rasterizer import rasterize

LABELS = label(look_at(torch.tensor([1.2, 1.57, 2.1]), torch.tensor([1.4, 1.5, 1.8])).double(), pinhole_intrinsics())


def points(seed: int = 0) -> torch.Tensor:
    """Points of a head in decimetres."""
    return torch.randn(3, 50, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def posed() -> torch.Tensor:
    angle, translation = head_pose(LABELS)
    return points() @ head_rotation(angle) + translation[:, None]


def test_a_posed_head_is_seen_as_by_the_camera_of_the_label() -> None:
    ours = EG3D.image_points(EG3D.view(posed()))
    torch.testing.assert_close(ours, project(to_label_world(points()), LABELS) * EG3D.size, atol=1e-3, rtol=0)


def test_clip_space_is_that_of_the_label() -> None:
    theirs = torch.einsum(
        "nij,npj->npi", world_to_clip(LABELS), torch.cat([to_label_world(points()), torch.ones(3, 50, 1)], dim=-1)
    )
    ours = EG3D.clip(EG3D.view(posed()))
    torch.testing.assert_close(ours[..., :2] / ours[..., 3:], theirs[..., :2] / theirs[..., 3:], atol=1e-5, rtol=0)


def test_near_and_far_bound_what_is_visible() -> None:
    camera = torch.tensor([[[0.0, 0.0, DEEP3D.near], [0.0, 0.0, DEEP3D.far]]], dtype=torch.float64)
    clip = DEEP3D.clip(camera)
    torch.testing.assert_close(clip[0, :, 2] / clip[0, :, 3], torch.tensor([-1.0, 1.0], dtype=torch.float64))


@pytest.mark.parametrize("perspective", [DEEP3D, EG3D.at(224), Perspective(900.0, 100.0, 224, 8.0)])
def test_pixels_are_where_the_rasteriser_draws(perspective: Perspective) -> None:
    camera = torch.tensor([[[-0.5, -0.4, 9.0], [0.7, -0.2, 9.5], [0.1, 0.6, 9.2]]])
    seen = rasterize(perspective.clip(camera), torch.tensor([[0, 1, 2]]), perspective.size).triangle_id[0] >= 0
    rows, columns = torch.nonzero(seen, as_tuple=True)
    corners = perspective.image_points(camera)[0]
    for axis, drawn in ((0, columns), (1, rows)):
        assert abs(float(drawn.min()) + 0.5 - float(corners[:, axis].min())) < 2.5
        assert abs(float(drawn.max()) + 0.5 - float(corners[:, axis].max())) < 2.5


def test_another_size_is_the_same_camera() -> None:
    camera = DEEP3D.view(posed())
    torch.testing.assert_close(DEEP3D.at(448).image_points(camera), 2 * DEEP3D.image_points(camera))
    assert DEEP3D.at(224) == DEEP3D


def test_angles_and_pose_undo_what_makes_matrices_and_labels() -> None:
    angle = torch.tensor([[0.3, -1.2, 2.0], [-0.4, 1.5, -0.1]], dtype=torch.float64)
    torch.testing.assert_close(head_angles(head_rotation(angle)), angle)
    translation = torch.tensor([[0.1, -0.2, 0.3], [0.0, 0.4, -0.5]], dtype=torch.float64)
    found, _ = head_pose(from_coefficients(angle, translation))
    torch.testing.assert_close(found, angle)  # on the sphere the distance is another, the rotation is not


def test_pose_of_a_label_on_the_sphere_gives_the_label_back() -> None:
    angle, translation = head_pose(LABELS)
    again = from_coefficients(angle, translation)[:, :12].unflatten(1, (3, 4))[..., :3]
    torch.testing.assert_close(again, LABELS[:, :12].unflatten(1, (3, 4))[..., :3], atol=1e-6, rtol=0)
