"""Pictures as they are shown, and the labels that they are asked for with."""

import base64
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from facegen.data.pictures import to_uint8
from facegen.evaluation.views import at_degrees
from facegen.explore.rooms.generator.wishes import Angle, Picture
from facegen.networks.latents import average_label
from facegen.rendering.glb_file import png_bytes

_FOCAL = [16, 20]  # of a camera label: focal lengths in sides of the picture


class Made(NamedTuple):
    """A picture, the hints that it was made from, the camera it was told or seen from, and the seconds it took."""

    picture: Picture
    hints: dict[str, Picture]
    camera: list[float] | None
    seconds: float = 0.0


def camera(network: Any, angle: Angle) -> Float[Tensor, "1 25"]:
    """The label of a camera on the generator's sphere; zoom is that of its lens."""
    found = at_degrees(network, torch.tensor([angle.yaw]), torch.tensor([angle.pitch])).clone()
    found[:, _FOCAL] *= angle.zoom
    return found


def label(network: Any, number: int | None) -> Float[Tensor, "1 c_dim"]:
    """The label of a class, None: the average one. ValueError for a class that there is not."""
    size = network.c_dim
    if number is None or not size:
        return torch.from_numpy(average_label(size)) if size else torch.zeros(1, 0)
    if not 0 <= number < size:
        raise ValueError(f"class: got {number}, expected 0 to {size - 1}")
    return torch.eye(size)[number][None]


def address_of(picture: Picture) -> str:
    """A picture as a `data:` address: it goes to its visitor alone, and no file of it can be gone too early."""
    return f"data:image/png;base64,{base64.b64encode(png_bytes(picture)).decode()}"


def picture_of(images: Float[Tensor, "1 3 height width"]) -> Picture:
    """An image in [-1, 1] as bytes."""
    return to_uint8(images)[0].permute(1, 2, 0).cpu().contiguous().numpy()
