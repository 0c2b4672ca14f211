"""Camera labels of 25 numbers, as EG3D writes them (Chan et al. 2022), and the angles people describe them by.

World frame: x to the right of a viewer who stands in front of the face, y up, z out of the face towards that viewer.
Camera frame: OpenCV's, x right, y down, z into the scene. A label is the row-major 4x4 camera-to-world matrix followed
by the row-major 3x3 intrinsics divided by the image size, so that the image spans [0, 1] x [0, 1].

This module is the door: what is written here holds for the modules behind it, and their names are used from here.
"""

from facegen.geometry.angles import (
    position_yaw_pitch,
    theta_phi,
    theta_phi_position,
    theta_phi_step2,
    yaw_pitch,
)
from facegen.geometry.camera_labels import (
    fov_intrinsics,
    label,
    mirror,
    pinhole_intrinsics,
    positions,
    split_label,
)
from facegen.geometry.camera_sampling import gaussian, uniform
from facegen.geometry.constants import FOCAL, LABEL_SIZE, PIVOT, RADIUS
from facegen.geometry.deep3d import (
    LABEL_SCALE,
    from_coefficients,
    from_label_world,
    head_angles,
    head_pose,
    head_rotation,
    reconstruction_pose,
    to_label_world,
    upright,
)
from facegen.geometry.look_at import camera_to_world, look_at, look_from, onto_sphere, orbit, rigid, sphere_position

__all__ = [
    "FOCAL",
    "LABEL_SCALE",
    "LABEL_SIZE",
    "PIVOT",
    "RADIUS",
    "camera_to_world",
    "fov_intrinsics",
    "from_coefficients",
    "from_label_world",
    "gaussian",
    "head_angles",
    "head_pose",
    "head_rotation",
    "label",
    "look_at",
    "look_from",
    "mirror",
    "onto_sphere",
    "orbit",
    "pinhole_intrinsics",
    "position_yaw_pitch",
    "positions",
    "reconstruction_pose",
    "rigid",
    "sphere_position",
    "split_label",
    "theta_phi",
    "theta_phi_position",
    "theta_phi_step2",
    "to_label_world",
    "uniform",
    "upright",
    "yaw_pitch",
]
