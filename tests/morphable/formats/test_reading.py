"""Files of every format are told apart by what they hold; what is none is named in one line."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat

from facegen.morphable.formats import load_model, read, write_model
from facegen.morphable.formats import matlab as matlab_files
from facegen.morphable.formats import npz as npz_files
from facegen.morphable.model import MorphableModel
from tests.morphable.formats.samples import (
    bfm_variables,
    embedding,
    flame_arrays,
    flame_pickle,
    hifi3d_variables,
    ict_arrays,
    same_basis,
    save_npz,
    save_wrapped,
    write_ict_folder,
    write_variables,
)

_MAT_HEADER = matlab_files.MAGIC.ljust(124) + b"\0\1IM"


def _flame(folder: Path, data: Callable[[Path], object]) -> Path:
    save_wrapped(folder / "landmark_embedding.npy", embedding(flame_arrays()["f"]))
    data(folder / "file")
    return folder / "file"


def _own(folder: Path) -> Path:
    write_model(folder / "file", read(save_npz(folder / "other", ict_arrays())))
    return folder / "file"


FORMATS: dict[str, tuple[Callable[[Path], Path], str, tuple[int, int, int]]] = {
    "bfm": (lambda f: write_variables(f / "file", bfm_variables()), "Basel", (80, 64, 80)),
    "bfm uncompressed": (lambda f: write_variables(f / "file", bfm_variables(), False), "Basel", (80, 64, 80)),
    "hifi3d": (lambda f: write_variables(f / "file", hifi3d_variables()), "HiFi3D++", (532, 45, 439)),
    "flame": (lambda f: _flame(f, lambda p: p.write_bytes(flame_pickle(flame_arrays()))), "FLAME", (300, 100, 0)),
    "flame npz": (lambda f: _flame(f, lambda p: save_npz(p, flame_arrays())), "FLAME", (300, 100, 0)),
    "ict": (lambda f: save_npz(f / "file", ict_arrays()), "ICT", (6, 4, 0)),
    "ict folder": (lambda f: write_ict_folder(f / "file", ict_arrays()), "ICT", (6, 4, 0)),
    "own": (_own, "ICT", (6, 4, 0)),
}


@pytest.mark.parametrize("kind", FORMATS)
def test_the_name_of_the_file_does_not_matter(kind: str, tmp_path: Path) -> None:
    make, name, layout = FORMATS[kind]
    model = MorphableModel.load(make(tmp_path))
    assert model.name.startswith(name) and model.terms and model.layout == layout and not model.training
    face = model(torch.randn(2, model.layout.total, generator=torch.Generator().manual_seed(0)) * 0.1)
    assert face.vertices.isfinite().all() and face.colors.isfinite().all()


@pytest.mark.parametrize("kind", FORMATS)
def test_our_own_file_keeps_every_number(kind: str, tmp_path: Path) -> None:
    found = read(FORMATS[kind][0](tmp_path))
    write_model(tmp_path / "packed.safetensors", found)
    again = read(tmp_path / "packed.safetensors")
    assert (again.name, again.terms) == (found.name, found.terms)
    same_basis(found.basis, again.basis)


def test_the_word_for_the_built_in_model() -> None:
    assert load_model("procedural").name.startswith("procedural head")


def test_the_whole_head_of_hifi3d(tmp_path: Path) -> None:
    """The face is drawn, the head gives normals; a chart of either."""
    content = hifi3d_variables()
    basis = read(write_variables(tmp_path / "a.mat", content)).basis
    assert basis.normal_triangles is not None and basis.uv is not None
    np.testing.assert_array_equal(basis.triangles + 1, content["tri"])
    np.testing.assert_array_equal(basis.normal_triangles + 1, content["head_tri"])
    np.testing.assert_array_equal(basis.uv.triangles + 1, content["tri_vt"])


# What is no model


def _bomb(path: Path) -> None:
    """A variable that unpacks to 80 MB, twenty times what the test allows."""
    data = zlib.compress(bytes(80 << 20))
    path.write_bytes(_MAT_HEADER + struct.pack("<II", 15, len(data)) + data)


def _zip_bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", bytes(80 << 20))


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.write(_MAT_HEADER)
        file.truncate(8 << 20)


def _cut(path: Path, content: dict, share: float) -> None:
    stream = io.BytesIO()
    savemat(stream, content, do_compression=True)
    path.write_bytes(stream.getvalue()[: int(len(stream.getvalue()) * share)])


def _bfm(change: Callable[[dict], object]) -> Callable[[Path], object]:
    def write(path: Path) -> None:
        content = bfm_variables()
        change(content)
        savemat(path, content, appendmat=False)

    return write


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing": (lambda p: None, "No such file or directory; expected BFM_model_front.mat"),
    "empty": (lambda p: p.write_bytes(b""), "the file is empty"),
    "a folder": (lambda p: p.mkdir(), "it is a folder, expected a file; expected BFM_model"),
    "a web page": (lambda p: p.write_text("<html>quota exceeded</html>"), "which is of no known format; expected"),
    "a short text": (lambda p: p.write_text("x"), "which is of no known format"),
    "other mat": (lambda p: savemat(p, {"a": [[1.0]]}, appendmat=False), "file holds a; expected BFM_model"),
    "other npz": (lambda p: save_npz(p, {"b": np.zeros(3)}), "file holds b; expected"),
    "version 7.3": (lambda p: p.write_bytes(b"MATLAB 7.3 MAT-file".ljust(512)), "HDF5.*save it with save"),
    "a bomb": (_bomb, "its variables unpack to more than 4194304 bytes"),
    "a zip bomb": (_zip_bomb, "its arrays unpack to 83886080 bytes, expected at most 4194304"),
    "huge": (_sparse, "8388608 bytes, expected a MATLAB file of at most 4194304"),
    "mat cut off": (lambda p: _cut(p, bfm_variables(), 0.6), "not a readable MATLAB file|has no"),
    "mat damaged": (
        lambda p: p.write_bytes(matlab_files.MAGIC.ljust(124) + b"\0\1IM" + b"x" * 99),
        "damaged at byte 128",
    ),
    "npz cut off": (lambda p: p.write_bytes(save_npz(p, ict_arrays()).read_bytes()[:4000]), "not a readable .npz file"),
    "no bases": (_bfm(lambda c: c.pop("exBase")), "has no 'exBase' .it has frontmask2_idx, idBase"),
    "no mask": (_bfm(lambda c: c.pop("skinmask")), "has no 'skinmask'"),
    "short mean": (
        _bfm(lambda c: c.update(meanshape=c["meanshape"][:, :-3])),
        "tri has numbers from 1 to 90, expected whole numbers from 1 to 89",
    ),
    "uneven mean": (_bfm(lambda c: c.update(meanshape=c["meanshape"][:, :-1])), "meanshape has 269 numbers"),
    "short basis": (
        _bfm(lambda c: c.update(texBase=c["texBase"][:-3])),
        r"texBase has shape \(267, 80\), expected",
    ),
    "not finite": (_bfm(lambda c: c["idBase"].__setitem__((0, 0), np.nan)), "idBase has numbers that are not finite"),
    "from 0": (
        _bfm(lambda c: c.update(tri=c["tri"] - 1)),
        "tri has numbers from 0 .*whole numbers from 1 to 90",
    ),
    "keypoints": (
        _bfm(lambda c: c.update(keypoints=c["keypoints"][:, :5])),
        r"keypoints has shape \(1, 5\), exp",
    ),
    "fractions": (_bfm(lambda c: c.update(keypoints=c["keypoints"] + 0.5)), "keypoints has numbers from"),
    "not a number": (_bfm(lambda c: c.update(tri=c["tri"] * np.nan)), "tri has numbers from"),
    "text": (_bfm(lambda c: c.update(meantex="grey")), "meantex holds no numbers"),
    "no chart": (
        lambda p: savemat(p, {**hifi3d_variables(), "vt_list": np.zeros((0, 2))}, appendmat=False),
        "tri_vt has",
    ),
}


@pytest.mark.parametrize("fault", BAD)
def test_bad_files_are_named(fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (matlab_files, npz_files):
        monkeypatch.setattr(module, "MAX_BYTES", 1 << 22)
    path = tmp_path / "file"
    make, words = BAD[fault]
    make(path)
    with pytest.raises(ValueError, match=words) as caught:
        load_model(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


OWN: dict[str, tuple[Callable[[dict, dict], object], str]] = {
    "other format": (lambda t, m: m.update(format="else"), "format 'else', expected 'facegen morphable model 1'"),
    "no format": (lambda t, m: m.pop("format"), "format 'None', expected"),
    "no description": (lambda t, m: m.pop("model"), "not a readable file of weights .'model'"),
    "damaged description": (lambda t, m: m.update(model="{"), "not a readable file of weights"),
    "no mean": (lambda t, m: t.pop("mean_shape"), "has no mean_shape; convert the model again"),
    "other modes": (lambda t, m: t.update(identity=torch.zeros(3, 2, 3)), r"identity has shape \(3, 2, 3\), expected"),
    "not finite": (lambda t, m: t["expression"].fill_(torch.inf), "expression has numbers that are not finite"),
    "triangles": (lambda t, m: t["triangles"].fill_(900), "triangles has numbers from 900"),
    "chart": (lambda t, m: t["uv_triangles"].fill_(-1), "uv_triangles has numbers from -1"),
    "around": (lambda t, m: t.update(vertex_faces=torch.full((85, 3), 999)), "vertex_faces has numbers from 999"),
    "skin": (lambda t, m: t.update(skin=torch.zeros(3)), r"skin has shape \(3,\), expected \(85,\)"),
    "parts": (lambda t, m: t["parts"].fill_(77), "parts has numbers from 77"),
}


@pytest.mark.parametrize("fault", OWN)
def test_our_own_file_is_checked(fault: str, tmp_path: Path) -> None:
    from safetensors import safe_open
    from safetensors.torch import save_file

    path = _own(tmp_path)
    with safe_open(path, framework="pt") as file:
        header, tensors = dict(file.metadata()), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change, words = OWN[fault]
    change(tensors, header)
    save_file(tensors, path, metadata=header)
    with pytest.raises(ValueError, match=words) as caught:
        load_model(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_a_file_of_ours_that_was_cut_off(tmp_path: Path) -> None:
    path = _own(tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="not a readable file of weights"):
        load_model(path)


def test_writing_is_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _own(tmp_path)
    before = path.read_bytes()
    monkeypatch.setattr("facegen.morphable.formats.packed.save_file", lambda *_, **__: (_ for _ in ()).throw(OSError))
    with pytest.raises(OSError):
        write_model(path, read(path))
    assert path.read_bytes() == before and sorted(p.name for p in tmp_path.iterdir()) == ["file", "other"]
