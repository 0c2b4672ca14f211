"""ICT-FaceKit: packed and as a folder, what is kept of it, and where it stands."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from facegen.geometry.alignment_points import FIVE_POINTS_3D, five_points
from facegen.morphable.formats import load_model, read
from facegen.morphable.formats.ict import EYE_WHITE, SKIN
from tests.geometry.reference import reference_file
from tests.morphable.formats.samples import ict_arrays, same_basis, save_npz, write_ict_folder

PACKED = [reference_file(f"morphable/{name}.npz") for name in ("ict_facekit_light_f16", "ict_face_only_f16")]


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    return save_npz(tmp_path / "ict.npz", ict_arrays())


def test_what_covers_the_eyes_is_left_out(packed: Path) -> None:
    """Vertices 75..79 belong to lashes alone: the others are renumbered, triangles and landmarks follow."""
    content, basis = ict_arrays(), read(packed).basis
    kept = np.r_[0:75, 80:90]
    np.testing.assert_array_equal(basis.landmarks, np.arange(68))
    original = content["faces"][content["material"] != 2]
    np.testing.assert_array_equal(kept[basis.triangles.numpy()], original)
    scale = float((basis.mean_shape[1] - basis.mean_shape[0]).norm()) / np.linalg.norm(
        np.diff(content["neutral"][:2], axis=0)
    )
    for modes, stored in ((basis.identity, content["identity"]), (basis.expression, content["expression"])):
        lengths = np.linalg.norm(stored[:, kept].astype(np.float64), axis=2)
        np.testing.assert_allclose(modes.norm(dim=2).numpy(), lengths * scale, rtol=1e-4, atol=1e-6)


def test_colours_parts_and_chart(packed: Path) -> None:
    content, basis = ict_arrays(), read(packed).basis
    assert basis.parts is not None and basis.skin is not None and basis.front is not None
    names = [basis.part_names[part] for part in basis.parts.tolist()]
    assert names == ["face"] * 75 + ["scleraleft"] * 10
    np.testing.assert_allclose(basis.mean_albedo[:75], np.tile(SKIN, (75, 1)), rtol=1e-6)
    assert any(np.allclose(color, EYE_WHITE) for color in basis.mean_albedo[75:])
    assert basis.skin.tolist() == [1.0] * 75 + [0.0] * 10 and basis.front.tolist() == basis.triangles[:50].tolist()
    assert basis.uv is not None
    corners = basis.uv.coordinates[basis.uv.triangles].numpy()
    np.testing.assert_array_equal(corners[:50], content["uv"][content["uv_faces"][:50]])
    assert np.abs(corners[50:]).max() == 0  # the eye has a picture of its own


def test_the_frame_is_that_of_deep3dfacerecon(packed: Path) -> None:
    """The points were made from Deep3DFaceRecon's five, in centimetres from another origin; the chin is raised."""
    basis = read(packed).basis
    points = five_points(basis.mean_shape[basis.landmarks].double().numpy())
    theirs = np.array(FIVE_POINTS_3D)
    np.testing.assert_allclose(points.mean(axis=0), theirs.mean(axis=0), atol=1e-5)
    cosine, sine = np.cos(np.radians(4.5)), np.sin(np.radians(4.5))
    raised = (theirs - theirs.mean(axis=0)) @ np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    np.testing.assert_allclose(points - points.mean(axis=0), raised, rtol=0.02, atol=3e-3)
    assert not basis.recentre and load_model(packed).layout == (6, 4, 0)


def test_without_materials_all_is_face(tmp_path: Path) -> None:
    content = ict_arrays(whole=False)
    basis = read(save_npz(tmp_path / "face.npz", content)).basis
    assert basis.uv is None and basis.front is not None and len(basis.front) == len(content["faces"])


def test_the_folder_is_the_same_model(packed: Path, tmp_path: Path) -> None:
    folder = write_ict_folder(tmp_path / "FaceXModel", ict_arrays())
    same_basis(read(packed).basis, read(folder).basis, 1e-5)


def test_polygons_become_triangles(tmp_path: Path) -> None:
    folder = write_ict_folder(tmp_path / "FaceXModel", ict_arrays())
    path = folder / "generic_neutral_mesh.obj"
    path.write_text(path.read_text() + "usemtl M_Face\nf 1/1 2/2 3/3 4/4 5/5\n")
    triangles = read(folder).basis.triangles
    assert triangles[-3:].tolist() == [[0, 1, 2], [0, 2, 3], [0, 3, 4]]


def _less(name: str) -> Callable[[Path], object]:
    return lambda path: save_npz(path, {key: value for key, value in ict_arrays().items() if key != name})


def _other(name: str, change: Callable[[NDArray], NDArray]) -> Callable[[Path], object]:
    return lambda path: save_npz(path, {**ict_arrays(), name: change(ict_arrays()[name])})


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "no modes": (_less("identity"), "has no 'identity'"),
    "no landmarks": (_less("landmarks68"), "has no 'landmarks68'"),
    "five landmarks": (_other("landmarks68", lambda x: x[:5]), r"landmarks68 has shape \(5,\), expected \(68,\)"),
    "modes of another mesh": (_other("expression", lambda x: x[:, :7]), r"expression has shape \(4, 7, 3\)"),
    "not finite": (_other("neutral", lambda x: x * np.inf), "neutral has numbers that are not finite"),
    "faces outside": (_other("faces", lambda x: x + 9), "faces has numbers from"),
    "landmarks left out": (_other("landmarks68", lambda x: x + 8), "landmarks68 name vertices of no triangle"),
    "words": (_other("neutral", lambda x: np.array([["a", "b", "c"]])), "neutral holds no numbers but"),
    "unknown material": (_other("material", lambda x: x + 5), "material has numbers from"),
}


@pytest.mark.parametrize("fault", BAD)
def test_bad_files_are_named(fault: str, packed: Path) -> None:
    damage, words = BAD[fault]
    damage(packed)
    with pytest.raises(ValueError, match=words) as caught:
        load_model(packed)
    assert "\n" not in str(caught.value) and str(packed) in str(caught.value)


BAD_FOLDERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no tables": (lambda f: (f / "vertex_indices.json").unlink(), "vertex_indices.json: not the tables"),
    "other tables": (
        lambda f: (f / "vertex_indices.json").write_text('{"expressions": 3}'),
        "no 'idx_to_landmark_verts'",
    ),
    "a path": (lambda f: _tables(f, expressions=["../../etc/passwd"]), "are no lists of vertices and names"),
    "missing expression": (lambda f: (f / "jawOpen.obj").unlink(), "jawOpen.obj: cannot be read: No such file"),
    "no identities": (lambda f: [p.unlink() for p in f.glob("identity*")], "has no identity000.obj"),
    "short mesh": (lambda f: _cut(f / "identity003.obj", 900), r"identity003.obj: has \d+ vertices, expected the 90"),
    "no mesh": (lambda f: (f / "identity003.obj").write_text("v a b c\n"), "not a readable OBJ mesh"),
    "flat mesh": (lambda f: (f / "identity003.obj").write_text("v 1 2\n" * 90), "points of 2 numbers, expected 3"),
    "bad polygon": (
        lambda f: (f / "generic_neutral_mesh.obj").open("a").write("f x y z\n"),
        "a polygon that cannot be",
    ),
}


def _tables(folder: Path, **changes: object) -> None:
    path = folder / "vertex_indices.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def _cut(path: Path, size: int) -> None:
    text = path.read_text()[:size]
    path.write_text(text[: text.rindex("\n")])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ict_folder(tmp_path_factory.mktemp("ict") / "FaceXModel", ict_arrays())


@pytest.mark.parametrize("fault", BAD_FOLDERS)
def test_bad_folders_are_named(fault: str, folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "FaceXModel"))
    damage, words = BAD_FOLDERS[fault]
    damage(copy)
    with pytest.raises(ValueError, match=words) as caught:
        load_model(copy)
    assert "\n" not in str(caught.value) and str(copy) in str(caught.value)


@pytest.mark.parametrize("path", PACKED, ids=lambda path: path.stem)
def test_the_real_model(path: Path) -> None:
    if not path.exists():
        pytest.skip(f"ICT-FaceKit not found: {path}")
    model = load_model(path)
    assert model.layout == (100, 53, 0)
    points = five_points(model.mean_shape[model.landmarks].double().numpy())
    assert np.abs(points - np.array(FIVE_POINTS_3D)).max() < 0.07  # decimetres: how mean faces differ
    eyes = float((model.mean_shape[model.landmarks[36]] - model.mean_shape[model.landmarks[45]]).norm())
    assert 0.80 < eyes < 0.92  # decimetres between the outer corners
    face = model(model.layout.zeros(1))
    assert face.landmarks.isfinite().all() and bool((face.normals[0, model.landmarks, 2] > -0.35).all())
    assert bool(((face.landmarks > 20) & (face.landmarks < 204)).all())
