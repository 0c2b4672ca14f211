"""The models of golden3d 01, 04 and 14 against Deep3DFaceRecon's and FFHQ-UV's numbers (golden3d README, section 1).

`raster_*` of 02 and the render of 04 are covered by the tests of the rasteriser, 14's other arrays by those of `uv`.
"""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import loadmat
from torch import Tensor

from facegen.geometry.alignment_points import flip_rows
from facegen.geometry.cameras import head_rotation
from facegen.geometry.perspective import DEEP3D, Perspective
from facegen.morphable import spherical_harmonics
from facegen.morphable.coefficients import Layout
from facegen.morphable.formats import read, read_reconstruction, write_reconstruction
from facegen.morphable.formats.arrays import Arrays as FileArrays
from facegen.morphable.formats.bfm import read_bfm
from facegen.morphable.formats.bfm09_tables import tables_of
from facegen.morphable.formats.hifi3d import read_hifi3d
from facegen.morphable.model import Face, MorphableModel
from tests.geometry.reference import Arrays, Rules, array_names, compute, numeric, reference_file
from tests.golden import assert_close_golden

pytestmark = pytest.mark.parity
BFM, FORWARD = "golden3d/01_bfm_model.mat", "golden3d/02_bfm_forward.npz"
HIFI3D, FITTING = "golden3d/14_hifi3dpp_model.mat", "golden3d/14_ffhquv_fitting.npz"
REAL = "golden3d/04_real_recon.npz"
ALTERNATIVE = Perspective(focal=900.0, center=100.0, distance=8.0)
ALTERNATIVE_LIGHT = (0.6, 0.1, 0.0, 0.0, 0.05, 0.0, 0.0, 0.0, 0.0)
# (relative, absolute) by the README; double precision first, the first that matches counts
TOLERANCES = {
    r".*_f64": (0, 1e-9),
    r"grad_coeffs": (1e-3, 0),
    r"grad_loss": (1e-5, 0),
    r".*(proj|landmark|lm68_from_vertices)": (0, 2e-4),
    r".*normal.*": (0, 1e-3),
    r".*(shading|color|texture)": (0, 3e-4),
    r"texture_255_row1": (0, 255 * 3e-4),
    r".*": (0, 5e-6),
}


def tolerance(name: str) -> tuple[float, float]:
    return next(limits for pattern, limits in TOLERANCES.items() if re.fullmatch(pattern, name))


@cache
def bfm() -> MorphableModel:
    found = read(reference_file(BFM))
    return MorphableModel(found.basis, name=found.name, terms=found.terms)


@cache
def alternative() -> MorphableModel:
    found = read(reference_file(BFM))
    settings = {"perspective": ALTERNATIVE, "initial_light": ALTERNATIVE_LIGHT}
    return MorphableModel(found.basis._replace(recentre=False), name="", **settings)


def double(arrays: Arrays) -> MorphableModel:
    """In double precision, from the float32 mean shape with which the reference starts."""
    basis = read_bfm(reference_file(BFM), dtype=torch.float64).basis
    centred = basis._replace(mean_shape=arrays["mean_shape_recentred"].double(), recentre=False)
    return MorphableModel(centred, name="").double()


def objective(face: Face, arrays: Arrays) -> Tensor:
    landmarks = 0.01 * (face.landmarks * arrays["grad_w_landmark"]).sum()
    return landmarks + (face.colors * arrays["grad_w_color"]).sum() + (face.camera * arrays["grad_w_vertex"]).sum()


def differentiated(model: MorphableModel, arrays: Arrays) -> tuple[Tensor, Tensor]:
    coefficients = arrays["coeffs"].to(model.mean_shape).requires_grad_()
    loss = objective(model(coefficients), arrays)
    return loss, torch.autograd.grad(loss, coefficients)[0]


def projection(perspective: Perspective) -> Tensor:
    """(4, 4) matrix of `clip` for columns (x, y, depth, 1): it is affine in camera coordinates."""
    origin = perspective.clip(torch.zeros(1, 3))
    linear = perspective.clip(torch.eye(3)) - origin
    return torch.cat([linear, origin]).mT


def pinhole(perspective: Perspective) -> Tensor:
    """(3, 3) matrix of `project` for rows (x, y, depth), before the division by depth."""
    points = torch.tensor([[1.0, 0, 1], [0, 1, 1], [0, 0, 1]])
    pixels = perspective.project(points)
    return torch.cat([pixels - pixels[2:] * torch.tensor([[1.0], [1], [0]]), torch.tensor([[0.0], [0], [1]])], dim=1)


def faces(rule: Callable[[Face], Tensor]) -> Callable[[Arrays], Tensor]:
    return lambda arrays: rule(bfm()(arrays["coeffs"]))


def doubles(rule: Callable[[Face], Tensor]) -> Callable[[Arrays], Tensor]:
    return lambda arrays: rule(double(arrays)(arrays["coeffs"].double()))


def alternatives(rule: Callable[[Face], Tensor]) -> Callable[[Arrays], Tensor]:
    return lambda arrays: rule(alternative()(arrays["coeffs"]))


def unposed_normals(model: MorphableModel, coefficients: Tensor) -> Tensor:
    return model.normals_of(model(coefficients).shape)


FORWARD_RULES: Rules = {
    r"coeffs|grad_w_.*|raster_.*": None,
    r"shape": faces(lambda face: face.shape),
    r"texture": faces(lambda face: face.albedo),
    r"texture_255_row1": faces(lambda face: 255 * face.albedo[1]),
    r"normal": lambda arrays: unposed_normals(bfm(), arrays["coeffs"]),
    r"rotation": lambda arrays: head_rotation(bfm().split(arrays["coeffs"]).angle),
    r"normal_rotated": faces(lambda face: face.normals),
    r"shading": faces(lambda face: face.shading),
    r"color": faces(lambda face: face.colors),
    r"transformed": faces(lambda face: face.vertices),
    r"vertex_camera": faces(lambda face: face.camera),
    r"proj": faces(lambda face: DEEP3D.project(face.camera)),
    r"landmark": faces(lambda face: face.landmarks),
    r"grad_loss": lambda arrays: differentiated(bfm(), arrays)[0].detach(),
    r"grad_coeffs": lambda arrays: differentiated(bfm(), arrays)[1],
    r"alt_vertex": alternatives(lambda face: face.camera),
    r"alt_color": alternatives(lambda face: face.colors),
    r"alt_landmark": alternatives(lambda face: face.landmarks),
    r"persc_proj": lambda _: pinhole(DEEP3D),
    r"ndc_proj": lambda _: projection(DEEP3D),
    r"fov_deg": lambda _: 2 * torch.tensor(DEEP3D.center / DEEP3D.focal).double().atan().rad2deg(),
    # the reference's renderer counts rows from clip y = -1, ours has y up
    r"clip": faces(lambda face: DEEP3D.clip(face.camera) * torch.tensor([1.0, -1, 1, 1])),
    r"vertex_camera_f64": doubles(lambda face: face.camera),
    r"color_f64": doubles(lambda face: face.colors),
    r"landmark_f64": doubles(lambda face: face.landmarks),
    r"normal_f64": lambda arrays: unposed_normals(double(arrays), arrays["coeffs"].double()),
    r"grad_loss_f64": lambda arrays: differentiated(double(arrays), arrays)[0].detach(),
    r"grad_coeffs_f64": lambda arrays: differentiated(double(arrays), arrays)[1],
    r"sh_a": lambda _: torch.pi * torch.tensor([1, 2 / 3**0.5, 2 / 8**0.5], dtype=torch.float64),
    r"sh_c": lambda arrays: harmonic_constants().abs() / arrays["sh_a"],
    r"mean_shape_recentred": lambda _: bfm().mean_shape,
}


def harmonic_constants() -> Tensor:
    """a0 c0, a1 c1 and a2 c2 as our shading has them."""
    return torch.tensor(spherical_harmonics.FACTORS, dtype=torch.float64)[[0, 1, 4]]


@pytest.mark.parametrize("name", array_names(FORWARD, FORWARD_RULES))
def test_basel_face_model(name: str) -> None:
    arrays = numeric(reference_file(FORWARD))
    assert_close_golden(compute(name, FORWARD_RULES, arrays), arrays[name], *tolerance(name), name)


@cache
def hifi3d() -> MorphableModel:
    found = read(reference_file(HIFI3D))
    return MorphableModel(found.basis, name=found.name, terms=found.terms)


def heads(rule: Callable[[Face], Tensor]) -> Callable[[Arrays], Tensor]:
    return lambda arrays: rule(hifi3d()(arrays["h_coeffs"]))


def identities(arrays: Arrays) -> Tensor:
    parts = hifi3d().split(arrays["h_coeffs"])
    return hifi3d().shape_of(parts.identity, torch.zeros_like(parts.expression))


HEAD_RULES: Rules = {
    r"h_coeffs|h_unwrap_tex_row0|(?!h_).*": None,
    r"h_id_shape": identities,
    r"h_exp_shape": heads(lambda face: face.shape),
    r"h_vertex": heads(lambda face: face.camera),
    r"h_texture": heads(lambda face: face.albedo),
    r"h_normal": lambda arrays: unposed_normals(hifi3d(), arrays["h_coeffs"]),
    r"h_shading": heads(lambda face: face.shading),
    r"h_color": heads(lambda face: face.colors),
    r"h_landmark": heads(lambda face: face.landmarks),
}


@pytest.mark.parametrize("name", array_names(FITTING, HEAD_RULES))
def test_hifi3d(name: str) -> None:
    arrays = numeric(reference_file(FITTING))
    assert_close_golden(compute(name, HEAD_RULES, arrays), arrays[name], *tolerance(name), name)


def variables(relative: str) -> list[str]:
    """Names of the variables of a model file; one skipped entry where there is none."""
    path = reference_file(relative)
    if not path.exists():
        return array_names(relative, {})
    return [name for name in loadmat(path) if not name.startswith("__")]


# Where each variable of a model file is found again: how to write it as the file has it, flattened
MODEL_RULES: dict[str, Callable[[MorphableModel], Tensor]] = {
    r"meantex": lambda model: model.mean_albedo * 255,
    r"idBase": lambda model: model.identity.flatten(1).mT,
    r"exBase": lambda model: model.expression.flatten(1).mT,
    r"texBase": lambda model: model.albedo.flatten(1).mT * 255,
    r"tri": lambda model: model.triangles + 1,
    r"head_tri": lambda model: model.normal_triangles + 1,
    r"point_buf": lambda model: model.vertex_faces + 1,
    r"keypoints": lambda model: model.landmarks + 1,
    r"skinmask": lambda model: model.skin,
    r"vt_list": lambda model: as_uv(model)[0],
    r"tri_vt": lambda model: as_uv(model)[1] + 1,
}


def as_uv(model: MorphableModel) -> tuple[Tensor, Tensor]:
    assert model.uv is not None
    return model.uv


@pytest.mark.parametrize("name", variables(BFM))
def test_variables_of_the_packed_basel_face_model(name: str) -> None:
    stored, model = loadmat(reference_file(BFM)), bfm()
    raw = torch.from_numpy(stored[name]).double()
    match name:
        case "meanshape":
            shape = raw.reshape(-1, 3)
            torch.testing.assert_close(model.mean_shape.double(), shape - shape.mean(0), rtol=0, atol=1e-6)
        case "tri_mask2" | "frontmask2_idx":
            listed = torch.from_numpy(stored["frontmask2_idx"].ravel()).long() - 1
            compact = torch.from_numpy(stored["tri_mask2"]).long() - 1
            assert model.front is not None and torch.equal(model.front, listed[compact])
            direct = read_bfm(reference_file(BFM), front="direct").basis.front
            assert direct is not None and torch.equal(direct, compact)
        case _:
            found = MODEL_RULES[name](model).double()
            torch.testing.assert_close(found.flatten(), raw.flatten(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", variables(HIFI3D))
def test_variables_of_hifi3d(name: str) -> None:
    stored, model = loadmat(reference_file(HIFI3D)), hifi3d()
    raw = torch.from_numpy(stored[name].astype(np.float64))
    match name:
        case "meanshape":
            shape = raw.reshape(-1, 3)
            torch.testing.assert_close(model.mean_shape.double(), shape - shape.mean(0), rtol=0, atol=1e-6)
        case "head_tri_vt":
            whole = read_hifi3d(reference_file(HIFI3D), whole_head=True).basis
            assert whole.uv is not None and torch.equal(whole.uv.triangles + 1, raw.long())
            assert torch.equal(whole.triangles, model.normal_triangles)
        case "uv_idx" | "vtx_uv_idx" | "vtx_vt" | "vt_vtx_idx":  # the chart in other words, which the code does not use
            assert raw.isfinite().all()
        case _:
            found = MODEL_RULES[name](model).double()
            torch.testing.assert_close(found.flatten(), raw.flatten(), rtol=1e-6, atol=1e-6)


def real() -> Arrays:
    return numeric(reference_file(REAL))


def projected(arrays: Arrays) -> Tensor:
    """Landmarks of the real mesh as .mat files have them: 223 - y."""
    points = arrays["vertices"].double()[arrays["keypoints"].long()]
    return torch.from_numpy(flip_rows(DEEP3D.project(DEEP3D.view(points)).numpy(), DEEP3D.size))


REAL_RULES: Rules = {
    r"name|id|exp|tex|angle|gamma|trans|vertices|vertex_color_u8|render_u8": None,
    r"coeffs": lambda arrays: torch.cat(
        [arrays[name] for name in ("id", "exp", "tex", "angle", "gamma", "trans")], dim=1
    ),
    r"lm68": lambda arrays: projected(arrays).float()[None],
    r"lm68_from_vertices": projected,
    r"tri|keypoints|frontmask2_idx|tri_mask2|skinmask": lambda arrays, name: tables(name),
    r"bfm09_vertex_index": lambda arrays: tables("shape_vertices"),
    r"exp_vertex_index": lambda arrays: tables("expression_vertices"),
}
REAL_RULES = {(f"({p})" if p.startswith("tri") else p): rule for p, rule in REAL_RULES.items()}


def tables(name: str) -> Tensor:
    with np.load(reference_file(REAL), allow_pickle=False) as content:
        found = tables_of(FileArrays(Path("04"), dict(content)))
    return torch.from_numpy(getattr(found, name))


@pytest.mark.parametrize("name", array_names(REAL, REAL_RULES))
def test_real_reconstruction(name: str) -> None:
    arrays = real()
    limit = {"lm68": 0.06, "lm68_from_vertices": 2e-5}.get(name, 0)
    assert_close_golden(compute(name, REAL_RULES, arrays).double(), arrays[name].double(), 0, limit, name)


@pytest.mark.skipif(not reference_file(REAL).exists(), reason=f"reference numbers not found: {reference_file(REAL)}")
def test_real_reconstruction_is_written_and_read_back_exactly(tmp_path: Path) -> None:
    arrays = real()
    write_reconstruction(tmp_path / "000002.mat", arrays["coeffs"][0], arrays["lm68"][0])
    found = read_reconstruction(tmp_path / "000002.mat")
    np.testing.assert_array_equal(found.coefficients, arrays["coeffs"][0].double())
    np.testing.assert_array_equal(found.landmarks, arrays["lm68"][0])
    stored = loadmat(tmp_path / "000002.mat")
    for key in ("id", "exp", "tex", "angle", "gamma", "trans", "lm68"):
        assert stored[key].dtype == np.float32 and stored[key].shape == tuple(arrays[key].shape)
        np.testing.assert_array_equal(stored[key], arrays[key])
    parts = Layout().split(arrays["coeffs"])
    for part, key in zip(parts, ("id", "exp", "tex", "angle", "gamma", "trans"), strict=True):
        assert torch.equal(part, arrays[key])


@pytest.mark.skipif(not reference_file(REAL).exists(), reason=f"reference numbers not found: {reference_file(REAL)}")
def test_the_mask_of_the_face_counts_its_own_list() -> None:
    """README, section 1: through the list all triangles of `tri_mask2` are triangles of the mesh, directly 58 %."""
    mesh = {tuple(sorted(face)) for face in tables("tri").tolist()}
    direct, listed = tables("tri_mask2"), tables("frontmask2_idx")
    shares = [
        np.mean([tuple(sorted(face)) in mesh for face in reading.tolist()]) for reading in (listed[direct], direct)
    ]
    assert shares[0] == 1 and shares[1] == pytest.approx(0.58, abs=0.01)
