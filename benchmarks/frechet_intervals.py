"""How often 95 % intervals of Fréchet distances hold what they promise, on Gaussians whose distance is known.

    python benchmarks/frechet_intervals.py [trials=200]     prints the tables of docs/metrics_pose.md

Features are Gaussian with a spectrum that falls like those of face features. In the weighted case they also depend on
a pose whose distribution differs between the sets, and the truth is the distance under the common distribution.
"""

import sys
from typing import NamedTuple

import numpy as np
import torch

from facegen.metrics.frechet import frechet_distance
from facegen.metrics.frechet_interval import FrechetInterval, frechet_interval
from facegen.metrics.pose_weights import PoseDensities, matching_weights

FEATURES, DRAWS = 64, 100


class Case(NamedTuple):
    """Two kinds of images; `slopes` say how features follow the pose, `poses` its mean and deviation in each set."""

    name: str
    covariances: tuple[torch.Tensor, torch.Tensor]
    means: tuple[torch.Tensor, torch.Tensor]
    counts: tuple[int, int]
    slope: torch.Tensor | None = None
    poses: tuple[tuple[float, float], tuple[float, float]] = ((0.0, 1.0), (0.0, 1.0))


def cases() -> list[Case]:
    """From far fewer images than features to many more."""
    draws = torch.Generator().manual_seed(1)
    ranks = torch.arange(1, FEATURES + 1, dtype=torch.float64)
    turn = torch.linalg.qr(torch.eye(FEATURES).double() + 0.15 * torch.randn(FEATURES, FEATURES, generator=draws))[0]
    real, other = torch.diag(ranks**-1.3), turn @ torch.diag(1.2 * ranks**-1.5) @ turn.T
    zero, shift = torch.zeros(FEATURES).double(), 0.3 * torch.randn(FEATURES, generator=draws) * ranks**-0.65
    slope = torch.randn(FEATURES, generator=draws).double() * ranks**-0.65
    counts = [(40, 40), (100, 100), (300, 300), (1000, 1000), (2000, 300)]
    different = [Case("different", (real, other), (zero, shift), each) for each in counts]
    equal = [Case("equal", (real, real), (zero, zero), each) for each in counts[1:4]]
    poses = ((0.0, 1.0), (0.7, 1.4))
    weighted = [Case("weighted", (real, other), (zero, shift), each, slope, poses) for each in counts[1:4]]
    return different + equal + weighted


def density(pose: torch.Tensor, mean_deviation: tuple[float, float]) -> torch.Tensor:
    mean, deviation = mean_deviation
    return torch.exp(-(((pose - mean) / deviation) ** 2) / 2) / deviation


def truth(case: Case) -> float:
    """The distance of the two kinds; poses are those of the overlap, integrated on a fine grid."""
    (mean1, mean2), (covariance1, covariance2) = case.means, case.covariances
    if case.slope is not None:
        grid = torch.linspace(-12, 12, 200_001, dtype=torch.float64)
        first, second = (density(grid, pose) for pose in case.poses)
        target = torch.nan_to_num(first * second / (first + second))
        target = target / target.sum()
        middle = (target * grid).sum()
        spread = (target * (grid - middle) ** 2).sum() * torch.outer(case.slope, case.slope)
        covariance1, covariance2 = covariance1 + spread, covariance2 + spread
    return float(frechet_distance(mean1, covariance1, mean2, covariance2))


def sample(case: Case, draws: torch.Generator) -> tuple[list[torch.Tensor], list[torch.Tensor | None]]:
    """Features of both sets, and weights where the case has poses."""
    features, poses = [], []
    for mean, covariance, count, (middle, deviation) in zip(
        case.means, case.covariances, case.counts, case.poses, strict=True
    ):
        noise = torch.randn(count, FEATURES, generator=draws, dtype=torch.float64)
        poses.append(middle + deviation * torch.randn(count, generator=draws, dtype=torch.float64))
        features.append(noise @ torch.linalg.cholesky(covariance).T + mean)
    if case.slope is None:
        return features, [None, None]
    features = [rows + pose[:, None] * case.slope for rows, pose in zip(features, poses, strict=True)]
    at = [torch.stack([density(pose, each) for each in case.poses], dim=1) for pose in poses]
    return features, [each.values for each in matching_weights(PoseDensities(*at), "overlap")]


def percentile(found: FrechetInterval) -> tuple[float, float]:
    """The quantiles that the reflected interval was made of."""
    low, high = found.corrected_interval
    return 2 * found.value - high, 2 * found.value - low


def measure(case: Case, trials: int) -> str:
    """One row of the table."""
    draws = torch.Generator().manual_seed(7)
    jackknife, bootstrap = [], []
    for trial in range(trials):
        (first, second), weights = sample(case, draws)
        options = {"real_weights": weights[0], "generated_weights": weights[1], "seed": trial}
        jackknife.append(frechet_interval(first, second, **options))
        bootstrap.append(frechet_interval(first, second, method="bootstrap", replicates=DRAWS, **options))
    true = truth(case)
    values = np.array([each.value for each in jackknife])
    expected, deviation = values.mean(), values.std(ddof=1)

    def held(intervals: list, what: float) -> str:
        return f"{100 * np.mean([low <= what <= high for low, high in intervals]):.0f}"

    columns = [
        case.name,
        f"{case.counts[0]}, {case.counts[1]}",
        f"{true:.3f}",
        f"{expected:.3f} ± {deviation:.3f}",
        f"{np.mean([each.corrected for each in jackknife]):.3f} ± {np.std([each.corrected for each in jackknife]):.3f}",
        f"{np.mean([each.standard_error for each in jackknife]):.3f}",
        held([percentile(each) for each in bootstrap], true),
        held([each.corrected_interval for each in bootstrap], true),
        held([each.corrected_interval for each in jackknife], true),
        held([percentile(each) for each in bootstrap], expected),
        held([each.interval for each in bootstrap], expected),
        held([each.interval for each in jackknife], expected),
    ]
    return f"| {' | '.join(columns)} |"


def main() -> None:
    torch.set_num_threads(1)
    trials = int(sys.argv[1].removeprefix("trials=")) if len(sys.argv) > 1 else 200
    print(
        "| sets | images | truth | value | corrected | standard error | " + "truth in: percentile | reflected |", end=""
    )
    print(" jackknife | mean value in: percentile | normal | jackknife |")
    print("|---" * 12 + "|")
    for case in cases():
        print(measure(case, trials), flush=True)


if __name__ == "__main__":
    main()
