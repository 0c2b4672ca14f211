import numpy as np
import pytest

from facegen.data import search as module
from facegen.data.search import search, similar_pairs, similarity


@pytest.fixture
def vectors(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(97, 5))


def _cosines(features: np.ndarray, queries: np.ndarray) -> np.ndarray:
    unit = [rows / np.sqrt((rows**2).sum(1))[:, None] for rows in (features, queries)]
    return unit[0] @ unit[1].T


@pytest.mark.parametrize("count", [1, 7, 97, 200])
def test_search_is_a_complete_sort(vectors: np.ndarray, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 10)
    queries = vectors[:3] + 0.1
    expected = np.argsort(-_cosines(vectors, queries), axis=0, kind="stable")[:count].T
    found = search(vectors, queries, count)
    np.testing.assert_array_equal(found.rows, expected)
    np.testing.assert_allclose(found.similarity, np.take_along_axis(_cosines(vectors, queries).T, expected, 1))


def test_search_of_nothing_and_of_the_wrong_width(vectors: np.ndarray) -> None:
    assert search(vectors[:0], vectors[:2], 3).rows.shape == (2, 0)
    with pytest.raises(ValueError, match="rows alike"):
        search(vectors, vectors[:, :3], 3)
    with pytest.raises(ValueError, match="count=0"):
        search(vectors, vectors, 0)


@pytest.mark.parametrize("block", [1, 13, 97, 500])
def test_pairs_do_not_depend_on_blocks(vectors: np.ndarray, block: int) -> None:
    cosines = np.triu(_cosines(vectors, vectors), 1)
    first, second = np.nonzero(cosines > 0.8)
    assert len(first) > 20
    found = similar_pairs(vectors, 0.8, block)
    np.testing.assert_array_equal(found.first, first)
    np.testing.assert_array_equal(found.second, second)
    np.testing.assert_allclose(found.similarity, cosines[first, second])


def test_precision_is_that_of_the_features(vectors: np.ndarray) -> None:
    single = vectors.astype(np.float32)
    assert similarity(single, single[:2]).dtype == similar_pairs(single).similarity.dtype == np.float32


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_a_row_without_direction_is_named(vectors: np.ndarray, value: float) -> None:
    vectors[60] = value
    with pytest.raises(ValueError, match="row 60 is zero or not finite"):
        similar_pairs(vectors, block=16)
