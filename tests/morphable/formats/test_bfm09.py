"""The packing step on a Basel Face Model of five vertices, against numbers computed by hand."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.io import savemat

from facegen.morphable.formats import load_model, read
from facegen.morphable.formats.arrays import Arrays
from facegen.morphable.formats.bfm import read_bfm, write_bfm
from facegen.morphable.formats.bfm09 import pack_bfm09, pack_folder, read_expressions
from facegen.morphable.formats.bfm09_tables import Tables, read_tables, tables_of, triangles_around
from tests.geometry.reference import reference_file
from tests.morphable.formats.samples import same_basis

RAW_VERTICES, EXPRESSION_VERTICES = 5, 4  # the expressions lack raw vertex 3
TRIMMED = np.array([0, 1, 2, 4])  # raw vertices that the expressions have
KEPT = np.array([3, 1, 0])  # of those: the three vertices of the packed model


@pytest.fixture
def raw(rng: np.random.Generator) -> dict[str, NDArray]:
    columns = 3 * RAW_VERTICES
    content = {f"{kind}PC": rng.normal(0, 1, (columns, 85)) for kind in ("shape", "tex")}
    content |= {f"{kind}EV": rng.uniform(1, 9, (85, 1)) for kind in ("shape", "tex")}
    content |= {"shapeMU": rng.normal(0, 1e5, (columns, 1)), "texMU": rng.uniform(0, 255, (columns, 1))}
    return {name: values.astype(np.float32) for name, values in content.items()}


@pytest.fixture
def moved(rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    """Expression modes (K, V, 3) and their deviations."""
    modes = rng.normal(0, 1e4, (79, EXPRESSION_VERTICES, 3)).astype(np.float32)
    return modes, rng.uniform(0.5, 2, 79)


@pytest.fixture
def folder(tmp_path: Path, raw: dict[str, NDArray], moved: tuple[NDArray, NDArray]) -> Path:
    """Deep3DFaceRecon's folder `BFM` with that model."""
    home = tmp_path / "BFM"
    home.mkdir()
    savemat(home / "01_MorphableModel.mat", raw, do_compression=True)
    modes, deviations = moved
    mean = np.ones(3 * EXPRESSION_VERTICES, np.float32)
    header = np.array([len(modes)], np.int32).tobytes()
    (home / "Exp_Pca.bin").write_bytes(header + mean.tobytes() + modes.tobytes())
    (home / "std_exp.txt").write_text(" ".join(f"{value:.9f}" for value in deviations) + "\n")
    savemat(home / "BFM_front_idx.mat", {"idx": KEPT[:, None] + 1.0})
    savemat(home / "BFM_exp_idx.mat", {"trimIndex": TRIMMED[:, None] + 1.0})
    tables = {
        "tri": np.array([[1, 2, 3], [3, 2, 1]]),
        "keypoints": np.ones((1, 68)),
        "skinmask": np.array([[0.0, 1, 0.5]]),
        "frontmask2_idx": np.array([[3], [1]]),
        "tri_mask2": np.array([[1, 2, 2]]),
    }
    savemat(home / "facemodel_info.mat", {name: values.astype(np.float32) for name, values in tables.items()})
    return home


def test_numbers(folder: Path, raw: dict[str, NDArray], moved: tuple[NDArray, NDArray]) -> None:
    """Vertex n of the packed model is KEPT[n] of the expressions and TRIMMED[KEPT[n]] of the raw model."""
    packed = pack_folder(folder)
    modes, deviations = moved
    assert (
        packed["idBase"].shape == (9, 80) and packed["exBase"].shape == (9, 64) and packed["texBase"].shape == (9, 80)
    )
    for vertex, (of_raw, of_expression) in enumerate(zip([4, 1, 0], [3, 1, 0], strict=True)):
        for axis in range(3):
            row, raw_row = 3 * vertex + axis, 3 * of_raw + axis
            assert packed["meanshape"][0, row] == pytest.approx(raw["shapeMU"][raw_row, 0] / 1e5, rel=1e-6)
            assert packed["meantex"][0, row] == raw["texMU"][raw_row, 0]
            np.testing.assert_allclose(
                packed["idBase"][row], raw["shapePC"][raw_row, :80] * raw["shapeEV"][:80, 0] / 1e5, rtol=1e-6
            )
            np.testing.assert_allclose(
                packed["texBase"][row], raw["texPC"][raw_row, :80] * raw["texEV"][:80, 0], rtol=1e-6
            )
            expected = modes[:64, of_expression, axis] * deviations[:64] / 1e5
            np.testing.assert_allclose(packed["exBase"][row], expected, rtol=1e-6)


def test_tables_are_as_published(folder: Path) -> None:
    packed = pack_folder(folder)
    assert packed["tri"].tolist() == [[1, 2, 3], [3, 2, 1]]
    assert packed["point_buf"].tolist() == [[1, 2, *[3] * 6]] * 3
    assert packed["keypoints"].shape == (1, 68) and packed["frontmask2_idx"].tolist() == [[3], [1]]
    assert {name: values.dtype for name, values in packed.items()} == dict.fromkeys(packed, np.float32)


def test_the_written_file_is_the_same_model(folder: Path, tmp_path: Path) -> None:
    write_bfm(tmp_path / "BFM_model_front.mat", pack_folder(folder))
    written, direct = read(tmp_path / "BFM_model_front.mat").basis, read(folder / "01_MorphableModel.mat").basis
    same_basis(written, direct)
    assert direct.front is not None and direct.front.tolist() == [[2, 0, 0]]
    as_published = read_bfm(tmp_path / "BFM_model_front.mat", front="direct").basis.front
    assert as_published is not None and as_published.tolist() == [[0, 1, 1]]
    assert load_model(folder).layout == (80, 64, 80)


def test_the_mean_of_the_expressions_is_not_used(folder: Path) -> None:
    assert read_expressions(folder / "Exp_Pca.bin").mean.tolist() == [[1, 1, 1]] * EXPRESSION_VERTICES
    before = pack_folder(folder)["meanshape"]
    data = bytearray((folder / "Exp_Pca.bin").read_bytes())
    data[4 : 4 + 48] = np.full(12, 1e6, np.float32).tobytes()
    (folder / "Exp_Pca.bin").write_bytes(bytes(data))
    np.testing.assert_array_equal(pack_folder(folder)["meanshape"], before)


BAD = {
    "a file is missing": (lambda f: (f / "std_exp.txt").unlink(), "has no std_exp.txt; the raw Basel Face Model needs"),
    "cut off": (lambda f: _cut(f / "Exp_Pca.bin", 900), "Exp_Pca.bin: 900 bytes do not hold a mean and 79 modes"),
    "other bytes": (lambda f: (f / "Exp_Pca.bin").write_bytes(b"<html>" * 99), "do not hold a mean and"),
    "empty": (lambda f: (f / "Exp_Pca.bin").write_bytes(b""), "Exp_Pca.bin: the file is empty"),
    "not finite": (lambda f: _damage(f / "Exp_Pca.bin"), "Exp_Pca.bin: has numbers that are not finite"),
    "no numbers": (lambda f: (f / "std_exp.txt").write_text("a b"), "std_exp.txt: .*expected numbers with spaces"),
    "few numbers": (lambda f: (f / "std_exp.txt").write_text("1 2 3"), "std_exp.txt: 3 numbers, expected at least 64"),
    "other tables": (
        lambda f: _save(f, "BFM_exp_idx.mat", trimIndex=[[99.0]] * 4),
        "5 vertices, but the tables",
    ),
    "short tables": (lambda f: _save(f, "BFM_exp_idx.mat", trimIndex=[[1.0]]), "idx counts to 4, expected at most 1"),
    "fractions": (lambda f: _save(f, "BFM_front_idx.mat", idx=[[1.5]]), "expected whole numbers from 1"),
    "not the model": (
        lambda f: _save(f, "01_MorphableModel.mat", x=[[1.0]]),
        "Model.mat holds x; expected",
    ),
    "few modes": (lambda f: _few_modes(f), "shapePC has 7 modes, expected at least 80"),
}


def _cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


def _damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-4:] = np.array([np.nan], np.float32).tobytes()
    path.write_bytes(bytes(data))


def _save(folder: Path, name: str, **content: list) -> None:
    savemat(folder / name, content)


def _few_modes(folder: Path) -> None:
    columns = 3 * RAW_VERTICES
    mean = np.zeros((columns, 1))
    content = {"shapeMU": mean, "texMU": mean, "shapePC": np.zeros((columns, 7)), "shapeEV": np.ones((7, 1))}
    savemat(folder / "01_MorphableModel.mat", content)


@pytest.mark.parametrize("fault", BAD)
def test_bad_files_are_named(fault: str, folder: Path) -> None:
    damage, words = BAD[fault]
    damage(folder)
    with pytest.raises(ValueError, match=words) as caught:
        load_model(folder / "01_MorphableModel.mat") if fault != "a file is missing" else load_model(folder)
    assert "\n" not in str(caught.value) and str(folder) in str(caught.value)


def test_a_vertex_with_nine_triangles_has_no_place() -> None:
    with pytest.raises(ValueError, match="a vertex has 9 triangles"):
        triangles_around(np.stack([np.zeros(9), np.arange(1, 10), np.arange(2, 11)], axis=1).astype(int), 11)


@pytest.mark.parity
def test_the_real_topology(tmp_path: Path, rng: np.random.Generator) -> None:
    """The real tables of golden3d 04 with a small random model: every vertex comes from the row that they name."""
    path = reference_file("golden3d/04_real_recon.npz")
    if not path.exists():
        pytest.skip(f"reference numbers not found: {path}")
    with np.load(path, allow_pickle=False) as content:
        tables = tables_of(Arrays(path, dict(content)))
    around = triangles_around(tables.tri, len(tables.shape_vertices))
    vertex, column = np.nonzero(around < len(tables.tri))
    assert (tables.tri[around[vertex, column]] == vertex[:, None]).any(axis=1).all() and len(vertex) == tables.tri.size
    first = Tables(tables.shape_vertices[:6] % 5, tables.expression_vertices[:6] % 4, *_of_six_vertices())
    savemat(tmp_path / "m.mat", _random_model(rng))
    modes = rng.normal(0, 1, (64, 4, 3)).astype(np.float32)
    (tmp_path / "e.bin").write_bytes(np.array([64], np.int32).tobytes() + bytes(48) + modes.tobytes())
    (tmp_path / "s.txt").write_text("1 " * 64)
    packed = pack_bfm09(tmp_path / "m.mat", tmp_path / "e.bin", tmp_path / "s.txt", first)
    expected = modes[:, tables.expression_vertices[:6] % 4].reshape(64, 18).T / 1e5
    np.testing.assert_allclose(packed["exBase"], expected, rtol=1e-6)


def _of_six_vertices() -> tuple[NDArray, ...]:
    tri = np.array([[0, 1, 2], [3, 4, 5]])
    return tri, np.zeros(68, int), np.arange(6), tri, np.ones(6, np.float32)


def _random_model(rng: np.random.Generator) -> dict[str, NDArray]:
    modes = {f"{kind}PC": rng.normal(0, 1, (15, 80)) for kind in ("shape", "tex")}
    spread = {f"{kind}EV": np.ones((80, 1)) for kind in ("shape", "tex")}
    return modes | spread | {"shapeMU": np.zeros((15, 1)), "texMU": np.zeros((15, 1))}


def test_tables_of_other_numbers_of_vertices(folder: Path) -> None:
    found = read_tables(folder)
    assert found.shape_vertices.tolist() == [4, 1, 0] and found.expression_vertices.tolist() == [3, 1, 0]
