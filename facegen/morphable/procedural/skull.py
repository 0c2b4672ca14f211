"""The smooth solid of the head: a union of rounded primitives, and its surface along given rays."""

import numpy as np

from facegen.morphable.procedural import anatomy
from facegen.morphable.procedural.fields import Array, capsule, ellipsoid, smooth_max, smooth_min, sphere

_SOCKET_OFFSET = np.array([0.0, 0.004, 0.052])  # of the hollow from the eyeball
_ALA_OFFSET = np.array([-0.0095, 0.001, -0.004])  # of the middle of the wing from its outer end


def _cranium(p: Array) -> Array:
    dome = ellipsoid(p, (0, 0.115, -0.035), (0.190, 0.220, 0.238))
    forehead = ellipsoid(p, (0, 0.155, 0.085), (0.150, 0.125, 0.150))
    return smooth_min(dome, forehead, 0.08)


def _face(p: Array) -> Array:
    middle = ellipsoid(p, (0, 0.0, 0.06), (0.166, 0.195, 0.165))
    cheek_bone = sphere(p, (0.112, 0.03, 0.125), 0.058)
    cheek = sphere(p, (0.078, -0.045, 0.155), 0.062)
    muzzle = ellipsoid(p, (0, -0.088, 0.165), (0.085, 0.062, 0.082))
    front = capsule(p, (0.0, -0.172, 0.155), (0.070, -0.148, 0.102), 0.041, 0.042)
    back = capsule(p, (0.070, -0.148, 0.102), (0.120, -0.082, 0.020), 0.042, 0.042)
    ramus = capsule(p, (0.120, -0.082, 0.020), (0.138, 0.04, -0.005), 0.042, 0.050)
    jaw = smooth_min(smooth_min(front, back, 0.05), ramus, 0.05)
    chin = ellipsoid(p, (0, -0.178, 0.165), (0.056, 0.040, 0.046))
    solid = smooth_min(middle, cheek_bone, 0.07)
    solid = smooth_min(solid, cheek, 0.06)
    solid = smooth_min(solid, jaw, 0.06)
    solid = smooth_min(solid, chin, 0.05)
    return smooth_min(solid, muzzle, 0.05)


def _eyes(p: Array, solid: Array) -> Array:
    brow = capsule(p, (0.0, 0.128, 0.208), (0.120, 0.135, 0.155), 0.024, 0.022)
    socket = ellipsoid(p, anatomy.EYE + _SOCKET_OFFSET, (0.047, 0.036, 0.040))
    solid = smooth_min(solid, brow, 0.035)
    solid = smooth_max(solid, -socket, 0.035)
    return smooth_min(solid, sphere(p, anatomy.EYE, anatomy.LID_RADIUS), 0.014)


def _nose(p: Array) -> Array:
    bridge = capsule(p, (0, 0.105, 0.228), (0, 0.010, 0.277), 0.0115, 0.0145)
    flank = capsule(p, (0.0, 0.075, 0.222), (0.0145, -0.008, 0.249), 0.011, 0.0145)
    tip = ellipsoid(p, (0, -0.006, 0.277), (0.0200, 0.0175, 0.0220))
    ala = ellipsoid(p, anatomy.ALA + _ALA_OFFSET, (0.0135, 0.0140, 0.0190))
    columella = capsule(p, (0, -0.020, 0.280), (0, -0.034, 0.253), 0.0085, 0.011)
    nose = smooth_min(bridge, flank, 0.03)
    nose = smooth_min(nose, tip, 0.022)
    nose = smooth_min(nose, ala, 0.020)
    return smooth_min(nose, columella, 0.010)


def _neck(p: Array) -> Array:
    neck = capsule(p, (0.0, -0.06, -0.045), (0.0, -0.50, -0.085), 0.120, 0.126)
    throat = capsule(p, (0, -0.19, 0.07), (0, -0.42, 0.005), 0.045, 0.050)
    return smooth_min(neck, throat, 0.06)


def head_distance(points: Array) -> Array:
    """Signed distance, positive outside, of (V, 3) points from the head; exact near the surface, to first order."""
    p = np.concatenate([np.abs(points[:, :1]), points[:, 1:]], axis=1)
    solid = smooth_min(_cranium(p), _face(p), 0.07)
    solid = smooth_min(solid, _neck(p), 0.05)
    solid = _eyes(p, solid)
    return smooth_min(solid, _nose(p), 0.022)


def surface_along(origins: Array, directions: Array, start: float = 1.0) -> Array:
    """Outermost points of the head on rays, found by tracing from the distance `start` inwards."""
    t = np.full(len(origins), start)
    before, distance, slope = t, head_distance(origins + t[:, None] * directions), np.ones_like(t)
    for _ in range(60):
        # a grazing ray approaches the surface slowly: divide by how fast it does (secant rule, held back)
        before, t = t, np.maximum(t - 0.9 * distance / slope, 0.0)
        last, distance = distance, head_distance(origins + t[:, None] * directions)
        moved = np.where(np.abs(t - before) < 1e-9, 1.0, t - before)
        slope = np.clip(np.where(moved == 1.0, 1.0, (distance - last) / moved), 0.2, 1.0)
        if np.abs(distance).max() < 1e-7:
            break
    return origins + t[:, None] * directions
