"""What is rated next tells more than what chance would pick."""

import numpy as np
import pytest

from facegen.curation.taste import fit, next_to_rate
from tests.curation.taste.planted import planted


def mean_error(person, rows: np.ndarray) -> float:
    """Of the predicted probabilities of all faces after rating some."""
    return float(
        np.abs(fit(person.embeddings, person.rated(rows)).predict(person.embeddings).taste - person.chances).mean()
    )


def test_chosen_faces_tell_more_than_random_ones() -> None:
    chosen_errors, random_errors = [], []
    for seed in range(4):
        person = planted(500, seed=seed)
        rows = np.zeros(0, np.int64)
        while len(rows) < 60:
            rows = np.concatenate([rows, next_to_rate(person.embeddings, person.rated(rows), 10, seed)])
        assert len(set(rows.tolist())) == 60
        chosen_errors.append(mean_error(person, rows))
        others = np.random.default_rng(seed)
        random_errors.append(np.mean([mean_error(person, others.permutation(500)[:60]) for _ in range(4)]))
    assert np.mean(chosen_errors) < 0.95 * np.mean(random_errors)


def test_the_first_faces_differ() -> None:
    """Five groups of faces: the first five choices are one of each."""
    centres = np.linalg.qr(np.random.default_rng(0).normal(size=(16, 16)))[0][:5]
    faces = np.repeat(centres, 20, axis=0) + 0.02 * np.random.default_rng(1).normal(size=(100, 16))
    chosen = next_to_rate(faces, np.full(100, np.nan), 5)
    assert sorted(chosen // 20) == [0, 1, 2, 3, 4]


def test_no_rated_face_and_no_more_than_there_are() -> None:
    person = planted(30)
    ratings = person.rated(np.arange(25))
    assert sorted(next_to_rate(person.embeddings, ratings, 9)) == [25, 26, 27, 28, 29]
    assert set(next_to_rate(person.embeddings, ratings, 3)) < {25, 26, 27, 28, 29}
    assert len(next_to_rate(person.embeddings, person.ratings, 5)) == 0


def test_one_sided_ratings_are_a_beginning() -> None:
    person = planted(50)
    ratings = person.rated(np.arange(4))
    ratings[:4] = 1.0
    chosen = next_to_rate(person.embeddings, ratings, 6)
    assert len(set(chosen.tolist())) == 6 and chosen.min() >= 4
    np.testing.assert_array_equal(chosen, next_to_rate(person.embeddings, ratings, 6))


def test_count() -> None:
    with pytest.raises(ValueError, match="next: got 0"):
        next_to_rate(np.zeros((3, 2)), np.full(3, np.nan), 0)
