"""Normal equations against automatic differentiation and finite differences of the costs they belong to."""

import math

import pytest
import torch
from torch import Tensor

from facegen.geometry.perspective import DEEP3D
from facegen.morphable.fitting.camera import first_pose
from facegen.morphable.fitting.confidence import pose_angles, pose_interval
from facegen.morphable.fitting.descent import Equations, State, descend
from facegen.morphable.fitting.landmarks import Landmarks, fit_landmarks
from facegen.morphable.fitting.linear import Pose, SurfacePoints, turn, vertices_of
from facegen.morphable.fitting.photometric import Photographs
from facegen.morphable.fitting.tables import Tables
from facegen.morphable.fitting.weights import Weights
from facegen.morphable.procedural_model import ProceduralFaces
from facegen.morphable.render import render


def points_of(faces: ProceduralFaces) -> SurfacePoints:
    return vertices_of(faces.model, faces.model.landmarks, torch.float64)


def pose_of(batch: int, yaw: float = 0.5) -> Pose:
    vector = torch.tensor([[0.1, yaw, -0.05]], dtype=torch.float64).expand(batch, 3)
    return Pose(turn(vector), 0.1 * torch.ones(batch, 3, dtype=torch.float64))


def test_turn_is_a_rotation_by_the_vectors_length() -> None:
    vector = torch.tensor([[0.3, -0.2, 0.6]], dtype=torch.float64)
    matrix = turn(vector)[0]
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(3, dtype=torch.float64))
    torch.testing.assert_close(matrix @ vector[0], vector[0])
    assert math.isclose(float(matrix.trace()), 1 + 2 * math.cos(float(vector.norm())))


def test_landmark_equations_are_derivatives_of_their_cost(faces: ProceduralFaces) -> None:
    points, generator = points_of(faces), torch.Generator().manual_seed(0)
    pose, shape = pose_of(2), 0.5 * torch.randn(2, len(points.modes), generator=generator, dtype=torch.float64)
    pixels = DEEP3D.image_points(DEEP3D.view(pose.place(points.at(shape))))
    pixels = pixels + 4 * torch.randn(pixels.shape, generator=generator, dtype=torch.float64)  # inliers and outliers
    given = Landmarks(points, pixels, torch.ones_like(pixels), DEEP3D, noise=2.0)
    size = 6 + shape.shape[1]

    def cost(step: Tensor) -> Tensor:
        there = pose.turned(step[:, :3], step[:, 3:6])
        return given.equations(there, shape + step[:, 6:]).cost.sum()

    found = given.equations(pose, shape)
    expected = torch.autograd.functional.jacobian(cost, torch.zeros(2, size, dtype=torch.float64))
    torch.testing.assert_close(2 * found.gradient, expected, rtol=1e-6, atol=1e-6)


def test_photometric_equations_are_derivatives_where_geometry_rests(faces: ProceduralFaces) -> None:
    """Albedo and light change colours only: there the gradient is exact, by central differences."""
    model = faces.model.with_perspective(DEEP3D.at(64))
    generator = torch.Generator().manual_seed(4)
    truth = model.layout.zeros(1)
    image = (render(model, model(truth)).images + 1) / 2 + 0.05 * torch.rand(1, 3, 64, 64, generator=generator)
    shape = torch.zeros(1, model.layout.identity + model.layout.expression)
    state = (
        torch.eye(3)[None],
        torch.zeros(1, 3),
        shape,
        0.1 * torch.randn(1, model.layout.albedo, generator=generator),
        0.05 * torch.randn(1, 27, generator=generator),
    )
    weights = Weights(reflectance=5.0)
    given = (
        image,
        torch.ones(1, 1, 64, 64),
        None,
        weights,
        5000,
        shape,
        model.normals_of(model.mean_shape[None]),
    )
    photographs = Photographs(model, Tables(model), *given)
    double = [part.double() for part in state]
    rows = torch.zeros(1, dtype=torch.long)
    found = photographs.equations(rows, state)
    start = 6 + shape.shape[1]
    for column in (0, 3, model.layout.albedo, model.layout.albedo + 12):
        values = []
        for sign in (1, -1):
            changed = [part.clone() for part in double]
            part, index = (3, column) if column < model.layout.albedo else (4, column - model.layout.albedo)
            changed[part][0, index] += sign * 0.02
            values.append(photographs.equations(rows, tuple(part.float() for part in changed)).cost)
        slope = (values[0] - values[1]) / 0.04
        torch.testing.assert_close(2 * found.gradient[:, start + column], slope, rtol=0.03, atol=2e-4)


@pytest.mark.parametrize("yaw", [0.0, 0.6, 1.3])
def test_first_pose_is_near(faces: ProceduralFaces, yaw: float) -> None:
    points, pose = points_of(faces), pose_of(1, yaw)
    pixels = DEEP3D.image_points(DEEP3D.view(pose.place(points.mean[None])))
    found = first_pose(points.mean, pixels, torch.ones(1, 68, dtype=torch.float64), DEEP3D)
    between = (found.rotation @ pose.rotation.mT)[0].diagonal().sum()
    assert math.degrees(math.acos(min(float((between - 1) / 2), 1.0))) < 4
    assert (found.translation - pose.translation).abs().max() < 0.4
    assert math.isclose(float(torch.linalg.det(found.rotation)), 1, rel_tol=1e-6)


def test_intervals_hold_nine_of_ten_poses(faces: ProceduralFaces) -> None:
    points, generator = points_of(faces), torch.Generator().manual_seed(6)
    batch, noise = 200, 2.0
    pose, shape = pose_of(batch), torch.randn(batch, len(points.modes), generator=generator, dtype=torch.float64)
    pixels = DEEP3D.image_points(DEEP3D.view(pose.place(points.at(shape))))
    pixels = pixels + noise * torch.randn(pixels.shape, generator=generator, dtype=torch.float64)
    fit = fit_landmarks(Landmarks(points, pixels, torch.ones_like(pixels), DEEP3D, noise))
    inside = (pose_angles(fit.pose) - pose_angles(pose)).abs() <= pose_interval(fit, 136)
    share = inside.double().mean(dim=0)
    assert (share > 0.83).all() and (share < 0.97).all()


def test_descent_finds_each_minimum_at_its_own_pace() -> None:
    targets = torch.tensor([[3.0, -1.0], [0.5, 2.0], [torch.nan, 0.0]], dtype=torch.float64)

    def equations(rows: Tensor, state: State) -> Equations:
        residual = state[0] - targets[rows]
        curved = residual + 0.2 * residual**3
        slope = torch.diag_embed(1 + 0.6 * residual**2)
        return Equations(curved.square().sum(dim=1), (slope @ curved[..., None]).squeeze(-1), slope @ slope)

    start = torch.zeros(3, 2, dtype=torch.float64)
    found = descend((start,), equations, lambda state, step: (state[0] + step,), 50, 1e-12)
    torch.testing.assert_close(found.state[0][:2], targets[:2], atol=1e-5, rtol=0)
    assert found.converged.tolist() == [True, True, False] and found.iterations[2] == 0
