"""How well a head foretells ratings that it has not seen: cross-validated, with intervals."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import rankdata

from facegen.curation.taste.head import fit, measure

FOLDS = 10
_RESAMPLES, _LEVELS = 400, (2.5, 97.5)  # of the bootstrap, percentiles of its interval
_BINS = 5


class Measured(NamedTuple):
    """A figure and its interval of 95 %, by a bootstrap over the rated faces."""

    value: float
    low: float
    high: float


class Reliability(NamedTuple):
    """Of groups of about as many faces, by predicted taste: the mean prediction, the mean rating, how many."""

    predicted: Float[np.ndarray, " group"]
    rated: Float[np.ndarray, " group"]
    faces: Float[np.ndarray, " group"]


class Agreement(NamedTuple):
    """Held-out predictions against ratings.

    auc: how often a liked face is predicted above a disliked one. accuracy: liked against disliked at 0.5 (ratings of
    exactly 0.5 are left out of both). spearman: of predictions and ratings. calibration_error: mean distance of
    prediction and rating in the groups of `reliability`.
    """

    auc: Measured
    accuracy: Measured
    spearman: Measured
    calibration_error: float
    reliability: Reliability
    ratings: int


def cross_validate(
    embeddings: Float[np.ndarray, "face dim"], ratings: Float[np.ndarray, " face"], folds: int = FOLDS
) -> Agreement:
    """Predict each rating by a head that has seen those of other folds only, everything about it chosen anew.

    Faces are dealt to folds at random, about as many of each rating to each, the same for the same ratings. Raises
    ValueError for fewer than 4 ratings, and where a head without one fold has seen only liked, or only disliked, faces.
    """
    rated = np.flatnonzero(np.isfinite(ratings))
    if len(rated) < 4:
        raise ValueError(f"taste: got {len(rated)} ratings, expected at least 4 to measure agreement; rate more faces")
    dealt, predicted = _folds(ratings[rated], min(folds, len(rated))), np.zeros(len(rated))
    typical = measure(embeddings)
    for fold in range(dealt.max() + 1):
        seen = np.full(len(ratings), np.nan)
        seen[rated[dealt != fold]] = ratings[rated[dealt != fold]]
        predicted[dealt == fold] = fit(embeddings, seen, typical).predict(embeddings[rated[dealt == fold]]).taste
    return agreement(predicted, ratings[rated])


def agreement(predicted: Float[np.ndarray, " face"], ratings: Float[np.ndarray, " face"]) -> Agreement:
    """Figures of predictions that were made without the ratings."""
    groups = reliability(predicted, ratings)
    error = float((np.abs(groups.predicted - groups.rated) * groups.faces).sum() / groups.faces.sum())
    of_auc, of_accuracy, of_ranks = (_measured(figure, predicted, ratings) for figure in (auc, accuracy, spearman))
    return Agreement(of_auc, of_accuracy, of_ranks, error, groups, len(ratings))


def reliability(predicted: Float[np.ndarray, " face"], ratings: Float[np.ndarray, " face"]) -> Reliability:
    """Predictions beside what came true."""
    parts = [part for part in np.array_split(np.argsort(predicted, kind="stable"), _BINS) if len(part)]
    means = [(predicted[part].mean(), ratings[part].mean(), float(len(part))) for part in parts]
    return Reliability(*(np.array(values) for values in zip(*means, strict=True)))


def auc(predicted: Float[np.ndarray, " face"], ratings: Float[np.ndarray, " face"]) -> float:
    """Share of pairs of a liked and a disliked face in which the liked one is predicted higher; NaN without pairs."""
    liked, disliked = _sides(ratings)
    ranks = rankdata(predicted[liked | disliked])
    above = ranks[liked[liked | disliked]].sum() - liked.sum() * (liked.sum() + 1) / 2
    pairs = liked.sum() * disliked.sum()
    return float(above / pairs) if pairs else float("nan")


def accuracy(predicted: Float[np.ndarray, " face"], ratings: Float[np.ndarray, " face"]) -> float:
    """Share of liked and disliked faces on the right side of 0.5."""
    liked, disliked = _sides(ratings)
    return float(((predicted > 0.5) == liked)[liked | disliked].mean()) if (liked | disliked).any() else float("nan")


def spearman(predicted: Float[np.ndarray, " face"], ratings: Float[np.ndarray, " face"]) -> float:
    """Correlation of ranks, equal values sharing theirs; NaN where all are equal."""
    first, second = (rankdata(values) - (len(values) + 1) / 2 for values in (predicted, ratings))
    size = np.sqrt((first**2).sum() * (second**2).sum())
    return float(first @ second / size) if size else float("nan")


def _folds(ratings: Float[np.ndarray, " face"], folds: int) -> Int[np.ndarray, " face"]:
    """The number of the fold of each face. Heads of unlike shares of likes would not be comparable."""
    order = np.lexsort((np.random.default_rng(len(ratings)).random(len(ratings)), ratings))
    dealt = np.empty(len(ratings), np.int64)
    dealt[order] = np.arange(len(ratings)) % folds
    return dealt


def _sides(ratings: Float[np.ndarray, " face"]) -> tuple[Bool[np.ndarray, " face"], Bool[np.ndarray, " face"]]:
    return ratings > 0.5, ratings < 0.5


def _measured(
    figure: Callable[..., float], predicted: Float[np.ndarray, " face"], ratings: Float[np.ndarray, " face"]
) -> Measured:
    random = np.random.default_rng(0)
    drawn = (random.integers(0, len(ratings), len(ratings)) for _ in range(_RESAMPLES))
    found = np.array([figure(predicted[rows], ratings[rows]) for rows in drawn])
    low, high = np.nanpercentile(found, _LEVELS) if np.isfinite(found).any() else (np.nan, np.nan)
    return Measured(figure(predicted, ratings), float(low), float(high))
