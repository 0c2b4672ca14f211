"""Figures of faces whose pictures, depths and cameras belong together by construction, and of others."""

import math
from typing import Any

import pytest
import torch

from facegen.data.pictures import to_uint8
from facegen.evaluation.agreement import Faces, agreement, failed, generated_faces, plane_depth
from facegen.evaluation.estimator import MorphableEstimator, Sight
from facegen.geometry import cameras
from facegen.metrics.extractors import Extractor
from facegen.morphable.views import face_view
from facegen.rendering.volume import camera_rays
from tests.models.tiny import camera_labels, tiny_eg3d
from tests.morphable.small import faces_seen_from, small_model

COUNT, SIDE = 6, 48


class Oracle:
    """Says the coefficients that were put in, whatever the picture: the network of an estimator without errors."""

    def __init__(self, coefficients: torch.Tensor) -> None:
        self.answers, self.model = coefficients, small_model()

    def coefficients(self, images: torch.Tensor) -> torch.Tensor:
        answer, self.answers = self.answers[: len(images)], self.answers[len(images) :]
        return answer

    def split(self, coefficients: torch.Tensor) -> Any:
        return self.model.split(coefficients)


def views(seed: int = 0) -> tuple[Faces, torch.Tensor]:
    """Faces of the small model from two cameras each, and their coefficients."""
    model, labels = small_model(), camera_labels(2 * COUNT, seed=3)
    coefficients = faces_seen_from(model, labels, seed)
    people = model.layout.identity + model.layout.expression + model.layout.albedo
    coefficients[COUNT:, :people] = coefficients[:COUNT, :people]
    view = face_view(model, coefficients, SIDE)
    depth = torch.where(view.seen, view.depth * cameras.LABEL_SCALE, 3.3)
    return Faces(to_uint8(view.images), depth, labels), coefficients


def seen_by(coefficients: torch.Tensor, faces: Faces) -> Sight:
    oracle: Any = Oracle(coefficients)
    return MorphableEstimator(oracle).look(faces.images, batch_size=5)


def test_faces_that_are_what_they_show_have_no_error() -> None:
    faces, coefficients = views()
    found = agreement(faces, seen_by(coefficients, faces), most_residual=0.1)
    assert found["pose_degrees"] < 0.05 and found["pose"] < 1e-6 and found["pose_offset_degrees"] < 0.05
    assert found["depth"] < 1e-3
    assert found["reprojection_pixels"] < 0.01 and found["reprojection_interocular"] < 1e-3
    assert found["identity_coefficients"] < 1e-6 and found["identity_coefficients_ratio"] < 1e-6
    assert found["failed"] == 0


@pytest.mark.parametrize("degrees", [4.0, 12.0])
def test_a_turned_head_has_the_pose_error_of_its_turn(degrees: float) -> None:
    faces, coefficients = views()
    angle = small_model().layout.total - 33
    coefficients[:, angle + 1] += math.radians(degrees)
    found = agreement(faces, seen_by(coefficients, faces), most_residual=0.1)
    assert found["pose_degrees"] == pytest.approx(degrees, rel=0.1)
    assert found["reprojection_pixels"] > 0.1 and found["depth"] > 1e-3


def test_mean_faces_for_everybody_are_told_from_people() -> None:
    faces, coefficients = views()
    other = coefficients.roll(1, dims=0)
    other[:, -33:] = coefficients[:, -33:]
    found = agreement(faces, seen_by(other, faces), most_residual=0.1)
    assert found["identity_coefficients_ratio"] < 1 and found["pose_degrees"] < 0.05
    strangers = coefficients.clone()
    strangers[COUNT:, :4] = coefficients[:COUNT, :4].roll(3, dims=0)
    found = agreement(faces, seen_by(strangers, faces), most_residual=0.1)
    assert found["identity_coefficients"] > 0.5 and found["reprojection_interocular"] > 0.001


def test_a_face_that_is_not_found_is_counted_and_left_out() -> None:
    faces, coefficients = views()
    whole = agreement(faces, seen_by(coefficients, faces), most_residual=0.1)
    coefficients[2] = torch.nan
    found = agreement(faces, seen_by(coefficients, faces), most_residual=0.1)
    assert found["failed"] == pytest.approx(1 / (2 * COUNT)) and found.keys() == whole.keys()
    assert found["depth"] < 1e-3 and found["pose_degrees"] < 0.05
    nothing = agreement(faces, seen_by(torch.full_like(coefficients, torch.nan), faces), most_residual=0.1)
    assert nothing == {"failed": 1.0}


def test_failure_is_the_fitters_word_or_a_residual_above_the_limit() -> None:
    faces, coefficients = views()
    sight = seen_by(coefficients, faces)
    assert sight.residual.max() < 0.01 and not failed(sight, 0.1).any()
    noise = faces._replace(images=torch.randint_like(faces.images, 255))
    assert failed(seen_by(coefficients, noise), 0.1).all()
    score = torch.linspace(0, 1, 2 * COUNT)
    assert failed(sight._replace(score=score), 0.0).tolist() == (score > 0.5).tolist()


def test_embeddings_take_the_place_of_coefficients() -> None:
    faces, coefficients = views()
    extractor = Extractor("grey", 9, lambda x: x.float(), torch.nn.AdaptiveAvgPool2d(3), {})
    found = agreement(faces, seen_by(coefficients, faces), most_residual=0.1, extractor=extractor)
    assert 0.5 < found["identity_grey"] <= 1 and "identity_coefficients" not in found


def test_distances_along_rays_become_those_from_the_plane() -> None:
    labels = camera_labels(2)
    pose, intrinsics = cameras.split_label(labels)
    rays = camera_rays(pose, intrinsics, 8)
    cosine = (rays.directions * pose[:, None, :3, 2]).sum(dim=-1)
    wall = (2.5 / cosine).reshape(2, 1, 8, 8)  # what is 2.5 before the camera's plane
    torch.testing.assert_close(plane_depth(wall, labels), torch.full_like(wall, 2.5))


def test_generated_faces_are_the_same_in_any_batch_and_leave_random_numbers_alone() -> None:
    torch.manual_seed(0)
    generator = tiny_eg3d().generator_ema
    z, labels = torch.randn(4, 16), camera_labels(8)
    state = torch.get_rng_state()
    whole, parts = (generated_faces(generator, z, labels, 1, batch_size=4) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(whole.images, parts.images) and whole.images.shape == (8, 3, 16, 16)
    parts = generated_faces(generator, z, labels, 1, batch_size=3)
    assert (whole.depth - parts.depth).abs().median() < 0.1 and whole.depth.shape == (8, 1, 8, 8)
