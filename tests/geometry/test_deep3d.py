"""Labels from Deep3DFaceRecon's pose coefficients."""

import math

import pytest
import torch

from facegen.geometry import cameras
from facegen.geometry.deep3d import FACE_CENTRE
from tests.geometry.reference import Arrays, Rules, array_names, compute, numeric, reference_file

FILE = "golden3d/05_cameras.npz"
CONVENTIONS = {"eg3d_orig": "eg3d", "eg3d_cor": "eg3d_cor", "lpff": "lpff"}
TOLERANCE = 2e-6  # the reference's README
CROP, SIZE = 700, 1024  # pixels: the crop that labels describe, and the picture that the raw intrinsics are for


def labels(arrays: Arrays, name: str) -> torch.Tensor:
    return cameras.from_coefficients(arrays["angle"].double(), arrays["trans"].double(), CONVENTIONS[name])  # pyright: ignore[reportArgumentType]


def raw(arrays: Arrays) -> torch.Tensor:
    return cameras.reconstruction_pose(arrays["angle"].double(), arrays["trans"].double())


def simplified(arrays: Arrays) -> torch.Tensor:
    return cameras.upright(cameras.onto_sphere(raw(arrays), FACE_CENTRE))


def mirrored(poses: torch.Tensor) -> torch.Tensor:
    return cameras.split_label(cameras.mirror(cameras.label(poses, cameras.pinhole_intrinsics())))[0]


RULES: Rules = {
    "angle|trans|afhq_rot": None,
    "(eg3d_orig|eg3d_cor|lpff)": labels,
    "(eg3d_orig|eg3d_cor|lpff)_mirror": lambda a, name: cameras.mirror(labels(a, name)),
    "eg3d_raw_pose": raw,
    "eg3d_raw_intrinsics": lambda a: (
        cameras.pinhole_intrinsics(cameras.FOCAL * CROP / SIZE, torch.float64) * torch.tensor([[SIZE], [SIZE], [1]])
    ),
    "eg3d_simplify_pose": simplified,
    "eg3d_simplify_pose_mirror": lambda a: mirrored(simplified(a)),
    "lpff_step2_pose": lambda a: cameras.split_label(labels(a, "lpff"))[0],
    "afhq_pose": lambda a: cameras.orbit(a["afhq_rot"]),
}


@pytest.mark.parity
@pytest.mark.parametrize("name", array_names(FILE, RULES))
def test_matches_reference(name: str) -> None:
    arrays = numeric(reference_file(FILE))
    yours, reference = compute(name, RULES, arrays), arrays[name].double()
    assert yours.shape == reference.shape
    torch.testing.assert_close(yours.double(), reference, atol=TOLERANCE, rtol=0)


def test_a_frontal_head_has_the_frontal_camera() -> None:
    found = cameras.from_coefficients(torch.zeros(1, 3), torch.zeros(1, 3))
    expected = cameras.label(cameras.look_at(math.pi / 2, math.pi / 2), cameras.pinhole_intrinsics())
    torch.testing.assert_close(found, expected, atol=7e-3, rtol=0)  # the shift of 6 mm in y


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_precision_is_that_of_the_input_and_the_input_stays(dtype: torch.dtype) -> None:
    angle, trans = torch.rand(2, 4, 3, dtype=dtype).unbind()
    before = trans.clone()
    assert cameras.from_coefficients(angle, trans, "eg3d_cor").dtype == dtype
    assert torch.equal(trans, before)


def test_turning_the_head_one_way_moves_the_camera_the_other_way() -> None:
    """Points of the turned head as Deep3DFaceRecon projects them are where the label's camera sees the still head's."""
    from facegen.geometry.projection import project

    generator = torch.Generator().manual_seed(0)
    angle, trans = 0.6 * torch.rand(2, 5, 3, generator=generator, dtype=torch.float64).unbind()[0], torch.zeros(5, 3)
    points = torch.randn(5, 30, 3, generator=generator, dtype=torch.float64) * 0.5
    x, y, z = (points @ cameras.head_rotation(angle)).unbind(-1)
    theirs = torch.stack([x, -y], dim=-1) / (10 - z)[..., None]
    poses = cameras.reconstruction_pose(angle, trans)
    world = 0.27 * points + torch.tensor([0, 0.006, 0.161], dtype=torch.float64)
    ours = project(world, cameras.label(poses, cameras.pinhole_intrinsics(1.0))) - 0.5
    torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=0)


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match=r"got 'orig', expected one of: eg3d, eg3d_cor, lpff"):
        cameras.from_coefficients(torch.zeros(1, 3), torch.zeros(1, 3), "orig")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"got angle and trans of shapes \(2, 3\) and \(1, 3\), expected \(N, 3\)"):
        cameras.from_coefficients(torch.zeros(2, 3), torch.zeros(1, 3))
