"""The camera of an EG3D crop from 68 landmarks and the same 68 points of a head in the world: perspective-n-point.

The morphable fit that Deep3DFaceRecon makes for EG3D and LPFF would know the person's own shape; here one head stands
for everybody, the focal length is EG3D's, and only rotation and position are sought.
"""

from typing import NamedTuple

import cv2
import numpy as np
import torch
from jaxtyping import Float

from facegen.geometry.alignment_similarity import EG3D_OUTPUT
from facegen.geometry.cameras import FOCAL, label, onto_sphere, pinhole_intrinsics, rigid

# What each landmark counts across and down the picture. When a head turns, the outline of the jaw slides along the
# silhouette: across the picture it is no point of the head, its height still tells how far the head nods. Brows, lower
# lip and the inner mouth move with expressions.
_JAW, _STEADY, _MOVING = (0.0, 0.3), (1.0, 1.0), (0.4, 0.4)
_GROUPS = ((17, _JAW), (10, _MOVING), (9, _STEADY), (12, _STEADY), (7, _STEADY), (5, _MOVING), (8, _MOVING))
WEIGHTS: Float[np.ndarray, "68 2"] = np.concatenate([np.tile(weight, (count, 1)) for count, weight in _GROUPS])
_INNER = slice(17, 68)  # without the jaw
_RIGID = WEIGHTS[:, 0] == _STEADY[0]  # nose, eyes and upper lip
_ROBUST = 0.02  # of the image's width: residuals beyond it count linearly (Huber 1964)
_STEPS, _ENOUGH, _TINY = 40, 1e-9, 1e-12
_INTRINSICS = np.array([[FOCAL, 0, 0.5], [0, FOCAL, 0.5], [0, 0, 1]])

HeadPoints = Float[np.ndarray, "68 3"]


class Pose(NamedTuple):
    """A camera label on EG3D's sphere and how well it was found.

    `distance` is how far from the origin the camera was before it was put on the sphere (Deep3DFaceRecon finds about
    2.83 for EG3D's crops); `error` the mean distance in pixels of the 512 crop between the landmarks of nose, eyes and
    upper lip and the head's points there: an open mouth is no error.
    """

    label: Float[np.ndarray, "25"]
    distance: float
    error: float


def solve_pose(landmarks: Float[np.ndarray, "68 2"], head: HeadPoints) -> Pose:
    """Pose from landmarks in pixels of the EG3D crop (512, y down) and the head's points in the world of the labels.

    1. A first pose by SQPnP (Terzakis & Lourakis 2020) over the points without the jaw.
    2. Gauss-Newton over weighted and robust squared distances in the image.
    3. Along the line to the origin onto the sphere of radius 2.7, as LPFF and EG3D (`orig`) do; the rotation stays.
    Raises ValueError where no camera in front of the face sees these landmarks.
    """
    image, world = np.asarray(landmarks, np.float64) / EG3D_OUTPUT, np.asarray(head, np.float64)
    motion = _refined(_first(image, world), image, world)
    rotation, translation = cv2.Rodrigues(motion[:3])[0], motion[3:]
    if not np.isfinite(motion).all() or (world @ rotation.T + translation)[:, 2].min() <= 0:
        raise ValueError("no camera in front of the face sees these landmarks")
    distances = np.linalg.norm(_residuals(motion, image, world)[0][_RIGID], axis=1)
    cam2world = rigid(torch.from_numpy(rotation.T.copy())[None], torch.from_numpy(-rotation.T @ translation)[None])
    row = label(onto_sphere(cam2world), pinhole_intrinsics(dtype=torch.float64))[0].numpy()
    error = float(distances.mean() * EG3D_OUTPUT)
    return Pose(row, float(torch.linalg.vector_norm(cam2world[0, :3, 3])), error)


def _first(image: Float[np.ndarray, "68 2"], world: HeadPoints) -> Float[np.ndarray, "6"]:
    """Rotation vector and translation from the points inside of the face."""
    try:
        found, rotation, translation = cv2.solvePnP(
            world[_INNER], image[_INNER], _INTRINSICS, None, flags=cv2.SOLVEPNP_SQPNP
        )
    except cv2.error as error:
        raise ValueError(f"no camera sees these landmarks ({error.err})") from error
    if not found:
        raise ValueError("no camera sees these landmarks")
    return np.concatenate([rotation, translation]).ravel()


def _residuals(
    motion: Float[np.ndarray, "6"], image: Float[np.ndarray, "68 2"], world: HeadPoints
) -> tuple[Float[np.ndarray, "68 2"], Float[np.ndarray, "68 2 6"]]:
    projected, jacobian = cv2.projectPoints(world, motion[:3], motion[3:], _INTRINSICS, None)
    return projected[:, 0] - image, np.asarray(jacobian)[:, :6].reshape(-1, 2, 6)


def _refined(
    motion: Float[np.ndarray, "6"], image: Float[np.ndarray, "68 2"], world: HeadPoints
) -> Float[np.ndarray, "6"]:
    """Iteratively reweighted least squares over rotation vector and translation."""
    for _ in range(_STEPS):
        residuals, jacobian = _residuals(motion, image, world)
        lengths = np.linalg.norm(residuals, axis=1, keepdims=True)
        weights = WEIGHTS * np.minimum(1, _ROBUST / np.maximum(lengths, _TINY))
        normal = np.einsum("pi,pij,pik->jk", weights, jacobian, jacobian)
        step = np.linalg.solve(normal, np.einsum("pi,pij,pi->j", weights, jacobian, residuals))
        motion = motion - step
        if np.abs(step).max() < _ENOUGH:
            break
    return motion
