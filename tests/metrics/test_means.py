"""Metrics that are means: against numpy on all values at once, whatever the batches."""

import math

import numpy as np
import pytest
import torch

from facegen.geometry import cameras
from facegen.geometry.angles import view_angles
from facegen.metrics.diversity import Diversity, random_pairs
from facegen.metrics.geometry import DepthError, PoseError, depth_errors
from facegen.metrics.views import IdentitySimilarity


def cosines(first: torch.Tensor, second: torch.Tensor) -> np.ndarray:
    a, b = first.double().numpy(), second.double().numpy()
    return (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def test_identity_is_the_mean_cosine_with_its_standard_error() -> None:
    first, second = torch.randn(2, 50, 8, generator=torch.Generator().manual_seed(0)).unbind()
    metric = IdentitySimilarity()
    for part in (slice(0, 1), slice(1, 30), slice(30, 50)):
        metric.update(first[part], second[part])
    expected = cosines(first, second)
    found = metric.compute()
    assert found.value.item() == pytest.approx(expected.mean(), rel=1e-12)
    assert found.standard_error.item() == pytest.approx(expected.std(ddof=1) / math.sqrt(50), rel=1e-10)
    assert found.num_values == 50 and found.value.dtype == torch.float64


def test_one_value_has_no_standard_error_and_none_is_an_error() -> None:
    metric = IdentitySimilarity()
    metric.update(torch.ones(1, 4), 2 * torch.ones(1, 4))
    assert metric.compute().value == pytest.approx(1) and metric.compute().standard_error.isnan()
    with pytest.raises(ValueError, match="no values"):
        IdentitySimilarity().compute()
    with pytest.raises(ValueError, match="expected two"):
        metric.update(torch.ones(2, 4), torch.ones(3, 4))


def test_values_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        IdentitySimilarity().update(torch.full((2, 3), torch.nan), torch.ones(2, 3))


def test_sums_of_two_processes_add() -> None:
    first, second = torch.randn(2, 40, 6, generator=torch.Generator().manual_seed(1)).unbind()
    whole, *parts = (IdentitySimilarity() for _ in range(3))
    whole.update(first, second)
    for metric, part in zip(parts, (slice(0, 13), slice(13, 40)), strict=True):
        metric.update(first[part], second[part])
    total = parts[0]
    total.merge_state(parts[1])
    for joined, alone in zip(total.compute(), whole.compute(), strict=True):
        assert joined.item() == pytest.approx(alone.item(), rel=1e-12)


def relief(seed: int) -> torch.Tensor:
    return torch.randn(3, 1, 6, 6, generator=torch.Generator().manual_seed(seed))


def test_depth_error_is_two_minus_twice_the_correlation_on_the_face() -> None:
    depth, estimated = relief(0), relief(1)
    mask = torch.rand(3, 1, 6, 6, generator=torch.Generator().manual_seed(2)) < 0.6
    found = depth_errors(depth, estimated.masked_fill(~mask, torch.inf), mask)
    for n in range(3):
        r = np.corrcoef(depth[n][mask[n]].numpy(), estimated[n][mask[n]].numpy())[0, 1]
        assert found[n].item() == pytest.approx(2 * (1 - r), rel=1e-5)


def test_depth_error_ignores_scale_and_shift_and_is_one_for_a_flat_depth() -> None:
    depth, mask = relief(0), torch.ones(3, 1, 6, 6, dtype=torch.bool)
    assert depth_errors(depth, 0.3 * depth + 2.7, mask).max() < 1e-10
    assert depth_errors(depth, torch.full_like(depth, 2.7), mask).tolist() == pytest.approx([1, 1, 1])
    assert depth_errors(depth, -depth, mask).tolist() == pytest.approx([4, 4, 4])


def test_faces_that_were_not_found_are_left_out() -> None:
    depth, mask = relief(0), torch.ones(3, 1, 6, 6, dtype=torch.bool)
    mask[1] = False
    metric = DepthError()
    metric.update(depth, depth.where(mask, torch.nan), mask)
    assert metric.compute().num_values == 2 and metric.compute().value.abs() < 1e-12
    labels = orbit(torch.tensor([0.1, 0.2]))
    poses = PoseError()
    poses.update(labels, labels.where(torch.tensor([[True], [False]]), torch.nan))
    assert poses.compute().num_values == 1 and poses.compute().value == 0
    with pytest.raises(ValueError, match="expected three"):
        metric.update(depth, depth, mask[:, 0])


def orbit(yaw: torch.Tensor, pitch: float = 0.0) -> torch.Tensor:
    """Cameras around the world's origin: `yaw` towards +x, `pitch` above."""
    v = torch.full_like(yaw, torch.pi / 2 * (1 - math.sin(pitch)))
    pose = cameras.look_at(torch.pi / 2 + yaw, v, (0.0, 0.0, 0.0))
    return cameras.label(pose, cameras.pinhole_intrinsics())


def rolled(labels: torch.Tensor, angle: float) -> torch.Tensor:
    """Turned about the optical axis (x right, y down), counterclockwise as the camera sees the world turn back."""
    pose, intrinsics = cameras.split_label(labels)
    turn = torch.eye(4)
    turn[0, 0] = turn[1, 1] = math.cos(angle)
    turn[0, 1], turn[1, 0] = math.sin(angle), -math.sin(angle)
    return cameras.label(pose @ turn, intrinsics)


def test_view_angles() -> None:
    yaw = torch.tensor([-0.5, 0.0, 0.4])
    angles = view_angles(orbit(yaw, pitch=0.2))
    torch.testing.assert_close(angles[:, 0], yaw, atol=1e-5, rtol=0)
    assert cameras.positions(orbit(yaw))[:, 0].tolist() == pytest.approx((2.7 * yaw.sin()).tolist(), abs=1e-5)
    assert cameras.positions(orbit(yaw, pitch=0.2))[:, 1].min() > 0, "above"
    torch.testing.assert_close(angles[:, 1], torch.full((3,), 0.2), atol=1e-5, rtol=0)
    assert angles[:, 2].abs().max() < 1e-6
    turned = view_angles(rolled(orbit(yaw, pitch=0.2), 0.3))
    torch.testing.assert_close(turned[:, :2], angles[:, :2], atol=1e-5, rtol=0)
    torch.testing.assert_close(turned[:, 2], torch.full((3,), 0.3), atol=1e-5, rtol=0)


def test_pose_error_is_the_mean_square_of_three_angles() -> None:
    metric = PoseError()
    metric.update(orbit(torch.tensor([0.1, -0.3])), rolled(orbit(torch.tensor([0.3, -0.3]), pitch=0.1), 0.2))
    expected = [(0.2**2 + 0.1**2 + 0.2**2) / 3, (0.1**2 + 0.2**2) / 3]
    assert metric.compute().value.item() == pytest.approx(np.mean(expected), rel=1e-4)


def test_angles_that_differ_by_a_whole_turn_are_equal() -> None:
    behind = PoseError()
    behind.update(orbit(torch.tensor([torch.pi - 0.01])), orbit(torch.tensor([-torch.pi + 0.01])))
    assert behind.compute().value.item() == pytest.approx(0.02**2 / 3, rel=1e-2)


class MeanDifference(torch.nn.Module):
    name = "mean absolute difference"

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return (a - b).abs().mean(dim=(1, 2, 3))


def test_diversity() -> None:
    images = torch.randint(0, 256, (9, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    metric = Diversity(MeanDifference())  # pyright: ignore[reportArgumentType]
    first, second = random_pairs(9, seed=3)
    metric.update(images[first], images[second])
    expected = [
        np.abs(images[i].numpy() / 127.5 - images[j].numpy() / 127.5).mean() for i, j in zip(first, second, strict=True)
    ]
    assert metric.compute().value.item() == pytest.approx(np.mean(expected), rel=1e-5)
    with pytest.raises(ValueError, match="expected uint8"):
        metric.update(images.float(), images.float())


def test_pairs_are_disjoint_random_and_stay_in_their_group() -> None:
    first, second = random_pairs(101, seed=0)
    assert len(first) == 50 and len(set(torch.cat([first, second]).tolist())) == 100
    assert random_pairs(101, seed=1)[0].tolist() != first.tolist()
    groups = torch.arange(20) % 3
    first, second = random_pairs(20, seed=0, groups=groups)
    assert torch.equal(groups[first], groups[second]) and len(first) == 3 + 3 + 3
