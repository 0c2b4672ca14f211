"""The distributions of poses, measured on the labels they give."""

import numpy as np
import pytest
import torch

from facegen.data.labels import camera_problem
from facegen.data.poses import POSES, random_label, yaw_pitch_degrees
from facegen.geometry.cameras import positions, theta_phi
from facegen.geometry.projection import project


def labels_of(poses: str, count: int = 3000) -> np.ndarray:
    return np.stack([random_label(poses, np.random.default_rng([5, number])) for number in range(count)])


def test_ffhq_has_the_published_mean_and_deviation() -> None:
    theta, phi = torch.rad2deg(theta_phi(torch.from_numpy(labels_of("ffhq")))).T.numpy()
    for values, mean, deviation in ((theta, 90, 15.5), (phi, 84.8, 7.4)):
        assert values.mean() == pytest.approx(mean, abs=4 * deviation / len(values) ** 0.5)
        assert values.std() == pytest.approx(deviation, rel=0.06)
    assert abs(np.corrcoef(theta, phi)[0, 1]) < 0.08


def test_large_poses_are_beyond_30_degrees_on_both_sides() -> None:
    yaw, pitch = yaw_pitch_degrees(labels_of("large")).T
    assert 30 <= np.abs(yaw).min() < 31 and 89 < np.abs(yaw).max() <= 90.001
    assert 0.45 < (yaw > 0).mean() < 0.55
    assert pitch.mean() == pytest.approx(5.2, abs=0.7) and pitch.std() == pytest.approx(9, rel=0.06)


def test_uniform_poses_are_uniform_over_the_sphere() -> None:
    labels = labels_of("uniform")
    yaw, _ = yaw_pitch_degrees(labels).T
    height = labels[:, 7] / 2.7
    for values, low, high in ((yaw, -90, 90), (height, -0.5, 0.5)):
        counts, _ = np.histogram(values, bins=10, range=(low, high))
        assert counts.sum() == len(values) and np.abs(counts / len(values) - 0.1).max() < 0.025


@pytest.mark.parametrize("poses", POSES)
def test_labels_are_cameras_of_eg3d(poses: str) -> None:
    labels = torch.from_numpy(labels_of(poses, 50))
    assert all(camera_problem(values) is None for values in labels.numpy())
    torch.testing.assert_close(positions(labels).norm(dim=1), torch.full((50,), 2.7))
    pivot = project(torch.tensor([[0.0, 0.0, 0.2]]), labels)
    torch.testing.assert_close(pivot, torch.full_like(pivot, 0.5), atol=1e-5, rtol=0)
    assert (labels[:, [16, 20]] == torch.tensor(4.2647)).all()


def test_yaw_says_where_the_nose_points_in_the_picture() -> None:
    labels = labels_of("large", 50)
    nose = project(torch.tensor([[0.0, 0.0, 0.3], [0.0, 0.0, 0.0]]), torch.from_numpy(labels))
    to_the_right = (nose[:, 0, 0] > nose[:, 1, 0]).numpy()
    np.testing.assert_array_equal(to_the_right, yaw_pitch_degrees(labels)[:, 0] > 0)


def test_unknown_distribution_is_named() -> None:
    with pytest.raises(ValueError, match="got 'frontal', expected one of: ffhq, large, uniform"):
        random_label("frontal", np.random.default_rng(0))
