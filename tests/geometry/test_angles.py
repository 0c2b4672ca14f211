"""Spherical angles in each published convention."""

import math

import pytest
import torch
from torch import Tensor

from facegen.geometry import cameras
from tests.geometry.helpers import random_labels
from tests.geometry.reference import Arrays, Rules, array_names, compute, numeric, reference_file, replay
from tests.golden import FIRST_ORDER, assert_close_golden

FILE = "golden3d/06_pose_geometry.npz"
DRAWS = {"gaussian": ("noise", 1, 0), "uniform": ("u", 2, -1)}  # name, and what turns a draw into a unit of spread


def at(position: Tensor) -> Tensor:
    """Labels of cameras somewhere; only the position counts."""
    poses = torch.eye(4, dtype=position.dtype).repeat(len(position), 1, 1)
    poses[:, :3, 3] = position
    return cameras.label(poses, cameras.pinhole_intrinsics())


def radii(arrays: Arrays) -> Tensor:
    return arrays["position"].norm(dim=1, keepdim=True)


def frontal_sampler(arrays: Arrays, sampler: str) -> Tensor:
    """Mean and spread are not recorded: two numbers for each angle, found from all positions by least squares."""
    name, scale, shift = DRAWS[sampler]
    draws = [arrays[f"{sampler}_{name}_{axis}"] for axis in "hv"]
    position = arrays[f"{sampler}_pose"][:, :3, 3].double()
    fits = []
    for draw, angle in zip(draws, cameras.position_yaw_pitch(position).unbind(-1), strict=True):
        design = torch.cat([torch.ones_like(draw), scale * draw + shift], dim=1).double()
        fits.append(torch.linalg.lstsq(design, angle[:, None]).solution.flatten().tolist())
    (h_mean, h_spread), (v_mean, v_spread) = fits
    radius = position[0].norm().item()
    sample = getattr(cameras, sampler)
    return sample(h_mean, v_mean, h_spread, v_spread, None, radius, len(position), replay(*draws))


RULES: Rules = {
    "position|lookat_h|lookat_v|lookat_pivots|fov_deg|gaussian_noise_[hv]|uniform_u_[hv]": None,
    "theta_phi": lambda a: cameras.theta_phi(at(a["position"])),
    "theta_phi_back": lambda a: cameras.theta_phi_position(a["theta_phi"], 1.0) * radii(a),
    "yaw_pitch_hv": lambda a: cameras.yaw_pitch(at(a["position"])),
    "hv_back": lambda a: cameras.sphere_position(*a["yaw_pitch_hv"].unbind(-1), radius=1.0) * radii(a),
    "step2_radius": lambda a: radii(a).squeeze(1),
    "step2_theta_phi": lambda a: cameras.theta_phi_step2(at(a["position"])),
    "lookat_pose": lambda a: torch.stack(
        [cameras.look_at(a["lookat_h"], a["lookat_v"], pivot) for pivot in a["lookat_pivots"]]
    ),
    "gaussian_pose_zero_std": lambda a: torch.cat(
        [cameras.gaussian(h, v, pivot=None) for h, v in zip(a["lookat_h"], a["lookat_v"], strict=True)]
    ),
    "lookat_pose_from_position": lambda a: cameras.look_from(a["position"], (0, 0, 0)),
    "(gaussian|uniform)_pose": frontal_sampler,
    "fov_intrinsics": lambda a: torch.stack([cameras.fov_intrinsics(fov.item()) for fov in a["fov_deg"]]),
}


@pytest.mark.parity
@pytest.mark.parametrize("name", array_names(FILE, RULES))
def test_matches_reference(name: str) -> None:
    arrays = numeric(reference_file(FILE))
    assert_close_golden(compute(name, RULES, arrays), arrays[name], *FIRST_ORDER, name)


def test_angles_invert_the_look_at_sampler() -> None:
    labels = random_labels(64)
    h, v = cameras.yaw_pitch(labels).unbind(-1)
    torch.testing.assert_close(cameras.label(cameras.look_at(h, v), cameras.pinhole_intrinsics()), labels)
    torch.testing.assert_close(cameras.theta_phi_position(cameras.theta_phi(labels)), cameras.positions(labels))


def test_mirror_reflects_theta_and_keeps_phi() -> None:
    labels = random_labels(32)
    theta, phi = cameras.theta_phi(labels).unbind(-1)
    mirrored_theta, mirrored_phi = cameras.theta_phi(cameras.mirror(labels)).unbind(-1)
    torch.testing.assert_close(mirrored_theta, math.pi - theta)
    torch.testing.assert_close(mirrored_phi, phi)
    torch.testing.assert_close(cameras.mirror(cameras.mirror(labels)), labels)


def test_angles_say_where_the_camera_is() -> None:
    right, above = torch.tensor([[1.0, 0.0, 2.0]]), torch.tensor([[0.0, 1.0, 2.0]])
    assert cameras.theta_phi(at(right))[0, 0] < math.pi / 2 < cameras.theta_phi_step2(at(right))[0, 0]
    assert cameras.theta_phi(at(above))[0, 1] < math.pi / 2
    behind = cameras.theta_phi(at(torch.tensor([[0.0, 1.0, -2.0]])))[0, 1]
    assert behind < 0 < cameras.theta_phi_step2(at(torch.tensor([[0.0, 1.0, -2.0]])))[0, 1]
    assert cameras.yaw_pitch(at(right))[0, 0] > math.pi / 2 and cameras.yaw_pitch(at(above))[0, 1] < math.pi / 2
