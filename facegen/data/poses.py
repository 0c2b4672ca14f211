"""Named distributions of head poses, as camera labels on EG3D's sphere."""

from typing import Literal, get_args

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from facegen.geometry.cameras import (
    label,
    look_at,
    pinhole_intrinsics,
    position_yaw_pitch,
    positions,
    theta_phi,
    theta_phi_position,
)

PoseName = Literal["ffhq", "large", "uniform"]
POSES: tuple[str, ...] = get_args(PoseName)

THETA_DEGREES, PHI_DEGREES = (90.0, 15.5), (84.8, 7.4)  # mean and standard deviation over FFHQ, as LPFF measures them
_MOST_YAW, _LEAST_LARGE = 90.0, 30.0  # degrees


def _turned(yaw_degrees: float, pitch_degrees: float) -> torch.Tensor:
    """Direction (1, 3) of a camera that sees the nose turned by `yaw` to its right and the face from `pitch` above."""
    yaw, pitch = np.radians([yaw_degrees, pitch_degrees])
    return torch.tensor([[-np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)]])


def _direction(poses: str, rng: np.random.Generator) -> torch.Tensor:
    if poses == "ffhq":
        theta, phi = rng.normal(*THETA_DEGREES), rng.normal(*PHI_DEGREES)
        return theta_phi_position(torch.deg2rad(torch.tensor([[np.clip(theta, 10, 170), phi]], dtype=torch.float64)))
    if poses == "large":
        yaw = rng.uniform(_LEAST_LARGE, _MOST_YAW) * rng.choice([-1, 1])
        return _turned(yaw, rng.normal(90 - PHI_DEGREES[0], 9))
    if poses == "uniform":  # over the area of the sphere
        return _turned(rng.uniform(-_MOST_YAW, _MOST_YAW), np.degrees(np.arcsin(rng.uniform(-0.5, 0.5))))
    raise ValueError(f"poses: got {poses!r}, expected one of: {', '.join(POSES)}")


def random_label(poses: str, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw the 25 numbers of one camera: radius 2.7, focal length 4.2647, looking at (0, 0, 0.2), no roll.

    `ffhq`: theta 90 ± 15.5 and phi 84.8 ± 7.4 degrees, normal. `large`: what a set of large poses adds, |yaw| from 30
    to 90 degrees. `uniform`: every direction in front of the head within 30 degrees of level is equally likely.
    """
    h, v = position_yaw_pitch(_direction(poses, rng)).unbind(-1)
    return label(look_at(h, v), pinhole_intrinsics())[0].numpy().astype(np.float32)


def pose_columns(cameras: NDArray[np.float64], rows: NDArray[np.int64], count: int) -> dict[str, pa.Array]:
    """Columns of the poses of the `rows` of a table of `count` faces, null elsewhere.

    theta and phi in radians, from the published numbers in double precision, because rules of rebalancing cut at
    exact densities; yaw_degrees and pitch_degrees for people.
    """
    angles = theta_phi(torch.from_numpy(cameras)).numpy()
    turned = yaw_pitch_degrees(cameras)
    columns = {"theta": angles[:, 0], "phi": angles[:, 1], "yaw_degrees": turned[:, 0], "pitch_degrees": turned[:, 1]}
    missing = np.ones(count, dtype=bool)
    missing[rows] = False
    spread = {name: np.zeros(count, values.dtype) for name, values in columns.items()}
    for name, values in columns.items():
        spread[name][rows] = values
    return {name: pa.array(values, mask=missing) for name, values in spread.items()}


def yaw_pitch_degrees(labels: NDArray[np.floating]) -> NDArray[np.float32]:
    """Yaw and pitch (N, 2) of heads in pictures with (N, 25) labels.

    Yaw is positive where the nose points to the right of the picture, pitch where the face is seen from above.
    """
    x, y, z = positions(torch.from_numpy(labels).double()).unbind(-1)
    yaw, pitch = torch.atan2(-x, z), torch.atan2(y, torch.hypot(x, z))
    return torch.rad2deg(torch.stack([yaw, pitch], dim=-1)).numpy().astype(np.float32)
