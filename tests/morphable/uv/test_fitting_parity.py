"""Pieces of the texture fitting against golden3d 14: what is neither a loss nor the morphable model's."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from facegen.morphable.uv.blending import blend_softly
from facegen.morphable.uv.decoder import start_latents
from facegen.morphable.uv.dpr import dpr_basis, dpr_shading
from facegen.morphable.uv.paint import paint_over
from facegen.morphable.uv.similarity import fit_similarity, transform
from facegen.morphable.uv.spherical import SphericalAdam, schedule
from tests.data.golden3d import arrays, keys

pytestmark = pytest.mark.parity
FILE = "14_ffhquv_fitting.npz"

Arrays = dict[str, np.ndarray]


def _trajectory(golden: Arrays) -> np.ndarray:
    point = torch.from_numpy(golden["sph_p0"].copy()).requires_grad_()
    target = torch.from_numpy(golden["sph_target"].copy())
    optimizer = SphericalAdam([point])
    visited = []
    for rate in golden["sph_lr"].tolist():
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        ((point - target).square().sum() + 0.3 * point.sum()).backward()  # the objective those numbers were made with
        optimizer.step()
        visited.append(point.detach().numpy().copy())
    return np.stack(visited)


def _rates(name: str, rate: float, ramp: float) -> Callable[[Arrays], np.ndarray]:
    def rates(golden: Arrays) -> np.ndarray:
        steps = len(golden[name])
        return np.array([rate * schedule(step, steps, ramp) for step in range(steps)])

    return rates


def _painted(golden: Arrays) -> np.ndarray:
    face = torch.from_numpy(golden["b_res"].copy()).permute(2, 0, 1)[None] / 255
    painted = paint_over(golden["b_template"], face, golden["b_blend"], golden["b_hair"])
    return painted[0].numpy()


def _tensor(golden: Arrays, name: str) -> torch.Tensor:
    return torch.from_numpy(golden[name].copy())


RULES: dict[str, tuple[Callable[[Arrays], np.ndarray], float]] = {
    "sph_traj": (_trajectory, 1e-5),
    "sph_lr": (_rates("sph_lr", 0.1, 0.25), 1e-12),
    "lr_stage2": (_rates("lr_stage2", 0.1, 0.25), 1e-12),
    "lr_stage3": (_rates("lr_stage3", 0.01, 0.4), 1e-12),
    "z_init_first16": (lambda g: start_latents(18, 512, seed=123)[0, 0, :16].numpy(), 1e-6),
    "b_out_128": (
        lambda g: blend_softly(g["b_template"], g["b_res"], g["b_blend"], g["b_hair"], size=len(g["b_res"])),
        0.02,
    ),
    "b_out_decoder_128": (_painted, 1e-4),
    "dpr_basis": (lambda g: dpr_basis(_tensor(g, "dpr_normal")).numpy(), 1e-12),
    "dpr_basis_noatt": (lambda g: dpr_basis(_tensor(g, "dpr_normal"), attenuated=False).numpy(), 1e-12),
    "dpr_shading": (lambda g: dpr_shading(_tensor(g, "dpr_normal"), _tensor(g, "dpr_sh")).numpy(), 1e-12),
    "icp_T": (lambda g: fit_similarity(g["icp_src"], g["icp_dst"]), 1e-9),
    "icp_out": (lambda g: transform(fit_similarity(g["icp_src"], g["icp_dst"]), g["icp_in"]), 1e-9),
}
INPUTS = {
    "sph_p0", "sph_target", "b_res", "b_template", "b_hair", "b_blend", "dpr_normal", "dpr_sh", "icp_src", "icp_dst",
    "icp_in",
}  # fmt: skip
ELSEWHERE = ("h_", "l_", "vn_", "obj_", "mtl_")  # the model, tests/losses/test_uv_fitting.py, meshes and their files


@pytest.mark.parametrize("name", keys(FILE))
def test_reference(name: str) -> None:
    if name in INPUTS or name.startswith(ELSEWHERE):
        return
    golden = arrays(FILE)
    rule, tolerance = RULES[name]
    ours, theirs = np.asarray(rule(golden), np.float64), golden[name].astype(np.float64)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance)
