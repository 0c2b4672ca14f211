"""Features of images together with the angles at which heads are seen: what pose-aware metrics compare."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Posed(NamedTuple):
    """Features (N, F), and yaw and pitch (N, 2) in radians.

    Both angles are 0 in front; yaw is positive where the nose points to the right of the picture, pitch where the face
    is seen from above (`facegen.data.poses.yaw_pitch_degrees`). A generated image has those of its rendering camera.
    """

    features: Tensor
    angles: Tensor

    def at(self, index: Tensor) -> "Posed":
        """Some of the images, by number or mask."""
        return Posed(self.features[index], self.angles[index])

    def known(self, name: str) -> "Posed":
        """Images whose angles are known. ValueError for shapes that do not belong together, naming `name`."""
        features, angles = self
        if features.ndim != 2 or angles.shape != (len(features), 2):
            shapes = f"features {tuple(features.shape)} and angles {tuple(angles.shape)}"
            raise ValueError(f"{name}: got {shapes}, expected (N, F) and (N, 2) of yaw and pitch in radians")
        return self.at(torch.isfinite(angles).all(dim=1).to(features.device))


@torch.no_grad()
def leading_axes(features: Float[Tensor, "images features"], components: int) -> Float[Tensor, "features components"]:
    """Orthonormal principal axes of the features in float64, largest variance first.

    The largest entry of an axis is positive. ValueError for more axes than the images span.
    """
    most = min(len(features) - 1, features.shape[1])
    if not 1 <= components <= most:
        shape = tuple(features.shape)
        raise ValueError(f"components: got {components} for features of shape {shape}, expected 1 to {most}")
    centred = features.double() - features.double().mean(dim=0)
    if len(features) > features.shape[1]:
        axes = torch.linalg.eigh(centred.T @ centred).eigenvectors[:, -components:].flip(1)
    else:
        values, vectors = torch.linalg.eigh(centred @ centred.T)
        scale = values[-components:].clamp(min=torch.finfo(torch.float64).tiny).sqrt()
        axes = (centred.T @ (vectors[:, -components:] / scale)).flip(1)
    return axes * axes.gather(0, axes.abs().argmax(dim=0, keepdim=True)).sign()
