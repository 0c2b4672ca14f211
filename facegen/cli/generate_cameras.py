"""`facegen generate`: the cameras that look at EG3D's faces, or that diffusion models are told, as a user types them.

Angles are of the camera's position around the world's origin: yaw is positive to the viewer's right (+x), pitch is the
elevation, positive from above. Cameras look at the generator's pivot from its radius; a diffusion model has neither, so
those of EG3D's labels are taken.
"""

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from facegen.cli import sampling
from facegen.evaluation.views import Cameras, at_degrees, cameras_at, front
from facegen.geometry import cameras
from facegen.geometry.camera_checks import check_labels

# EG3D's video script: amplitudes around the frontal (h, v) in radians, and v lower by a little
_PATH_H, _PATH_V, _PATH_RAISED = 0.35, 0.25, 0.05


def degrees(settings: dict[str, Any], name: str, most: float) -> tuple[float, float]:
    """Two angles of a setting such as `yaw_degrees=[-60,60]`, within `most` of the front."""
    value = settings[name]
    pair = isinstance(value, list | tuple) and len(value) == 2 and all(type(v) in (int, float) for v in value)
    if not (pair and -most <= value[0] <= value[1] <= most):
        raise ValueError(f"{name}: got {value!r}, expected [FROM,TO] with {-most:g} <= FROM <= TO <= {most:g}")
    return float(value[0]), float(value[1])


def yaw_range(settings: dict[str, Any]) -> tuple[float, float]:
    """Degrees; 180 is the back of the head."""
    return degrees(settings, "yaw_degrees", 180)


def pitch_range(settings: dict[str, Any]) -> tuple[float, float]:
    """Degrees; a camera at 90 would not know where up is."""
    return degrees(settings, "pitch_degrees", 89)


def pose_columns(generator: Any, settings: dict[str, Any]) -> tuple[list[str], Cameras]:
    """Names (`yaw-60`, `pitch+30`) and labels of a row of poses: first over yaw, then over pitch."""
    counts = settings["yaw_columns"], settings["pitch_columns"]
    if min(counts) < 0 or sum(counts) < 1:
        got = f"yaw_columns={counts[0]}, pitch_columns={counts[1]}"
        raise ValueError(f"poses: got {got}; expected none below 0 and at least one column")
    yaws, pitches = (
        _spread(limits, count)
        for limits, count in zip((yaw_range(settings), pitch_range(settings)), counts, strict=True)
    )
    names = [f"yaw{value:+g}" for value in yaws] + [f"pitch{value:+g}" for value in pitches]
    yaw, pitch = torch.tensor([yaws + [0.0] * counts[1], [0.0] * counts[0] + pitches])
    return names, at_degrees(generator, yaw, pitch)


def _spread(limits: tuple[float, float], count: int) -> list[float]:
    """Evenly from one limit to the other; the middle where there is one place."""
    places = np.linspace(*limits, count) if count != 1 else np.array([sum(limits) / 2])
    return [round(float(value), 3) + 0.0 for value in places]


def turntable(generator: Any, settings: dict[str, Any]) -> Cameras:
    """A loop over the range of yaw: there and back, slowest at its ends; round and round where it is 360 degrees."""
    low, high = yaw_range(settings)
    phase = torch.arange(settings["frames"]) / settings["frames"]
    if high - low == 360:
        yaw = low + 360 * phase
    else:
        yaw = (low + high) / 2 + (high - low) / 2 * torch.sin(2 * math.pi * phase)
    return at_degrees(generator, yaw, torch.zeros_like(yaw))


def path(generator: Any, settings: dict[str, Any]) -> Cameras:
    """The loop of EG3D's video script: an ellipse of 20 degrees to the sides and 9 up and down."""
    phase = 2 * math.pi * torch.arange(settings["frames"]) / settings["frames"]
    h = math.pi / 2 + _PATH_H * torch.sin(phase)
    return cameras_at(generator, h, math.pi / 2 - _PATH_RAISED + _PATH_V * torch.cos(phase))


def rendering(generator: Any, value: Any, count: int) -> Cameras:
    """One camera per seed from the setting `labels`; ValueError for what is no camera."""
    if value == "average":
        return front(generator).expand(count, -1)
    if str(value).isdecimal():
        raise ValueError(f"labels: got {value}, expected cameras: this generator has no classes but looks at faces")
    found = sampling.labels(value, count, cameras.LABEL_SIZE)
    findings = check_labels(found)
    if findings.malformed:
        row, words = next(iter(findings.malformed.items()))
        raise ValueError(f"labels: row {row}: {words}")
    for row, words in list(findings.implausible.items())[:1]:
        print(f"labels: row {row}: {words}; the picture may be empty")
    return found


def conditioning(generator: Any, settings: dict[str, Any], seen_from: Cameras) -> Float[Tensor, "seed c_dim"]:
    """What the mapping network is told, per seed: the average camera, the rendering one, or labels of its own."""
    value, count = settings["conditioning"], len(seen_from)
    if generator.c_dim == 0:
        return sampling.labels(value, count, 0, "conditioning")
    if value == "same":
        return seen_from
    if value == "average" and generator.c_dim == cameras.LABEL_SIZE:
        return generator.average_camera().expand(count, -1)
    return sampling.labels(value, count, generator.c_dim, "conditioning")
