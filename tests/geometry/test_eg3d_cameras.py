"""Every array of golden/eg3d/cameras.npz: samplers, matrices, label preparation."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from facegen.geometry import cameras
from facegen.geometry.deep3d import FACE_CENTRE
from tests.geometry.reference import Arrays, Rules, array_names, compute, numeric, reference_file, replay
from tests.golden import FIRST_ORDER, assert_close_golden, load_json

FILE = "golden/eg3d/cameras.npz"
SAMPLERS = {"gaussian": cameras.gaussian, "lookat": cameras.gaussian, "uniform": cameras.uniform}


def record() -> dict[str, Any]:
    return load_json(reference_file(FILE).with_suffix(".json"))


def pivot(arrays: Arrays, sampler: str) -> list[float] | None:
    return arrays["lookat_position"].tolist() if sampler == "lookat" else None


def without_spread(arrays: Arrays, sampler: str, index: str) -> Tensor:
    h, v = arrays["hv"][int(index)].tolist()
    return SAMPLERS[sampler](h, v, pivot=pivot(arrays, sampler), radius=record()["config"]["radius"])


def drawn(arrays: Arrays, sampler: str) -> Tensor:
    recorded = record()[f"{sampler}_rand"]
    draw = replay(arrays[f"{sampler}_rand/draw_h"], arrays[f"{sampler}_rand/draw_v"])
    arguments = recorded["kwargs"]
    spread = arguments["horizontal_stddev"], arguments["vertical_stddev"]
    return SAMPLERS[sampler](
        *recorded["args"], *spread, pivot(arrays, sampler), arguments["radius"], arguments["batch_size"], draw
    )


def extreme(arrays: Arrays, height: str) -> Tensor:
    x, _, z = arrays[f"extreme/v{height}"][0, :3, 3]  # the azimuth is not recorded, the position gives it away
    v = math.pi if height == "pi" else float(height)
    return cameras.look_at(math.pi - torch.atan2(z, x), v, pivot(arrays, "lookat") or (), record()["config"]["radius"])


RULES: Rules = {
    "hv|lookat_position|fov_deg|.*/draw_[hv]|create_c2w/(forward|origin)|(flip|preproc)/pose": None,
    r"(lookat|gaussian|uniform)(?:_std0|_range0)?/(\d+)": without_spread,
    "(lookat|gaussian|uniform)_rand/cam2world": drawn,
    "extreme/v(.+)": extreme,
    "fov_intrinsics": lambda a: torch.stack([cameras.fov_intrinsics(fov.item()) for fov in a["fov_deg"]]),
    "create_c2w/cam2world": lambda a: cameras.camera_to_world(a["create_c2w/forward"], a["create_c2w/origin"]),
    "avg_pose/eg3d_samples_cam2world": lambda a: cameras.look_at(math.pi / 2, math.pi / 2),
    "avg_pose/eg3d_samples_label25": lambda a: cameras.label(
        cameras.look_at(math.pi / 2, math.pi / 2), cameras.fov_intrinsics(18.837)
    ),
    "avg_pose/video_label25": lambda a: cameras.label(
        cameras.look_at(3.14 / 2, 3.14 / 2), cameras.pinhole_intrinsics()
    ),
    "avg_pose/eg3d_gen_pose_cond_off_label25": lambda a: torch.zeros(1, cameras.LABEL_SIZE),
    "flip/flipped": lambda a: cameras.split_label(
        cameras.mirror(cameras.label(a["flip/pose"], cameras.pinhole_intrinsics()))
    )[0],
    "preproc/fix_pose_orig": lambda a: cameras.onto_sphere(a["preproc/pose"]),
    "preproc/fix_pose_cor": lambda a: cameras.onto_sphere(a["preproc/pose"], FACE_CENTRE),
    "preproc/fix_intrinsics": lambda a: cameras.pinhole_intrinsics(),
}


@pytest.mark.parity
@pytest.mark.parametrize("name", array_names(FILE, RULES))
def test_matches_reference(name: str) -> None:
    arrays = numeric(reference_file(FILE))
    assert_close_golden(compute(name, RULES, arrays), arrays[name], *FIRST_ORDER, name)
