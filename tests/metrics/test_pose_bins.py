"""Distances by bins of pose: a generator that fails where heads turn, counts, edges, and bins with few images."""

import json
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from facegen.metrics.pose_binned import BinnedDistance, PoseBinnedFrechet, binned_frechet, common_means
from facegen.metrics.pose_bins import PoseBins
from facegen.metrics.posed import Posed, leading_axes

BINS = PoseBins((-90, -30, -10, 10, 30, 90), (-45, 0, 45))
OPTIONS: dict[str, Any] = {"num_per_bin": 40, "components": 8}


def faces(count: int, deviation: float, seed: int, worse: float = 0.0) -> Posed:
    """Features in 20 dimensions that follow poses; `worse` shifts and shrinks those beyond 30 degrees of yaw."""
    source = torch.Generator().manual_seed(seed)
    angles = (torch.randn(count, 2, generator=source) * torch.tensor([deviation, 0.15])).clamp(-1.5, 1.5)
    slopes = torch.randn(2, 20, generator=torch.Generator().manual_seed(99))
    features = angles @ slopes + torch.randn(count, 20, generator=source) * torch.arange(1, 21) ** -0.7
    turned = angles[:, :1].abs() > math.radians(30)
    return Posed(torch.where(turned, features * (1 - worse / 4) + worse, features), angles)


@pytest.fixture(scope="module")
def sets() -> tuple[Posed, Posed, Posed]:
    return faces(1200, 0.4, 0), faces(900, 0.5, 1), faces(900, 0.5, 2, worse=1.0)


@pytest.fixture(scope="module")
def results(sets: tuple[Posed, Posed, Posed]) -> tuple[BinnedDistance, BinnedDistance]:
    real, good, bad = sets
    return binned_frechet(real, good, BINS, **OPTIONS), binned_frechet(real, bad, BINS, **OPTIONS)


def test_equal_generators_are_near_zero_in_every_bin_whatever_the_counts(
    results: tuple[BinnedDistance, BinnedDistance],
) -> None:
    """Poses within the wide outer bins differ between the sets, which leaves a little there."""
    good, _ = results
    for value, error, everything in zip(good.yaw.frechet, good.yaw.standard_error, good.yaw.frechet_all, strict=True):
        assert abs(value) < 4 * error + 0.2
        assert everything > 0.5  # what forty images give without any difference
    assert abs(good.value or 1) < 0.3


def test_the_bins_where_a_generator_fails_are_the_ones_shown(results: tuple[BinnedDistance, BinnedDistance]) -> None:
    good, bad = results
    for values in (bad.yaw.frechet, [1000 * value for value in bad.yaw.kernel]):
        assert min(values[0], values[4]) > 5 * max(map(abs, values[1:4]))
    assert bad.yaw.frechet[1:4] == good.yaw.frechet[1:4] or max(map(abs, bad.yaw.frechet[1:4])) < 1
    for row in bad.map.frechet:
        assert min(row[0], row[4]) > 3 * max(map(abs, row[1:4]))
    assert bad.value is not None and bad.weighted_by_real is not None
    assert bad.value > bad.weighted_by_real > 1  # the real images are mostly frontal


def test_counts_and_means_are_those_of_the_bins(
    sets: tuple[Posed, Posed, Posed], results: tuple[BinnedDistance, BinnedDistance]
) -> None:
    good, bad = results
    yaw = torch.rad2deg(sets[0].angles[:, 0])
    assert good.yaw.num_real[2] == int(((yaw >= -10) & (yaw < 10) & (sets[0].angles[:, 1].abs() < 0.785)).sum())
    assert [sum(row[2] for row in good.map.num_generated)] == [good.yaw.num_generated[2]]
    assert sum(good.pitch.num_real) == sum(good.yaw.num_real) == len(yaw) - good.num_outside[0]
    widths = [60, 20, 20, 20, 60]
    mean = sum(value * width for value, width in zip(bad.yaw.frechet, widths, strict=True)) / 180
    assert bad.value == pytest.approx(mean)


def test_edges_belong_to_the_upper_bin_and_the_last_to_its_own() -> None:
    def degrees(*values: float) -> Tensor:
        return torch.deg2rad(torch.tensor([[value, 0.0] for value in values], dtype=torch.float64))

    assert BINS.places(degrees(-91, -90, -10, 9.9, 10, 90, 91))[:, 0].tolist() == [-1, 0, 2, 2, 3, 4, -1]
    folded = PoseBins((0, 10, 90), fold_yaw=True)
    assert folded.places(degrees(-5, 5, -50))[:, 0].tolist() == [0, 0, 1]
    assert PoseBins.folded().checked().yaw_edges_degrees[:2] == (0, 5)
    for edges in (PoseBins(), PoseBins.coarse()):
        assert list(edges.yaw_edges_degrees) == [-edge for edge in reversed(edges.yaw_edges_degrees)]


def test_bins_with_few_images_have_no_number_and_a_warning(sets: tuple[Posed, Posed, Posed]) -> None:
    real, good, bad = sets
    bins = BINS._replace(pitch_edges_degrees=(-45, 45))
    frontal = good.at(good.angles[:, 0].abs() < math.radians(30))
    with pytest.warns(UserWarning, match="yaw -90 to -30, 30 to 90 degrees"):
        found = binned_frechet(real, frontal, bins, **OPTIONS)
    assert [value is None for value in found.yaw.frechet] == [True, False, False, False, True]
    assert found.yaw.kernel[0] is None and found.yaw.num_generated[0] == 0
    assert found.value is not None
    shared = common_means([found, binned_frechet(real, bad, bins, **OPTIONS)])
    assert shared is not None and shared[0] == pytest.approx(found.value) and shared[1] < 0.5
    with pytest.warns(UserWarning):
        nothing = binned_frechet(real, frontal.at(torch.arange(10)), bins, **OPTIONS)
    assert nothing.value is None and common_means([nothing, found]) is None


def test_unknown_and_distant_poses_are_counted_and_left_out(sets: tuple[Posed, Posed, Posed]) -> None:
    real, good, _ = sets
    angles = good.angles.clone()
    angles[:5] = float("nan")
    angles[5:7, 1] = 1.2
    with pytest.warns(UserWarning, match="generated images lie outside"):
        found = binned_frechet(real, Posed(good.features, angles), PoseBins((-90, 90), (-45, 45)), **OPTIONS)
    assert found.num_outside[1] == 7 + int((good.angles[7:, 1].abs() > math.pi / 4).sum())


def test_the_metric_does_not_depend_on_batches_or_their_order(
    sets: tuple[Posed, Posed, Posed], results: tuple[BinnedDistance, BinnedDistance]
) -> None:
    real, _, bad = sets
    metric = PoseBinnedFrechet(BINS, OPTIONS)
    for rows in torch.randperm(len(real.features), generator=torch.Generator().manual_seed(4)).split(301):
        metric.update(*real.at(rows), real=True)
    metric.update(*bad, real=False)
    found = metric.compute()
    assert found.yaw.frechet == pytest.approx(results[1].yaw.frechet, rel=1e-9)
    assert found.yaw.kernel == pytest.approx(results[1].yaw.kernel, rel=1e-9)
    assert json.loads(json.dumps(found.as_dict()))["bins"]["fold_yaw"] is False


def test_axes_are_the_directions_of_largest_variance() -> None:
    spread = torch.tensor([3.0, 0.1, 2.0, 0.5])
    rows = torch.randn(400, 4, generator=torch.Generator().manual_seed(0)) * spread + 7
    axes = leading_axes(rows, 2)
    assert torch.allclose(axes.T @ axes, torch.eye(2).double(), atol=1e-12)
    assert axes[0, 0] > 0.99 and axes[2, 1] > 0.99
    wide = leading_axes(torch.cat([rows, torch.zeros(400, 500)], dim=1), 2)
    assert torch.allclose(wide[:4], axes, atol=1e-9)


def test_what_cannot_be_measured_is_said(sets: tuple[Posed, Posed, Posed]) -> None:
    real, good, _ = sets
    with pytest.raises(ValueError, match="two or more rising"):
        binned_frechet(real, good, PoseBins((10, 0)))
    with pytest.raises(ValueError, match="folded yaw"):
        binned_frechet(real, good, PoseBins((-10, 10), fold_yaw=True))
    with pytest.raises(ValueError, match="expected at least 64"):
        binned_frechet(real, good, num_per_bin=40)
    with pytest.raises(ValueError, match="components: got 30"):
        binned_frechet(real, good, components=30)
    with pytest.raises(ValueError, match="real: got features"):
        binned_frechet(Posed(real.features, real.angles[:, 0]), good)
