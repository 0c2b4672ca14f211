"""Figures of agreement against their definitions, and that cross-validation does not look."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from facegen.curation.taste import cross_validate
from facegen.curation.taste.agreement import accuracy, agreement, auc, spearman
from tests.curation.taste.planted import planted


def test_figures_by_their_definitions() -> None:
    random = np.random.default_rng(0)
    predicted, ratings = random.integers(0, 6, 40) / 5, random.integers(0, 5, 40) / 4
    pairs = [(p > q) + 0.5 * (p == q) for p in predicted[ratings > 0.5] for q in predicted[ratings < 0.5]]
    assert auc(predicted, ratings) == pytest.approx(np.mean(pairs))
    clear = ratings != 0.5
    assert accuracy(predicted, ratings) == pytest.approx(((predicted > 0.5) == (ratings > 0.5))[clear].mean())
    assert spearman(predicted, ratings) == pytest.approx(spearmanr(predicted, ratings)[0])


def test_figures_of_nothing_are_not_numbers() -> None:
    assert np.isnan(auc(np.array([0.2, 0.7]), np.ones(2)))
    assert np.isnan(accuracy(np.array([0.2]), np.array([0.5])))
    assert np.isnan(spearman(np.ones(3), np.array([0.0, 0.5, 1.0])))


def test_intervals_hold_the_truth() -> None:
    """Of 8 samples of 80 ratings each, nearly all intervals contain the AUC among 20,000."""
    random = np.random.default_rng(0)
    predicted = random.random(20_000)
    ratings = (random.random(20_000) < predicted).astype(float)
    truth = auc(predicted, ratings)
    found = [agreement(predicted[rows], ratings[rows]).auc for rows in random.integers(0, 20_000, (8, 80))]
    inside = np.mean([each.low < truth < each.high for each in found])
    assert inside >= 0.75 and np.mean([each.high - each.low for each in found]) < 0.3


def test_cross_validated_agreement_is_that_with_unseen_ratings() -> None:
    person = planted(1000)
    measured = cross_validate(person.embeddings, person.rated(np.arange(200)))
    assert measured.ratings == 200 and measured.auc.low < 0.85 < measured.auc.high
    assert measured.calibration_error < 0.12 and measured.reliability.faces.sum() == 200


def test_ratings_at_random_are_not_foretold() -> None:
    person = planted(300, dim=400)  # more directions than ratings: every rating could be learnt by heart
    ratings = person.rated(np.arange(100))
    ratings[:100] = np.random.default_rng(0).permutation(np.arange(100) % 2)
    measured = cross_validate(person.embeddings, ratings)
    assert measured.auc.low < 0.5 < measured.auc.high + 0.05 and measured.auc.value < 0.65


def test_too_few() -> None:
    person = planted(20)
    with pytest.raises(ValueError, match="got 3 ratings, expected at least 4"):
        cross_validate(person.embeddings, person.rated(np.arange(3)))
    ratings = person.rated(np.arange(6))
    ratings[:6] = [1, 0, 0, 0, 0, 0]
    with pytest.raises(ValueError, match="0 liked"):  # the head without the only liked face
        cross_validate(person.embeddings, ratings)
