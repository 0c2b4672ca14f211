"""Camera labels from the pose that Deep3DFaceRecon (Deng et al. 2019) regresses, as EG3D and LPFF make them.

Deep3DFaceRecon moves the head in front of a fixed camera; a label holds the head still and moves the camera. Units
there are about a decimetre, here EG3D's; the mean face is re-centred, so that its origin is shifted here.
"""

from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from facegen.geometry.camera_labels import label, pinhole_intrinsics, split_label
from facegen.geometry.look_at import ORIGIN, look_from, onto_sphere, rigid

Convention = Literal["eg3d", "eg3d_cor", "lpff"]
FACE_CENTRE = (0.0, 0.0, 0.175)  # about which EG3D's `cor` puts the cameras on a sphere
_CAMERA_DISTANCE = 10.0
LABEL_SCALE = 0.27  # units of the world of camera labels in a decimetre
_SHIFT = (0.0, 0.006, 0.161)
_OPENCV_AXES = (1.0, -1.0, -1.0)  # Deep3DFaceRecon's y is up and its z points to the viewer


def head_rotation(angle: Float[Tensor, "batch 3"]) -> Float[Tensor, "batch 3 3"]:
    """R = (Rz(c) Ry(b) Rx(a))^T of angles (a, b, c) in radians; rows of points are turned by `points @ R`."""
    (sin_a, sin_b, sin_c), (cos_a, cos_b, cos_c) = angle.sin().unbind(-1), angle.cos().unbind(-1)
    zero, one = torch.zeros_like(sin_a), torch.ones_like(sin_a)
    about_x = _matrix(one, zero, zero, zero, cos_a, -sin_a, zero, sin_a, cos_a)
    about_y = _matrix(cos_b, zero, sin_b, zero, one, zero, -sin_b, zero, cos_b)
    about_z = _matrix(cos_c, -sin_c, zero, sin_c, cos_c, zero, zero, zero, one)
    return (about_z @ about_y @ about_x).mT


def _matrix(*entries: Tensor) -> Tensor:
    return torch.stack(entries, dim=-1).unflatten(-1, (3, 3))


def reconstruction_pose(angle: Float[Tensor, "batch 3"], trans: Float[Tensor, "batch 3"]) -> Float[Tensor, "batch 4 4"]:
    """Camera-to-world matrices as reconstructed, before they are put on a sphere; `trans` is not changed.

    1. The head's pose is X = S R + t, the camera at (0, 0, 10): seen from the head it is at c = -R (t - (0, 0, 10)).
    2. To EG3D's units and origin: 0.27 c + (0, 0.006, 0.161).
    3. To OpenCV's axes: R diag(1, -1, -1).
    """
    if angle.ndim != 2 or angle.shape[1] != 3 or angle.shape != trans.shape:
        got = f"{tuple(angle.shape)} and {tuple(trans.shape)}"
        raise ValueError(f"coefficients: got angle and trans of shapes {got}, expected (N, 3) for both")
    rotation = head_rotation(angle).to(torch.promote_types(angle.dtype, trans.dtype))
    centred = trans - trans.new_tensor([0.0, 0.0, _CAMERA_DISTANCE])
    position = -(rotation @ centred.to(rotation)[..., None]).squeeze(-1)
    position = LABEL_SCALE * position + position.new_tensor(_SHIFT)
    return rigid(rotation * rotation.new_tensor(_OPENCV_AXES), position)


def from_coefficients(
    angle: Float[Tensor, "batch 3"], trans: Float[Tensor, "batch 3"], convention: Convention = "eg3d"
) -> Float[Tensor, "batch 25"]:
    """Labels from the pose coefficients `angle` (radians; 224:227 of the 257) and `trans` (254:257).

    `eg3d`: distance 2.7 from the origin (its `orig`). `eg3d_cor`: distance 2.7 from (0, 0, 0.175). `lpff`: as `eg3d`;
    LPFF's published labels differ from it in the seventh digit, for they were normalised in single precision.
    float64 coefficients give float64 labels. Raises ValueError for other conventions and shapes.
    """
    if convention not in get_args(Convention):
        expected = ", ".join(get_args(Convention))
        raise ValueError(f"convention: got {convention!r}, expected one of: {expected}")
    centre = FACE_CENTRE if convention == "eg3d_cor" else ORIGIN
    pose = onto_sphere(reconstruction_pose(angle, trans), centre)
    return label(pose, pinhole_intrinsics(dtype=pose.dtype))


def head_angles(rotation: Float[Tensor, "batch 3 3"]) -> Float[Tensor, "batch 3"]:
    """Angles (a, b, c) in radians with b in [-pi/2, pi/2]: the inverse of `head_rotation`."""
    b = -rotation[:, 0, 2].clamp(-1, 1).asin()
    a = torch.atan2(rotation[:, 1, 2], rotation[:, 2, 2])
    c = torch.atan2(rotation[:, 0, 1], rotation[:, 0, 0])
    return torch.stack([a, b, c], dim=-1)


def head_pose(labels: Float[Tensor, "batch 25"]) -> tuple[Float[Tensor, "batch 3"], Float[Tensor, "batch 3"]]:
    """Pose coefficients `angle` and `trans` of a head that is seen from cameras: undoes `reconstruction_pose`.

    Intrinsics are not looked at: they are the perspective's.
    """
    cam2world, _ = split_label(labels)
    rotation = cam2world[:, :3, :3] * labels.new_tensor(_OPENCV_AXES)
    position = (cam2world[:, :3, 3] - labels.new_tensor(_SHIFT)) / LABEL_SCALE
    trans = labels.new_tensor([0.0, 0.0, _CAMERA_DISTANCE]) - (position[:, None] @ rotation).squeeze(1)
    return head_angles(rotation), trans


def from_label_world(points: Float[Tensor, "*batch point 3"]) -> Float[Tensor, "*batch point 3"]:
    """Points of the world of camera labels in the frame of a morphable model's unposed head (decimetres)."""
    return (points - points.new_tensor(_SHIFT)) / LABEL_SCALE


def to_label_world(points: Float[Tensor, "*batch point 3"]) -> Float[Tensor, "*batch point 3"]:
    """Points of an unposed head in the world of camera labels: the inverse of `from_label_world`."""
    return points * LABEL_SCALE + points.new_tensor(_SHIFT)


def upright(cam2world: Float[Tensor, "batch 4 4"]) -> Float[Tensor, "batch 4 4"]:
    """The cameras turned to look at (0, 0, 0.175) without roll: EG3D's `simplify`, after `cor`."""
    return look_from(cam2world[:, :3, 3], FACE_CENTRE)
