"""Weights by pose, and distances that they leave: sets that differ in poses only, and sets that differ in faces."""

import json
import math
import warnings

import pytest
import torch
from torch import Tensor

from facegen.metrics.pose_matched import PoseMatchedFrechet, matched_frechet
from facegen.metrics.pose_weights import PoseDensities, leave_one_out, matching_weights, pose_gap, pose_weights
from facegen.metrics.posed import Posed

FEATURES = 10
REAL, LARGE = (0.0, 0.25), (0.2, 0.4)  # mean and deviation of yaw, radians


def density(angles: Tensor) -> Tensor:
    """Densities of yaw in both sets (N, 2); pitch has the same one in both."""
    each = [torch.exp(-(((angles[:, 0] - mean) / width) ** 2) / 2) / width for mean, width in (REAL, LARGE)]
    return torch.stack(each, dim=1)


def faces(count: int, yaw: tuple[float, float], seed: int, worse: float = 0.0) -> Posed:
    """Features that follow the pose linearly, with noise; `worse` makes them err as faces turn."""
    source = torch.Generator().manual_seed(seed)
    angles = torch.randn(count, 2, generator=source) * torch.tensor([yaw[1], 0.1]) + torch.tensor([yaw[0], 0.0])
    slopes = torch.randn(2, FEATURES, generator=torch.Generator().manual_seed(99))
    features = angles @ slopes * 2 + 0.3 * torch.randn(count, FEATURES, generator=source)
    features[:, 0] += worse * angles[:, 0].abs()
    return Posed(features, angles)


def densities(real: Posed, generated: Posed) -> PoseDensities:
    return PoseDensities(density(real.angles), density(generated.angles))


@pytest.mark.parametrize("target", ["overlap", "real"])
def test_sets_that_differ_only_in_poses_are_equal_when_matched(target: str) -> None:
    real, generated = faces(3000, REAL, 0), faces(3000, LARGE, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of clipped weights
        found = matched_frechet(real, generated, densities(real, generated), target)  # pyright: ignore[reportArgumentType]
    assert found.unmatched.corrected_interval[0] > 1
    assert found.matched.corrected_interval[0] <= 0 <= found.matched.corrected_interval[1]
    assert abs(found.matched.corrected) < 0.02 * found.unmatched.corrected
    assert found.unmatched_pose_gap[0] > 0.2 > 4 * found.pose_gap[0]


def test_a_generator_that_fails_at_large_poses_stays_apart_when_matched() -> None:
    real, generated = faces(3000, REAL, 0), faces(3000, LARGE, 1, worse=2.0)
    found = matched_frechet(real, generated, densities(real, generated))
    assert 0.05 < found.matched.corrected_interval[0] < found.value < found.unmatched.value


def test_each_target_has_the_poses_that_it_names() -> None:
    real, generated = faces(20_000, REAL, 0), faces(20_000, LARGE, 1)
    for target, mean in (("real", REAL[0]), ("generated", LARGE[0])):
        weights = matching_weights(densities(real, generated), target)  # pyright: ignore[reportArgumentType]
        for side, each in zip((real, generated), weights, strict=True):
            got = float((each.values * side.angles[:, 0]).sum() / each.values.sum())
            assert got == pytest.approx(mean, abs=0.03)
    first, second = matching_weights(densities(real, generated), "overlap")
    assert pose_gap(real.angles, generated.angles, first.values, second.values)[0] < 0.03
    assert pose_gap(real.angles, generated.angles)[0] > 0.25


def test_overlap_weights_are_bounded_and_equal_ones_where_poses_are_equal() -> None:
    own = torch.tensor([1.0, 1.0, 1.0, 0.0, 0.0])
    other = torch.tensor([1.0, 3.0, 0.0, 1.0, 0.0])
    raw = pose_weights(own, other, "overlap").values
    assert (raw / raw[3]).tolist() == pytest.approx([1 / 2, 3 / 4, 0, 1, 0])
    same = torch.rand(50) + 0.1
    for target in ("overlap", "own", "other"):
        assert pose_weights(same, same, target).values.tolist() == pytest.approx([1.0] * 50)


def test_ratios_are_clipped_at_the_root_of_the_number_of_images() -> None:
    own, other = torch.ones(100), torch.ones(100)
    own[0] = 1e-9
    found = pose_weights(own, other, "other")
    usual = (99 + 1e9) / 100
    assert found.num_clipped == 1
    assert float(found.values[0] / found.values[1]) == pytest.approx(10 * usual)
    assert pose_weights(own, other, "other", clip=2).values.max() < found.values.max()


def test_leaving_a_point_out_of_its_own_density() -> None:
    points = torch.randn(40, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    kernels = torch.exp(-((points[:, None] - points) ** 2) / 2) / math.sqrt(2 * math.pi)
    others = (kernels.sum(1) - kernels.diagonal()) / 39
    assert torch.allclose(leave_one_out(kernels.mean(1), 40, 1 / math.sqrt(2 * math.pi)), others)
    assert float(leave_one_out(torch.tensor([0.0]), 40, 0.4)) == 0


def test_few_images_that_carry_the_weight_are_warned_of() -> None:
    real, generated = faces(300, (-0.5, 0.1), 0), faces(300, (0.5, 0.1), 1)
    at = [
        torch.stack([torch.exp(-(((p.angles[:, 0] - m) / 0.1) ** 2) / 2) for m in (-0.5, 0.5)], 1).double()
        for p in (real, generated)
    ]
    with pytest.warns(UserWarning, match="hardly share poses"):
        found = matched_frechet(real, generated, PoseDensities(*at))
    assert found.matched.effective_real < 30
    assert any("no more than the 10 features" in line for line in found.warnings)


def test_components_are_those_of_the_real_features() -> None:
    real, generated = faces(500, REAL, 0), faces(500, REAL, 1)
    generated.features[:, 0] += 1
    everything = matched_frechet(real, generated, densities(real, generated))
    some = matched_frechet(real, generated, densities(real, generated), components=2)
    assert 0 < some.value < everything.value
    assert some.components == 2


def test_the_metric_gives_the_same_for_every_split_and_plain_json() -> None:
    real, generated = faces(200, REAL, 0), faces(150, LARGE, 1)
    both = densities(real, generated)
    expected = matched_frechet(real, generated, both, replicates=8, seed=3)
    metric = PoseMatchedFrechet(options={"replicates": 8, "seed": 3})
    for rows in torch.arange(200).split(64):
        metric.update(real.features[rows], real.angles[rows], both.real[rows], real=True)
    metric.update(generated.features, generated.angles, both.generated, real=False)
    assert json.dumps(metric.compute().as_dict()) == json.dumps(expected.as_dict())
    assert expected.interval == expected.matched.interval


def test_what_cannot_be_matched_is_said() -> None:
    real = faces(30, REAL, 0)
    both = densities(real, real)
    with pytest.raises(ValueError, match="target: got 'both'"):
        matched_frechet(real, real, both, "both")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="NaN, infinite or negative"):
        matched_frechet(real, real, PoseDensities(both.real, -both.generated))
    with pytest.raises(ValueError, match="densities at real images: got 29"):
        matched_frechet(real, real, PoseDensities(both.real[1:], both.generated))
    with pytest.raises(ValueError, match="cannot be matched"):
        matched_frechet(real, real, PoseDensities(both.real * torch.tensor([1, 0]), both.generated))
    with pytest.raises(ValueError, match="clip: got 0"):
        matched_frechet(real, real, both, "real", clip=0)
    with pytest.raises(ValueError, match="unknown pose"):
        matched_frechet(Posed(real.features, real.angles / 0), real, both)
