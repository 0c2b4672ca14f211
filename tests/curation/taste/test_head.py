"""The head: what it learns, that its probabilities are such, and that its errors are."""

import numpy as np
import pytest

from facegen.curation.taste import fit
from facegen.curation.taste.agreement import auc, reliability
from facegen.curation.taste.head import measure
from facegen.curation.taste.posterior import lift, logistic, posterior
from tests.curation.taste.planted import Planted, planted


@pytest.fixture(scope="module")
def person() -> Planted:
    return planted(3000)


def test_more_ratings_agree_better(person: Planted) -> None:
    unseen = slice(400, None)
    found = []
    for count in (20, 100, 400):
        taste = fit(person.embeddings, person.rated(np.arange(count))).predict(person.embeddings[unseen]).taste
        found.append(auc(taste, person.ratings[unseen]))
    best = auc(person.chances[unseen], person.ratings[unseen])
    assert found[0] < found[1] < found[2] < best
    assert found[0] > 0.7 and found[2] > best - 0.03


def test_probabilities_come_true(person: Planted) -> None:
    taste = fit(person.embeddings, person.rated(np.arange(300))).predict(person.embeddings[300:]).taste
    groups = reliability(taste, person.ratings[300:])
    assert groups.predicted[0] < 0.2 and groups.predicted[-1] > 0.8
    np.testing.assert_allclose(groups.predicted, groups.rated, atol=0.08)


def test_errors_are_as_large_as_they_say() -> None:
    """Over several people the true probability lies about one standard deviation away; errors shrink with ratings."""
    for count, size in ((30, 0.25), (300, 0.17)):
        away, said = [], []
        for seed in range(4):
            person = planted(900, seed=seed)
            found = fit(person.embeddings, person.rated(np.arange(count))).predict(person.embeddings[300:])
            away.append(found.taste - person.chances[300:])
            said.append(found.error)
        assert 0.7 < np.sqrt(np.square(away).mean() / np.square(said).mean()) < 1.8
        assert np.mean(said) < size


def test_noise_is_not_learnt() -> None:
    """Ratings that have nothing to do with faces: probabilities stay in the middle."""
    person = planted(500)
    ratings = person.rated(np.arange(150))
    ratings[:150] = np.random.default_rng(1).permutation(np.arange(150) % 2)
    taste = fit(person.embeddings, ratings).predict(person.embeddings[150:]).taste
    assert taste.min() > 0.25 and taste.max() < 0.75


def test_grades_say_more_than_likes() -> None:
    """Stars are targets themselves, not rounded."""
    person = planted(1500)
    rows = np.arange(120)
    grades = person.rated(rows)
    grades[rows] = np.round(person.chances[rows] * 4) / 4
    by_grades, by_likes = (
        fit(person.embeddings, given).predict(person.embeddings[200:]) for given in (grades, person.rated(rows))
    )
    errors = [np.abs(found.taste - person.chances[200:]).mean() for found in (by_grades, by_likes)]
    assert errors[0] < 0.8 * errors[1]


def test_held_out_probabilities_are_those_of_fits_without_the_row() -> None:
    """The closed form of leave-one-out against 40 fits; the prediction with the row itself is off by up to 0.2."""
    person = planted(40, dim=12)
    centre, length = measure(person.embeddings)
    rows = lift(person.embeddings.astype(np.float64), centre, length, 2.0)
    whole, variances = posterior(rows, person.ratings), []
    for left_out in range(len(rows)):
        kept = np.arange(len(rows)) != left_out
        without = posterior(rows[kept], person.ratings[kept])
        assert logistic(whole.held_out[left_out]) == pytest.approx(logistic(rows[left_out] @ without.mean), abs=0.03)
        known = ((rows[left_out] @ without.known) ** 2).sum()
        variances.append(rows[left_out] @ rows[left_out] - known)
    assert np.mean(whole.held_out_variance) == pytest.approx(np.mean(variances), rel=0.1)
    assert np.corrcoef(whole.held_out_variance, variances)[0, 1] > 0.9


def test_predictions_do_not_depend_on_precision_or_chunks(person: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    head = fit(person.embeddings, person.rated(np.arange(100)))
    whole = head.predict(person.embeddings.astype(np.float64))
    monkeypatch.setattr("facegen.curation.taste.head._CHUNK", 7)
    narrow = head.predict(person.embeddings[:50])
    np.testing.assert_allclose(narrow.taste, whole.taste[:50], atol=1e-4)
    np.testing.assert_allclose(narrow.error, whole.error[:50], atol=1e-3)
    assert narrow.taste.dtype == np.float32 and len(head.predict(person.embeddings[:0]).taste) == 0


@pytest.mark.parametrize("liked", [0, 5])
def test_both_sides_are_needed(liked: int) -> None:
    person = planted(20)
    ratings = person.rated(np.arange(5))
    ratings[:5] = np.arange(5) < liked
    with pytest.raises(ValueError, match=f"got {liked} liked and {5 - liked} disliked faces, expected some of both"):
        fit(person.embeddings, ratings)


def test_another_networks_embeddings_are_refused(person: Planted) -> None:
    with pytest.raises(ValueError, match=r"got embeddings \(3, 7\), expected \(faces, 48\)"):
        fit(person.embeddings, person.rated(np.arange(50))).predict(np.zeros((3, 7)))
