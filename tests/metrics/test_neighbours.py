"""Precision and recall, density and coverage: other programs, the definition, copies and near copies."""

import pytest
import torch
from prdc import compute_prdc
from torch import Tensor
from torch_fidelity.metric_prc import prc_features_to_metric

from facegen.metrics import PrecisionRecall, density_coverage, precision_recall
from facegen.metrics.neighbours import neighbour_scores
from tests.metrics.gaussians import features

REAL, GENERATED = features(300, 6), features(250, 6, seed=1) * 0.7 + 0.3


def by_definition(real: Tensor, generated: Tensor, k: int) -> dict[str, float]:
    """All four from differences of float64 features, without products."""

    def squares(x: Tensor, y: Tensor) -> Tensor:
        return (x.double()[:, None] - y.double()).square().sum(dim=2)

    def radii(x: Tensor) -> Tensor:
        return squares(x, x).fill_diagonal_(torch.inf).sort(dim=1).values[:, k - 1]

    apart, balls = squares(real, generated), radii(real)[:, None]
    return {
        "precision": float((apart <= balls).any(dim=0).double().mean()),
        "recall": float((apart <= radii(generated)).any(dim=1).double().mean()),
        "density": float((apart < balls).sum(dim=0).double().mean()) / k,
        "coverage": float((apart < balls).any(dim=1).double().mean()),
    }


def all_four(real: Tensor, generated: Tensor, k: int) -> dict[str, float]:
    return {name: float(value) for name, value in neighbour_scores(real, generated, k, k)._asdict().items()}


@pytest.mark.parametrize("k", [1, 3, 5])
def test_agrees_with_prdc_and_torch_fidelity(k: int) -> None:
    found = all_four(REAL, GENERATED, k)
    assert found == pytest.approx(compute_prdc(REAL.numpy(), GENERATED.numpy(), k))
    other = prc_features_to_metric(
        GENERATED, REAL, prc_neighborhood=k, prc_batch_size=100, save_cpu_ram=False, verbose=False
    )
    assert (found["precision"], found["recall"]) == pytest.approx((other["precision"], other["recall"]))
    assert 0 < found["recall"] < 1 and 0 < found["coverage"] < 1


def test_the_pairs_of_scores_are_those_of_all_four() -> None:
    found = (*precision_recall(REAL, GENERATED), *density_coverage(REAL, GENERATED))
    assert [float(each) for each in found] == [float(each) for each in neighbour_scores(REAL, GENERATED, 3, 5)]


@pytest.mark.parametrize("block", [1, 77, 250])
def test_does_not_depend_on_blocks(block: int) -> None:
    assert neighbour_scores(REAL, GENERATED, block=block) == neighbour_scores(REAL, GENERATED)


def test_identical_sets_are_perfect() -> None:
    assert set(all_four(REAL, REAL.clone(), 5).values()) == {1.0}


def test_sets_apart_share_nothing() -> None:
    assert set(all_four(REAL, GENERATED + 100, 5).values()) == {0.0}


def test_near_copies_far_from_the_origin_are_told_apart() -> None:
    """Squared distances of 1e-4 beside norms of 1e8: in float32, |x|^2 + |y|^2 - 2 x.y has no digit left."""
    draws = torch.Generator().manual_seed(0)
    real = 4096 + torch.randint(-8, 8, (80, 6), generator=draws) / 1024
    generated = 4096 + torch.randint(-8, 8, (60, 6), generator=draws) / 1024
    assert all_four(real, generated, 3) == by_definition(real, generated, 3)


def test_copies_are_inside_balls_without_extent() -> None:
    """Real faces that stand more than k times have radius 0; what is generated there is still precise."""
    point = torch.full((1, 6), 0.1)
    real = torch.cat([point.expand(5, -1), REAL[:20] + 50])
    generated = torch.cat([point.expand(4, -1), GENERATED[:4] - 50])
    found = all_four(real, generated, 3)
    assert found == by_definition(real, generated, 3)
    assert found["precision"] == 0.5 and found["density"] == 0.0


def test_the_metric_takes_any_batches() -> None:
    metric = PrecisionRecall()
    for part in REAL.split(99):
        metric.update(part, real=True)
    for part in GENERATED.split(100):
        metric.update(part, real=False)
    assert metric.compute() == neighbour_scores(REAL, GENERATED)._asdict()


def test_too_few_are_named() -> None:
    with pytest.raises(ValueError, match=r"generated features: got shape \(3, 6\), expected 4 rows or more"):
        precision_recall(REAL, GENERATED[:3], k=3)
