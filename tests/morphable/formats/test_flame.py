"""FLAME: published pickles as data, landmarks of triangles, and the frame of a metric head."""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from facegen.geometry.alignment_points import FIVE_POINTS_3D, five_points
from facegen.morphable.formats import load_model, read
from facegen.morphable.formats.flame import read_flame_pickle
from tests.morphable.formats.samples import (
    VERTICES,
    embedding,
    flame_arrays,
    flame_pickle,
    same_basis,
    save_npz,
    save_pickle,
    save_wrapped,
)

Write = Callable[[Path, dict[str, NDArray]], object]


@pytest.fixture
def content() -> dict[str, NDArray]:
    return flame_arrays()


def _pair(folder: Path, found: dict[str, NDArray]) -> None:
    names = {"lmk_face_idx": "static_lmk_faces_idx", "lmk_b_coords": "static_lmk_bary_coords"}
    save_pickle(folder / "flame_static_embedding.pkl", {new: found[old] for new, old in names.items()})
    outline = {new: found[old.replace("static", "dynamic")] for new, old in names.items()}
    save_wrapped(folder / "flame_dynamic_embedding.npy", outline)


EMBEDDINGS: dict[str, Write] = {
    "all 68": lambda folder, found: _wrapped(folder, found),
    "npz": lambda folder, found: save_npz(folder / "landmark_embedding.npz", found),
    "inside and outline": lambda folder, found: _wrapped(
        folder, {name: value for name, value in found.items() if not name.startswith("full")}
    ),
    "two files": _pair,
}


def _wrapped(folder: Path, found: dict[str, NDArray]) -> None:
    save_wrapped(folder / "landmark_embedding.npy", found)


@pytest.fixture
def model(tmp_path: Path, content: dict[str, NDArray]) -> Path:
    path = tmp_path / "generic_model.pkl"
    path.write_bytes(flame_pickle(content))
    _wrapped(tmp_path, embedding(content["f"]))
    return path


@pytest.mark.parametrize("selected", [False, True])
def test_a_published_pickle_is_read_as_data(tmp_path: Path, content: dict[str, NDArray], selected: bool) -> None:
    path = tmp_path / "generic_model.pkl"
    path.write_bytes(flame_pickle(content, selected))
    found = read_flame_pickle(path)
    assert sorted(found.content) == ["f", "shapedirs", "v_template"]
    for name, value in found.content.items():
        np.testing.assert_array_equal(value, content[name])


def test_npz_and_pickle_are_the_same_model(tmp_path: Path, model: Path, content: dict[str, NDArray]) -> None:
    same_basis(read(model).basis, read(save_npz(tmp_path / "any.name", content)).basis)


@pytest.mark.parametrize("kind", EMBEDDINGS)
def test_landmarks_are_points_of_triangles(tmp_path: Path, content: dict[str, NDArray], kind: str) -> None:
    """They stay on their triangles for every shape, though the model knows them as vertices."""
    found = embedding(content["f"])
    EMBEDDINGS[kind](tmp_path, found)
    (tmp_path / "generic_model.pkl").write_bytes(flame_pickle(content))
    model = load_model(tmp_path / "generic_model.pkl")
    assert model.landmarks.tolist() == list(range(VERTICES, VERTICES + 68)) and int(model.triangles.max()) < VERTICES
    coefficients = torch.randn(3, 433, generator=torch.Generator().manual_seed(0))
    face = model(coefficients)
    corners = torch.from_numpy(content["f"].astype(np.int64))[found["full_lmk_faces_idx"][0]]
    weights = torch.from_numpy(found["full_lmk_bary_coords"][0])
    expected = (face.vertices[:, corners] * weights[..., None]).sum(dim=2)
    torch.testing.assert_close(face.vertices[:, VERTICES:], expected, rtol=0, atol=1e-5)
    assert face.normals[:, VERTICES:].abs().max() == 0 and face.colors.isfinite().all()


def test_the_frame_is_that_of_deep3dfacerecon(model: Path, content: dict[str, NDArray]) -> None:
    """Metres with another origin: the five points of the mean face lie as near to theirs as scale and shift allow."""
    found = read(model).basis
    landmarks = found.mean_shape[found.landmarks].double().numpy()
    gap = five_points(landmarks) - np.array(FIVE_POINTS_3D)
    np.testing.assert_allclose(gap.mean(axis=0), 0, atol=1e-6)
    centred = five_points(landmarks) - five_points(landmarks).mean(axis=0)
    assert abs((gap * centred).sum()) < 1e-6  # no other scale is better
    span = np.linalg.norm(content["v_template"][1] - content["v_template"][0])
    scale = float((found.mean_shape[1] - found.mean_shape[0]).norm()) / span
    for modes, column in ((found.identity, 7), (found.expression, 307)):
        stored = content["shapedirs"][..., column]
        np.testing.assert_allclose(modes[7, :VERTICES].numpy() / scale, stored, rtol=1e-4, atol=1e-7)
    assert not found.recentre and found.albedo.shape[0] == 0


def test_what_lies_beside_the_model_is_used(model: Path, content: dict[str, NDArray]) -> None:
    plain = read(model).basis
    assert plain.uv is None and plain.skin is None and plain.front is None
    chart = np.random.default_rng(0).integers(0, 33, content["f"].shape)
    np.savez(model.parent / "FLAME_texture.npz", vt=np.random.default_rng(1).uniform(size=(33, 2)), ft=chart)
    save_pickle(model.parent / "FLAME_masks.pkl", {"face": np.arange(60), "scalp": np.arange(60, 90)})
    found = read(model).basis
    assert found.uv is not None and found.uv.triangles.tolist() == chart.tolist()
    assert found.skin is not None and found.skin.nonzero().flatten().tolist() == list(range(60))
    inside = content["f"][(content["f"] < 60).all(axis=1)]
    assert found.front is not None and found.front.tolist() == inside.tolist()


def _without(name: str) -> Callable[[Path, dict[str, NDArray]], object]:
    return lambda path, content: save_pickle(path, {key: value for key, value in content.items() if key != name})


def _changed(name: str, change: Callable[[NDArray], NDArray]) -> Callable[[Path, dict[str, NDArray]], object]:
    return lambda path, content: save_pickle(path, {**content, name: change(content[name])})


class _Hostile:
    def __reduce__(self) -> tuple:
        return open, ("executed", "w")


BAD: dict[str, tuple[Callable[[Path, dict[str, NDArray]], object], str]] = {
    "no template": (_without("v_template"), "a pickle without v_template, shapedirs, f"),
    "few modes": (_changed("shapedirs", lambda x: x[..., :10]), r"shapedirs has shape \(90, 3, 10\), expected"),
    "not finite": (_changed("v_template", lambda x: x * np.nan), "v_template has numbers that are not finite"),
    "other mesh": (_changed("v_template", lambda x: x[:40]), "shapedirs has shape"),
    "faces outside": (_changed("f", lambda x: x + 80), "f has numbers from .* expected whole numbers from 0 to 89"),
    "text": (_changed("shapedirs", lambda _: np.zeros(1)), "shapedirs has shape"),
    "a list": (lambda path, content: save_pickle(path, [1, 2]), "a pickle without"),
    "cut off": (lambda path, content: path.write_bytes(flame_pickle(content)[:5000]), "refused at byte"),
    "hostile": (lambda path, content: path.write_bytes(pickle.dumps({"f": _Hostile()}, 2)), "is not one that a file"),
    "no landmarks": (lambda path, _: (path.parent / "landmark_embedding.npy").unlink(), "needs its 68 landmarks in a"),
    "landmarks of another mesh": (
        lambda path, content: _wrapped(path.parent, embedding(np.zeros((9000, 3)))),
        "full_lmk_faces_idx has numbers from",
    ),
    "few landmarks": (
        lambda path, content: _wrapped(
            path.parent, {name: value[:, :51] for name, value in embedding(content["f"]).items() if "full" in name}
        ),
        "51 landmarks with 51 weights, expected 68",
    ),
    "weights": (
        lambda path, content: _wrapped(
            path.parent, {name: value * 2 for name, value in embedding(content["f"][:20]).items() if "full" in name}
        ),
        "do not sum to 1",
    ),
}


@pytest.mark.parametrize("fault", BAD)
def test_bad_files_are_named(
    fault: str, model: Path, content: dict[str, NDArray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(model.parent)
    damage, words = BAD[fault]
    damage(model, content)
    with pytest.raises(ValueError, match=words) as caught:
        load_model(model)
    assert "\n" not in str(caught.value) and str(model.parent) in str(caught.value)
    assert not (model.parent / "executed").exists()
