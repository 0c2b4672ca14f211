import math
from pathlib import Path

import pytest
import torch

from facegen.geometry import cameras
from tests.golden import FIRST_ORDER, assert_close_golden, golden_root, load_json, load_npz


def random_labels(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    h, v = (0.6 + 1.9 * torch.rand(2, count, generator=generator, dtype=torch.float64)).unbind()
    return cameras.label(cameras.look_at(h, v), cameras.pinhole_intrinsics())


@pytest.mark.parity
def test_look_at_matches_reference(golden: Path) -> None:
    config, arrays = load_json(golden / "eg3d/cameras.json")["config"], load_npz(golden / "eg3d/cameras.npz")
    for index, (h, v) in enumerate(zip(config["h"], config["v"], strict=True)):
        pose = cameras.look_at(h, v, config["look"], config["radius"])
        assert_close_golden(pose, arrays[f"lookat/{index}"], *FIRST_ORDER, f"lookat/{index}")
        centred = cameras.look_at(h, v, (0, 0, 0), config["radius"])
        for name in (f"gaussian_std0/{index}", f"uniform_range0/{index}"):
            assert_close_golden(centred, arrays[name], *FIRST_ORDER, name)


@pytest.mark.parity
def test_sampled_poses_match_reference(golden: Path) -> None:
    record, arrays = load_json(golden / "eg3d/cameras.json"), load_npz(golden / "eg3d/cameras.npz")
    for name in [key.removesuffix("/cam2world") for key in arrays if key.endswith("_rand/cam2world")]:
        arguments = record[name]["kwargs"]
        scale = 2 if name.startswith("uniform") else 1
        shift = -1 if name.startswith("uniform") else 0
        h, v = (
            (scale * arrays[f"{name}/draw_{axis}"] + shift) * arguments[f"{direction}_stddev"] + mean
            for axis, direction, mean in zip("hv", ("horizontal", "vertical"), record[name]["args"], strict=True)
        )
        pivot = record["config"]["look"] if name.startswith("lookat") else (0, 0, 0)
        pose = cameras.look_at(h, v, pivot, arguments["radius"])
        assert_close_golden(pose, arrays[f"{name}/cam2world"], *FIRST_ORDER, name)


@pytest.mark.parity
def test_other_matrices_match_reference(golden: Path) -> None:
    config, arrays = load_json(golden / "eg3d/cameras.json")["config"], load_npz(golden / "eg3d/cameras.npz")
    pose = cameras.camera_to_world(arrays["create_c2w/forward"], arrays["create_c2w/origin"])
    assert_close_golden(pose, arrays["create_c2w/cam2world"], *FIRST_ORDER, "create_c2w")
    intrinsics = torch.stack([cameras.fov_intrinsics(float(fov)) for fov in config["fov"]])
    assert_close_golden(intrinsics, arrays["fov_intrinsics"], *FIRST_ORDER, "fov_intrinsics")
    for name, h, focal in (
        ("eg3d_samples_label25", math.pi / 2, cameras.fov_intrinsics(18.837)),
        ("video_label25", 3.14 / 2, cameras.pinhole_intrinsics()),
    ):
        average = cameras.label(cameras.look_at(h, h), focal)
        assert_close_golden(average, arrays[f"avg_pose/{name}"], *FIRST_ORDER, name)


@pytest.mark.parity
def test_extreme_heights_are_clamped_like_the_reference(golden: Path) -> None:
    arrays, config = load_npz(golden / "eg3d/cameras.npz"), load_json(golden / "eg3d/cameras.json")["config"]
    for name, v in (("extreme/v0", 0.0), ("extreme/vpi", math.pi)):
        x, _, z = arrays[name][0, :3, 3]  # the azimuth is not recorded, the position gives it away
        pose = cameras.look_at(math.pi - torch.atan2(z, x), v, config["look"], config["radius"])
        assert_close_golden(pose, arrays[name], *FIRST_ORDER, name)


@pytest.mark.parity
def test_mirror_matches_reference(golden: Path) -> None:
    arrays = load_npz(golden / "eg3d/cameras.npz")
    labels = cameras.label(arrays["flip/pose"], cameras.pinhole_intrinsics())
    flipped, _ = cameras.split_label(cameras.mirror(labels))
    assert_close_golden(flipped, arrays["flip/flipped"], *FIRST_ORDER, "flip")


@pytest.mark.parity
@pytest.mark.skipif(not (golden_root().parent / "golden3d").exists(), reason="no golden3d beside the reference numbers")
def test_angles_match_reference(golden: Path) -> None:
    arrays = load_npz(golden.parent / "golden3d/06_pose_geometry.npz")
    poses = torch.eye(4, dtype=torch.float64).repeat(len(arrays["position"]), 1, 1)
    poses[:, :3, 3] = arrays["position"]
    labels = cameras.label(poses, cameras.pinhole_intrinsics())
    assert_close_golden(cameras.theta_phi(labels), arrays["theta_phi"], *FIRST_ORDER, "theta_phi")
    assert_close_golden(cameras.yaw_pitch(labels), arrays["yaw_pitch_hv"], *FIRST_ORDER, "yaw_pitch_hv")
    radius = arrays["position"].norm(dim=1, keepdim=True)
    back = cameras.theta_phi_position(arrays["theta_phi"], 1.0) * radius
    assert_close_golden(back, arrays["theta_phi_back"], *FIRST_ORDER, "theta_phi_back")


def test_frontal_camera_sees_the_world_upright() -> None:
    pose = cameras.look_at(math.pi / 2, math.pi / 2)[0]
    expected = torch.tensor([[1.0, 0, 0, 0], [0, -1, 0, 0], [0, 0, -1, 2.7], [0, 0, 0, 1]])
    torch.testing.assert_close(pose, expected, atol=1e-6, rtol=0)


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


def test_wrong_shapes_are_named() -> None:
    with pytest.raises(ValueError, match=r"got shape \(3, 24\), expected \(N, 25\)"):
        cameras.theta_phi(torch.zeros(3, 24))
    with pytest.raises(ValueError, match=r"got matrices of shapes \(2, 3, 4\)"):
        cameras.label(torch.zeros(2, 3, 4), torch.eye(3))
