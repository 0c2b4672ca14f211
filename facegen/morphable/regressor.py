"""A trained reconstruction network with the morphable model that its coefficients belong to, ready for use."""

from pathlib import Path
from typing import NamedTuple, Self

import torch
from jaxtyping import Float
from torch import Tensor

from facegen.checkpoint import load
from facegen.morphable.coefficients import Coefficients
from facegen.morphable.model import MorphableModel
from facegen.morphable.views import FaceView, face_view
from facegen.networks.reconstruction import ReconstructionNetwork, regress


class Regressor(NamedTuple):
    """A frozen network, and the model before the camera of the pictures that the network was trained on."""

    network: ReconstructionNetwork
    model: MorphableModel

    def coefficients(self, images: Float[Tensor, "batch 3 side side"]) -> Float[Tensor, "batch coefficient"]:
        """Coefficients of pictures in [-1, 1] of any side, cropped as the training pictures were. Differentiable."""
        return regress(self.network, images)

    def split(self, coefficients: Float[Tensor, "batch coefficient"]) -> Coefficients:
        """The parts of coefficients by name."""
        return self.model.split(coefficients)

    def view(self, coefficients: Float[Tensor, "batch coefficient"], size: int) -> FaceView:
        """What the camera sees of them."""
        return face_view(self.model, coefficients, size)

    def to(self, device: torch.device | str) -> Self:
        """On a device. The network moves; of the model, which a cache may share, a copy."""
        if self.model.mean_shape.device == torch.device(device):
            return self
        model = self.model.with_perspective(self.model.perspective)
        model._buffers = {name: None if b is None else b.to(device) for name, b in model._buffers.items()}
        return self._replace(network=self.network.to(device), model=model)


def load_regressor(folder: str | Path, morphable: str | Path | None = None) -> Regressor:
    """The network that `facegen export` wrote to a folder, and its model.

    morphable: a file of the model, or `procedural`; None: what the network says it was trained with.
    Raises ValueError for folders that hold something else, and for a model with other numbers of coefficients.
    """
    network = load(folder)
    if not isinstance(network, ReconstructionNetwork):
        raise ValueError(f"regressor: {folder} holds a {type(network).__name__}, expected a reconstruction network")
    model = MorphableModel.load(morphable or network.morphable).with_perspective(network.perspective)
    if network.num_coefficients != model.layout.total:
        raise ValueError(
            f"regressor: {folder} gives {network.num_coefficients} coefficients, the model {model.name} has "
            f"{model.layout.total}; name the morphable model that it was trained with"
        )
    return Regressor(network.eval().requires_grad_(False), model)
