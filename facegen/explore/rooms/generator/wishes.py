"""What a visitor asks of a generator, as plain values, and the `facegen generate` command that makes the same."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from facegen.evaluation.blending import Blend

Picture = UInt8[np.ndarray, "height width 3"]
MOST_YAW, MOST_PITCH, MOST_ZOOM = 180.0, 80.0, 4.0  # degrees, degrees, times the focal length
_TURN = 120.0  # degrees that the head turns when it is dragged across the picture
_NO_HINTS: Mapping[str, Picture] = MappingProxyType({})
MOST_SEED = 2**32 - 1


class Angle(NamedTuple):
    """From where one looks: yaw positive to the viewer's right, pitch from above, in degrees; zoom of the lens."""

    yaw: float = 0.0
    pitch: float = 0.0
    zoom: float = 1.0

    def dragged(self, right: float, down: float) -> "Angle":
        """The head follows the hand, which moved by shares of the picture's sides: the camera goes the other way."""
        yaw, pitch = self.yaw - _TURN * right, self.pitch + _TURN * down
        return self._replace(yaw=_within(yaw, MOST_YAW), pitch=_within(pitch, MOST_PITCH))

    def zoomed(self, factor: float) -> "Angle":
        """Nearer (above 1) or farther."""
        return self._replace(zoom=min(max(self.zoom * factor, 1 / MOST_ZOOM), MOST_ZOOM))


class Denoise(NamedTuple):
    """What only diffusion models are asked; None: as the model says itself. Texts: empty for none.

    person: coefficients and renders of the person whom the seed stands for. told_camera: whether it is told the camera.
    """

    steps: int | None = None
    guidance: float | None = None
    sampler: str | None = None
    prompt: str = ""
    negative: str = ""
    person: bool = False
    told_camera: bool = True
    strength: float = 1.0


class Wish(NamedTuple):
    """One picture. label: a class, None for the average. hints: by control, pictures of the model's size.

    draft: coarser rendering while the hand moves.
    """

    seed: int = 0
    truncation: float = 1.0
    blend: Blend = Blend()
    angle: Angle = Angle()
    label: int | None = None
    denoise: Denoise = Denoise()
    hints: Mapping[str, Picture] = _NO_HINTS
    draft: bool = False


def command(path: Path, wish: Wish, kind: str, labels: str | None, hints: Mapping[str, str]) -> str:
    """The command line that makes the picture.

    kind: `image`, `3d` or `diffusion`. labels: as `facegen generate` takes them. hints: files by control.
    """
    words = [f"checkpoint={path}", f"seeds={wish.seed}"]
    if wish.blend.towards is not None:
        words.append(f"towards=[{wish.blend.towards[0]},{wish.blend.towards[1]:g}]")
    if wish.blend.mix is not None:
        words.append("mix=[{},{},{}]".format(*wish.blend.mix))
    if kind != "diffusion" and wish.truncation != 1:
        words.append(f"truncation={wish.truncation:g}")
    words += [f"labels={labels}"] if labels is not None else []
    words += _of_denoising(wish, hints) if kind == "diffusion" else []
    return f"facegen generate {shlex.join(words)}"


def written(camera: list[float]) -> str:
    """A camera as a setting, to the last bit of float32."""
    return f"[{','.join(f'{value:.9g}' for value in camera)}]"


def _of_denoising(wish: Wish, hints: Mapping[str, str]) -> list[str]:
    told = wish.denoise
    words = [f"{name}={value}" for name in ("steps", "guidance", "sampler") if (value := getattr(told, name))]
    words += [f"{name}='{_quoted(text)}'" for name in ("prompt", "negative") if (text := getattr(told, name))]
    words += ["coefficients=drawn"] if told.person else []
    if hints:
        words.append(f"hints={{{', '.join(f'{name}: {file}' for name, file in hints.items())}}}")
        words += [f"control_scales={told.strength:g}"] if told.strength != 1 else []
    return words


def _quoted(text: str) -> str:
    """As Hydra reads it between single quotes."""
    return text.replace("\\", "\\\\").replace("'", "\\'")


def _within(value: float, most: float) -> float:
    return round(min(max(value, -most), most), 2)
