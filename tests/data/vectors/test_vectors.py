"""The index: what it finds against comparing everything, and when it is made again."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from facegen.data import table
from facegen.data.search import search, similar_pairs
from facegen.data.vectors import Index, open_index, read_vectors
from facegen.data.vectors import cells as cells_module
from facegen.data.vectors.cells import make_cells, nearest_cells

COUNT, DIM, MISSING = 3000, 24, (0, 17, 2999)


@pytest.fixture
def vectors(rng: np.random.Generator) -> np.ndarray:
    """Clustered vectors of any length; each of the last 100 is a near-copy of one of the first."""
    matrix = rng.normal(size=(12, DIM))[rng.integers(0, 12, COUNT)] + 0.8 * rng.normal(size=(COUNT, DIM))
    matrix[-100:] = matrix[1:101] + 0.05 * rng.normal(size=(100, DIM))
    return (matrix * rng.uniform(0.5, 2, (COUNT, 1))).astype(np.float32)


@pytest.fixture
def place(tmp_path: Path, vectors: np.ndarray) -> Path:
    values = [None if row in MISSING else vector for row, vector in enumerate(vectors.tolist())]
    column = pa.array(values, pa.list_(pa.float32(), DIM))
    path = tmp_path / "faces.lance"
    table.write(path, pa.table({"id": [f"face{row:04d}" for row in range(COUNT)], "embedding": column}))
    return path


@pytest.fixture
def many_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells_module, "FEWEST", 100)
    monkeypatch.setattr("facegen.data.vectors.index.FEWEST", 100)


def _without(rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    return values[~np.isin(rows, MISSING)]


def test_a_column_is_read_as_unit_vectors_of_the_rows_that_have_one(place: Path, vectors: np.ndarray) -> None:
    found = read_vectors(place)
    assert found.rows.tolist() == [row for row in range(COUNT) if row not in MISSING]
    expected = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(found.matrix, expected[found.rows], atol=1e-6)


@pytest.mark.parametrize("probes", [10**6, 2])
@pytest.mark.usefixtures("many_cells")
def test_search_finds_what_comparing_everything_finds(place: Path, vectors: np.ndarray, probes: int) -> None:
    """All of it where all cells are read; most, with the cosines it should have, where two are."""
    index, known = open_index(place), read_vectors(place)
    assert len(index.centres) == 82
    queries = vectors[-40:-1] * 3
    exact = search(known.matrix, queries, 20)
    found = index.search(queries, 20, probes=probes)
    cosines = (queries / np.linalg.norm(queries, axis=1, keepdims=True)) @ _units(vectors).T
    np.testing.assert_allclose(found.similarity, np.take_along_axis(cosines, found.rows, 1), atol=1e-5)
    shared = [len(np.intersect1d(a, known.rows[b])) for a, b in zip(found.rows, exact.rows, strict=True)]
    if probes > 82:
        np.testing.assert_allclose(found.similarity, exact.similarity, atol=1e-5)
        assert np.mean(shared) > 19.9
    else:
        assert 10 < np.mean(shared) < 20
    assert (np.diff(found.similarity, axis=1) <= 0).all()


def _units(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("size", [1, 60, 900])
@pytest.mark.usefixtures("many_cells")
def test_search_among_some_rows(place: Path, vectors: np.ndarray, rng: np.random.Generator, size: int) -> None:
    among = rng.permutation(COUNT)[:size]
    with_vector = among[~np.isin(among, MISSING)]
    found = open_index(place).search(vectors[5:8], 30, among)
    assert found.rows.shape == (3, min(30, len(with_vector))) and np.isin(found.rows, with_vector).all()
    every = open_index(place).search(vectors[5:8], 30, np.arange(COUNT))
    assert np.array_equal(every.rows, open_index(place).search(vectors[5:8], 30).rows)
    if size <= 100:
        order = np.argsort(-(_units(vectors[5:8]) @ _units(vectors[with_vector]).T), axis=1)[:, :30]
        assert np.array_equal(found.rows, with_vector[order])


@pytest.mark.usefixtures("many_cells")
def test_pairs_are_those_of_comparing_everything(place: Path) -> None:
    known, index = read_vectors(place), open_index(place)
    exact, found = similar_pairs(known.matrix, 0.95), index.pairs(0.95)
    expected = set(zip(known.rows[exact.first].tolist(), known.rows[exact.second].tolist(), strict=True))
    pairs = list(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert set(pairs) <= expected and len(pairs) == len(set(pairs)) and pairs == sorted(pairs)
    assert len(expected) >= 98 and len(pairs) >= 0.97 * len(expected)
    assert len(index.pairs(0.95, probes=82).first) >= len(pairs)
    cosines = dict(
        zip(zip(known.rows[exact.first], known.rows[exact.second], strict=True), exact.similarity, strict=True)
    )
    np.testing.assert_allclose(found.similarity, [cosines[pair] for pair in pairs], atol=1e-5)


def test_few_vectors_are_compared_with_all(place: Path) -> None:
    known, index = read_vectors(place), open_index(place)
    exact, found = similar_pairs(known.matrix, 0.9), index.pairs(0.9)
    assert len(index.centres) == 1 and len(found.first) == len(exact.first) > 90
    assert np.array_equal(found.first, known.rows[exact.first])


def test_the_index_is_kept_until_the_vectors_change(place: Path, vectors: np.ndarray) -> None:
    def folders() -> list[str]:
        return [path.name for path in (place.parent / ".faces.vectors").iterdir() if path.is_dir()]

    open_index(place)
    first = folders()
    matrix = place.parent / ".faces.vectors" / first[0] / "matrix.npy"
    made = matrix.stat().st_mtime_ns
    table.set_columns(place, pa.table({"id": ["face0001"], "quality": [0.5]}))
    open_index(place)
    assert folders() == first and matrix.stat().st_mtime_ns == made
    ids = [f"face{row:04d}" for row in range(COUNT)]
    (place.parent / ".faces.vectors/.making-embedding-1-x").mkdir()
    mirrored = pa.array((-vectors).tolist(), pa.list_(pa.float32(), DIM))
    table.set_columns(place, pa.table({"id": ids, "embedding": mirrored}))
    index = open_index(place)
    assert len(folders()) == 1 and folders() != first, "neither the old one nor what a killed process left"
    assert index.search(-vectors[:1], 1).rows.tolist() == [[0]]


def test_a_read_only_source_has_its_index_in_the_cache(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEGEN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    place.parent.chmod(0o555)
    try:
        assert len(open_index(place)) == COUNT - len(MISSING)
    finally:
        place.parent.chmod(0o755)
    assert list((tmp_path / "cache" / "vectors").iterdir()) and not (place.parent / ".faces.vectors").exists()


def test_without_vectors(tmp_path: Path) -> None:
    path = tmp_path / "faces.lance"
    empty = pa.nulls(3, pa.list_(pa.float32(), 4))
    table.write(path, pa.table({"id": ["a", "b", "c"], "embedding": empty, "bad": [1, 2, 3]}))
    index = open_index(path)
    assert index.search(np.ones((2, 4)), 5).rows.shape == (2, 0) and len(index.pairs().first) == 0
    with pytest.raises(ValueError, match="no column 'nothing'"):
        open_index(path, "nothing")
    with pytest.raises(ValueError, match=r"'bad'.*got int64, expected vectors"):
        open_index(path, "bad")
    with pytest.raises(ValueError, match="rows alike"):
        index.search(np.ones((1, 3)), 5)


def test_a_vector_without_direction_is_named(tmp_path: Path) -> None:
    path = tmp_path / "faces.lance"
    column = pa.array([[1.0, 0.0], [0.0, 0.0]], pa.list_(pa.float32(), 2))
    table.write(path, pa.table({"id": ["a", "b"], "embedding": column}))
    with pytest.raises(ValueError, match="row 1 is zero or not finite"):
        open_index(path)


def test_cells_hold_what_is_near_their_centres(vectors: np.ndarray) -> None:
    matrix = _units(vectors)
    cells = make_cells(matrix, 40)
    cosines = matrix @ cells.centres.T
    np.testing.assert_array_equal(cells.nearest[:, 0], cosines.argmax(1))
    np.testing.assert_array_equal(nearest_cells(matrix, cells.centres, 3), cells.nearest[:, :3])
    own = np.take_along_axis(cosines, cells.nearest[:, :1], 1).mean()
    assert own > (matrix @ matrix[:40].T).max(1).mean() - 0.02, "no worse than centres that are some of the vectors"


def test_an_index_of_the_memory(vectors: np.ndarray) -> None:
    cells = make_cells(_units(vectors), 1)
    index = Index(_units(vectors), np.arange(COUNT), cells.nearest, cells.centres)
    assert index.search(vectors[:1], 1).rows.tolist() == [[0]]
