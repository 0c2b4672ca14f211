"""The lips: how far they stand out from the smooth head, and where they are red."""

import numpy as np

from facegen.morphable.procedural import anatomy
from facegen.morphable.procedural.fields import Array, plateau, smoothstep


def lip_profile(points: Array, level: Array) -> tuple[Array, Array]:
    """Outward displacement of the lips, and how much of a vertex is lip (0 to 1)."""
    x, y = np.abs(points[:, 0]), points[:, 1]
    u = np.clip(x / anatomy.MOUTH_CORNER[0], 0, 1)
    line = anatomy.MOUTH_ROW - 0.0008 * u**2 + 0.0025 * np.exp(-((u / 0.25) ** 2)) - 0.0015
    bow = 0.0022 * np.exp(-(((x - 0.0135) / 0.008) ** 2)) - 0.0018 * np.exp(-((x / 0.006) ** 2))
    top = line + (anatomy.UPPER_LIP_TOP - anatomy.MOUTH_ROW) * (1 - u**2.2) + bow * (1 - u)
    bottom = line + (anatomy.LOWER_LIP_BOTTOM - anatomy.MOUTH_ROW) * (1 - u**2.6) ** 0.9
    upper = (y >= line) & (level >= 0) | (level > 0)
    t = np.where(upper, (y - line) / np.maximum(top - line, 1e-4), (line - y) / np.maximum(line - bottom, 1e-4))
    inside = (x < anatomy.MOUTH_CORNER[0]) & (points[:, 2] > 0.1) & (y < 0)
    full = np.sin(np.pi * np.clip(t, 0, 1) ** 0.75) * np.where(upper, 0.0058, 0.0075)
    roll = -0.0055 * np.exp(-((np.maximum(t, 0) / 0.28) ** 2))
    rim = np.exp(-(((t - 1) / 0.16) ** 2)) * 0.0012
    taper = (1 - u**3) * inside
    return (full + roll + rim) * taper, plateau(t, 0.82, 1.18) * smoothstep(1 - u, 0, 0.08) * inside
