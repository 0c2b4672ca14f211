"""Precision and recall, density and coverage: how generated features lie among the nearest neighbours of real ones."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from facegen.metrics.kept_features import KeptFeatures, paired

BLOCK = 1024  # rows of a block of distances: 82 MB against 10,000 others
_EXACT = 4096  # pairs whose distance is computed directly at a time
_EPSILON = torch.finfo(torch.float64).eps


class NeighbourScores(NamedTuple):
    """All four, as () float64. Density may exceed 1, the others do not."""

    precision: Tensor
    recall: Tensor
    density: Tensor
    coverage: Tensor


class PrecisionRecallScores(NamedTuple):
    precision: Tensor
    recall: Tensor


class DensityCoverageScores(NamedTuple):
    density: Tensor
    coverage: Tensor


def precision_recall(real: Float[Tensor, "m d"], generated: Float[Tensor, "n d"], k: int = 3) -> PrecisionRecallScores:
    """Improved precision and recall (Kynkäänniemi et al., 2019).

    A ball around each feature reaches its k-th nearest neighbour in its own set, itself not counted. Precision is the
    share of generated features inside any real ball, recall the share of real ones inside any generated ball.
    """
    scores = neighbour_scores(real, generated, k, k)
    return PrecisionRecallScores(scores.precision, scores.recall)


def density_coverage(real: Float[Tensor, "m d"], generated: Float[Tensor, "n d"], k: int = 5) -> DensityCoverageScores:
    """Density and coverage (Naeem et al., 2020), which one outlier among the real features does not upset.

    Density is the mean number of real balls around a generated feature, divided by k; coverage the share of real
    balls with a generated feature in them. Features on the edge of a ball are outside, so that identical sets give 1.
    """
    scores = neighbour_scores(real, generated, k, k)
    return DensityCoverageScores(scores.density, scores.coverage)


@torch.no_grad()
def neighbour_scores(
    real: Float[Tensor, "m d"],
    generated: Float[Tensor, "n d"],
    k: int = 3,
    density_k: int = 5,
    block: int = BLOCK,
) -> NeighbourScores:
    """Precision and recall with k neighbours, density and coverage with `density_k`, in one pass of blocks.

    Distances come from float64 products. Those so close to a radius that rounding could decide are computed once
    more as the norm of a difference, so copies of an image, whose distance is exactly 0, are judged rightly.
    Rows of which more than k copies are given have radius 0: give each real image once. ValueError for too few rows.
    """
    real, generated = paired(real, generated, least=max(k, density_k) + 1)
    centre = real.mean(dim=0)  # leaves distances alone and makes their rounding smaller
    real, generated = real - centre, generated - centre
    ball, dense_ball = neighbour_radii(real, (k, density_k), block)
    (generated_ball,) = neighbour_radii(generated, (k,), block)
    precise = torch.zeros(len(generated), dtype=torch.bool, device=real.device)
    recalled, covered = [], []
    inside = torch.zeros(len(generated), dtype=torch.int64, device=real.device)
    for start in range(0, len(real), block):
        part = slice(start, start + block)
        limits = (ball[part, None], dense_ball[part, None], generated_ball[None])
        squares = _squares(real[part], generated, limits)
        precise |= (squares <= limits[0]).any(dim=0)
        dense = squares < limits[1]
        inside += dense.sum(dim=0)
        covered.append(dense.any(dim=1))
        recalled.append((squares <= limits[2]).any(dim=1))
    density = inside.double().mean() / density_k
    shares = (each.double().mean() for each in (precise, torch.cat(recalled), torch.cat(covered)))
    precision, recall, coverage = shares
    return NeighbourScores(precision, recall, density, coverage)


def neighbour_radii(features: Float[Tensor, "n d"], ks: Sequence[int], block: int = BLOCK) -> list[Tensor]:
    """For each k, the squared distances (n,) from each row to its k-th nearest other row."""
    found = []
    norms = features.square().sum(dim=1)
    for start in range(0, len(features), block):
        rows = features[start : start + block]
        squares = norms[start : start + block, None] + norms - 2 * rows @ features.T
        squares[:, start : start + block].fill_diagonal_(torch.inf)
        nearest = squares.topk(max(ks), largest=False).indices
        exact = [(rows - features[column]).square().sum(dim=1) for column in nearest.T]
        found.append(torch.stack(exact).sort(dim=0).values)
    radii = torch.cat(found, dim=1)
    return [radii[k - 1] for k in ks]


def _squares(rows: Tensor, columns: Tensor, limits: Sequence[Tensor]) -> Tensor:
    """Squared distances (rows, columns), computed directly where rounding decides about a limit."""
    scale = rows.square().sum(dim=1)[:, None] + columns.square().sum(dim=1)
    squares = scale - 2 * rows @ columns.T
    scale *= rows.shape[1] * _EPSILON
    close = torch.zeros_like(squares, dtype=torch.bool)
    for limit in limits:
        close |= (squares - limit).abs() <= scale
    for pairs in close.nonzero().split(_EXACT):
        i, j = pairs.T
        squares[i, j] = (rows[i] - columns[j]).square().sum(dim=1)
    return squares


class PrecisionRecall(KeptFeatures):
    """All four scores over all features seen; `update(features, real=...)`, or images where an extractor is given."""

    higher_is_better = True

    def __init__(self, k: int = 3, density_k: int = 5, extractor: torch.nn.Module | None = None, **kwargs: Any) -> None:
        super().__init__(extractor, **kwargs)
        self.k, self.density_k = k, density_k

    def compute(self) -> dict[str, Tensor]:
        """Precision, recall, density and coverage by name."""
        return neighbour_scores(*self.kept(), self.k, self.density_k)._asdict()
