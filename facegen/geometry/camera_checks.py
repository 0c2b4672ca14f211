"""What is wrong with camera labels, in words: the one validator (frames and layout of a label: `cameras`).

Each check sees the labels that the ones before it passed, so that a label is given its most fundamental fault.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from facegen.geometry.camera_sight import (
    Numbers,
    Words,
    listed,
    looking_elsewhere,
    mistaken_convention,
    poses_of,
    upside_down,
    where,
)
from facegen.geometry.constants import FOCAL, LABEL_SIZE, RADIUS

ROTATION_TOLERANCE = 1e-2  # published labels are rounded; a transposed or scaled matrix is off by far more
RADII = (0.75 * RADIUS, 4 / 3 * RADIUS)  # EG3D samples depths from 2.25 to 3.3
_HEAD = 0.5  # no part of a face is farther from the world's origin
_MOST_FOCAL, _MOST_CENTRE = 50.0, 10.0  # image widths; a field of view of one degree, and far outside any image


class Findings(NamedTuple):
    """`malformed` labels are no cameras at all; `implausible` ones are, but do not see a face as EG3D's do."""

    malformed: Words
    implausible: Words


def check_labels(labels: Any) -> Findings:
    """Look at (N, 25) labels, an array or tensor; a row that is in neither part of the result is in order.

    Malformed: numbers that are not finite, a last row that is not 0 0 0 1, a 3x3 part that is no rotation
    (not orthonormal, left-handed), focal lengths that are not positive.
    Implausible: intrinsics in pixels or in another order, a principal point outside the image, a camera inside the
    head, one that does not see the face (world-to-camera, a transposed rotation, OpenGL's axes are recognised) or
    sees it upside down, and a distance that is not about 2.7. Models that use a camera only as a name for a view
    train with implausible labels; EG3D renders nothing from most of them.
    """
    numbers = np.asarray(labels.detach().cpu() if hasattr(labels, "detach") else labels, dtype=np.float64)
    if numbers.ndim != 2 or numbers.shape[1] != LABEL_SIZE:
        raise ValueError(f"camera label: got shape {numbers.shape}, expected (N, {LABEL_SIZE})")
    rows = np.arange(len(numbers))
    with np.errstate(over="ignore", invalid="ignore"):
        malformed = _first_faults(numbers, rows, _MALFORMED)
        return Findings(malformed, _first_faults(numbers, np.delete(rows, list(malformed)), _IMPLAUSIBLE))


def _first_faults(labels: Numbers, rows: NDArray[np.int64], checks: tuple[Callable[[Numbers], Words], ...]) -> Words:
    found: Words = {}
    for check in checks:
        hits = check(labels[rows])
        found |= {int(rows[place]): words for place, words in hits.items()}
        rows = np.delete(rows, list(hits))
    return found


def _finite(labels: Numbers) -> Words:
    return where(~np.isfinite(labels).all(axis=1), lambda row: "contains NaN or infinity")


def _last_row(labels: Numbers) -> Words:
    wrong = np.abs(labels[:, 12:16] - (0, 0, 0, 1)).max(axis=1) > ROTATION_TOLERANCE
    advice = "(is it a row-major camera-to-world matrix?)"
    return where(wrong, lambda row: f"numbers 13 to 16 are {listed(labels[row, 12:16])} and not 0 0 0 1 {advice}")


def _orthonormal(labels: Numbers) -> Words:
    rotation = poses_of(labels)[:, :3, :3]
    orthonormal = np.abs(rotation @ rotation.mT - np.eye(3)).max(axis=(1, 2)) <= ROTATION_TOLERANCE

    def words(row: int) -> str:
        lengths = listed(np.linalg.norm(rotation[row], axis=0))
        return (
            f"the 3x3 part of the pose is not a rotation: columns of length {lengths}, expected 1 1 1 at right angles"
        )

    return where(~orthonormal, words)


def _right_handed(labels: Numbers) -> Words:
    reason = "the 3x3 part of the pose is not a rotation but a reflection (left-handed: one axis is flipped)"
    return where(np.linalg.det(poses_of(labels)[:, :3, :3]) < 0, lambda row: reason)


def _positive_focal(labels: Numbers) -> Words:
    focal = labels[:, [16, 20]]
    return where(focal.min(axis=1) <= 0, lambda row: f"focal lengths must be positive, got {listed(focal[row])}")


def _intrinsics_order(labels: Numbers) -> Words:
    rest = labels[:, [19, 22, 23, 24]]
    wrong = np.abs(rest - (0, 0, 0, 1)).max(axis=1) > ROTATION_TOLERANCE
    layout = "fx skew cx 0 fy cy 0 0 1"
    return where(wrong, lambda row: f"intrinsics are {listed(labels[row, 16:])}, expected the order {layout}")


def _normalised(labels: Numbers) -> Words:
    focal, centre = labels[:, [16, 20]], labels[:, [18, 21]]
    pixels = (focal.max(axis=1) > _MOST_FOCAL) | (np.abs(centre).max(axis=1) > _MOST_CENTRE)

    def words(row: int) -> str:
        got = f"focal lengths {listed(focal[row])}, principal point {listed(centre[row])}"
        return f"{got}: pixels? Divide by the image size (aligned faces have {FOCAL} and 0.5 0.5)"

    return where(pixels, words)


def _centre_in_image(labels: Numbers) -> Words:
    centre = labels[:, [18, 21]]
    outside = ((centre < 0) | (centre > 1)).any(axis=1)
    return where(outside, lambda row: f"the principal point {listed(centre[row])} is outside the image (0 to 1)")


def _distances(labels: Numbers) -> Float[np.ndarray, " batch"]:
    return np.linalg.norm(labels[:, [3, 7, 11]], axis=1)


def _outside_head(labels: Numbers) -> Words:
    radius = _distances(labels)
    return where(
        radius < _HEAD,
        lambda row: f"the camera is inside the head, {radius[row]:.3g} from the world's origin (expected {RADIUS})",
    )


def _usual_distance(labels: Numbers) -> Words:
    radius = _distances(labels)
    far = (radius < RADII[0]) | (radius > RADII[1])
    return where(
        far,
        lambda row: f"the camera is {radius[row]:.4g} from the world's origin, EG3D's faces are seen from {RADIUS}",
    )


_MALFORMED = (_finite, _last_row, _orthonormal, _right_handed, _positive_focal)
_IMPLAUSIBLE = (
    _intrinsics_order,
    _normalised,
    _centre_in_image,
    _outside_head,
    mistaken_convention,
    looking_elsewhere,
    upside_down,
    _usual_distance,
)
