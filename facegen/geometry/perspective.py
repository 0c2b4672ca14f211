"""The fixed camera in front of which 3D morphable models are posed, as Deep3DFaceRecon (Deng et al. 2019) sets it up.

World: x to the right of the picture, y up, z to the viewer, about a decimetre. The camera stands at z = `distance` and
looks along -z. Two ways of counting rows are in use. `project` has y up, as Deep3DFaceRecon's landmarks; its files
store `size - 1 - y`. `image_points` counts continuously from the picture's upper edge, as its renderer and everything
else here does, and differs by one pixel from what those files hold.
"""

from typing import NamedTuple, Self

import torch
from jaxtyping import Float
from torch import Tensor

from facegen.geometry.constants import FOCAL


class Perspective(NamedTuple):
    """A pinhole camera with square pixels: `focal` and `center` in pixels of a picture of `size` x `size`."""

    focal: float = 1015.0
    center: float = 112.0
    size: int = 224
    distance: float = 10.0
    near: float = 5.0
    far: float = 15.0

    def at(self, size: int) -> Self:
        """The same camera for pictures of another side."""
        if size == self.size:
            return self
        ratio = size / self.size
        return self._replace(focal=self.focal * ratio, center=self.center * ratio, size=size)

    def view(self, points: Float[Tensor, "*batch point 3"]) -> Float[Tensor, "*batch point 3"]:
        """World points seen from the camera: x, y, and the distance from its plane."""
        return torch.cat([points[..., :2], self.distance - points[..., 2:]], dim=-1)

    def project(self, camera: Float[Tensor, "*batch point 3"]) -> Float[Tensor, "*batch point 2"]:
        """Pixels of points seen from the camera, y up."""
        return self.focal * camera[..., :2] / camera[..., 2:] + self.center

    def image_points(self, camera: Float[Tensor, "*batch point 3"]) -> Float[Tensor, "*batch point 2"]:
        """Pixels of points seen from the camera, y down; (0, 0) is the picture's upper left corner."""
        x, y = self.project(camera).unbind(-1)
        return torch.stack([x, self.size - y], dim=-1)

    def clip(self, camera: Float[Tensor, "*batch point 3"]) -> Float[Tensor, "*batch point 4"]:
        """Clip space of `rendering.rasterize`: x right, y up, visible where |x|, |y|, |z| <= w, and w the distance."""
        x, y, z = camera.unbind(-1)
        half, offset = self.size / 2, self.center * 2 / self.size - 1
        scale, shift = (
            (self.far + self.near) / (self.far - self.near),
            2 * self.far * self.near / (self.far - self.near),
        )
        columns = [x * (self.focal / half) + offset * z, y * (self.focal / half) + offset * z, scale * z - shift, z]
        return torch.stack(columns, dim=-1)


DEEP3D = Perspective()  # of Deep3DFaceRecon's crops
EG3D = Perspective(focal=FOCAL * 512, center=256.0, size=512)  # of EG3D's crops and of its generators' pictures
