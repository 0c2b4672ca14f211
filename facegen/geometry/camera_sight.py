"""Whether the camera of a label sees the face, and what was probably confused where it does not."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from facegen.geometry.constants import PIVOT

Words = dict[int, str]  # what is wrong, by row
Numbers = Float[np.ndarray, "batch 25"]
Poses = Float[np.ndarray, "batch 4 4"]
Intrinsics = Float[np.ndarray, "batch 3 3"]
Mask = NDArray[np.bool_]  # (batch,)
_MOST_OFFSET = 0.3  # of the face from the middle of the image, in image widths; reconstructed labels reach 0.1
_FLIP_YZ = np.array([1.0, -1.0, -1.0, 1.0])


def where(mask: Mask | np.bool_, words: Callable[[int], str]) -> Words:
    """The words for each row that the mask names."""
    return {int(row): words(int(row)) for row in np.flatnonzero(mask)}


def listed(values: NDArray) -> str:
    """Numbers as people read them."""
    return " ".join(f"{value:.4g}" for value in values)


def poses_of(labels: Numbers) -> Poses:
    """Camera-to-world matrices of labels."""
    return labels[:, :16].reshape(-1, 4, 4)


def intrinsics_of(labels: Numbers) -> Intrinsics:
    """Intrinsics of labels."""
    return labels[:, 16:].reshape(-1, 3, 3)


def _seen(poses: Poses, intrinsics: Intrinsics) -> Mask:
    """Whether the pivot of faces or the world's origin (EG3D's samplers look at either) falls into the middle."""
    return _in_the_middle(poses, intrinsics, PIVOT) | _in_the_middle(poses, intrinsics, (0, 0, 0))


def _in_the_middle(poses: Poses, intrinsics: Intrinsics, point: tuple[float, ...]) -> Mask:
    uv, depth = _project(poses, intrinsics, point)
    return (depth > 0) & (np.abs(uv - 0.5).max(axis=1) <= _MOST_OFFSET)


def _project(poses: Poses, intrinsics: Intrinsics, point: tuple[float, ...]) -> tuple[NDArray, NDArray]:
    """Where a world point falls (`projection.project`, without torch), and its depth."""
    camera = np.einsum("nij,ni->nj", poses[:, :3, :3], np.asarray(point) - poses[:, :3, 3])
    depth = np.where(camera[:, 2] == 0, 1e-12, camera[:, 2])
    uv = np.einsum("nij,nj->ni", intrinsics, camera / depth[:, None])[:, :2]
    return uv, depth


def _upright(poses: Poses) -> Mask:
    """Whether the world's y axis points up in the image, however oblique."""
    return poses[:, 1, 1] <= 0


def _inverse(poses: Poses) -> Poses:
    return np.linalg.inv(poses)


def _turned_back(poses: Poses) -> Poses:
    changed = poses.copy()
    changed[:, :3, :3] = poses[:, :3, :3].mT
    return changed


_REPAIRS: dict[str, Callable[[Poses], Poses]] = {
    "were inverted: is it world-to-camera instead of camera-to-world?": _inverse,
    "had its second and third column negated: are they OpenGL's axes (y up, z backward) instead of OpenCV's?": (
        lambda poses: poses * _FLIP_YZ
    ),
    "were inverted and had its second and third column negated: is it OpenGL's view matrix?": (
        lambda poses: _inverse(poses) * _FLIP_YZ
    ),
    "had its rotation transposed: is that part column-major?": _turned_back,
    "had its second and third row negated: is the world's y down and its z into the scene?": (
        lambda poses: poses * _FLIP_YZ[:, None]
    ),
}


def mistaken_convention(labels: Numbers) -> Words:
    """Labels that do not see the face upright, but would after one of the usual repairs."""
    poses, intrinsics = poses_of(labels), intrinsics_of(labels)
    rows = np.flatnonzero(~(_seen(poses, intrinsics) & _upright(poses)))
    repaired = np.stack([repair(poses[rows]) for repair in _REPAIRS.values()])
    misses = np.stack([_miss(changed, intrinsics[rows]) for changed in repaired])
    best, hints = misses.argmin(axis=0), list(_REPAIRS)
    return {
        int(row): f"the camera does not see the face upright; it would if the matrix {hints[best[place]]}"
        for place, row in enumerate(rows)
        if np.isfinite(misses[best[place], place])
    }


def _miss(poses: Poses, intrinsics: Intrinsics) -> Float[np.ndarray, " batch"]:
    """How far the optical axis passes the pivot, in radians; infinite where the face is not seen from in front."""
    offset = PIVOT - poses[:, :3, 3]
    cosine = (offset * poses[:, :3, 2]).sum(axis=1) / np.linalg.norm(offset, axis=1)
    good = _seen(poses, intrinsics) & _upright(poses) & (poses[:, 2, 3] > 0)
    return np.where(good, np.arccos(np.clip(cosine, -1, 1)), np.inf)


def looking_elsewhere(labels: Numbers) -> Words:
    """Labels that have neither the pivot of faces nor the world's origin in the middle of the image."""
    poses, intrinsics = poses_of(labels), intrinsics_of(labels)
    uv, depth = _project(poses, intrinsics, PIVOT)

    def words(row: int) -> str:
        place = f"falls on {listed(uv[row])}, expected near 0.5 0.5" if depth[row] > 0 else "is behind the camera"
        return f"the camera does not look at the face, whose middle {place}"

    return where(~_seen(poses, intrinsics), words)


def upside_down(labels: Numbers) -> Words:
    """Labels with a roll beyond 90 degrees."""
    return where(~_upright(poses_of(labels)), lambda row: "the camera sees the face upside down")
