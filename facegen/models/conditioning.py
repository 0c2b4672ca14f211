"""Conditions made on the device: coefficients and renders of a morphable model for batches whose recipe has none.

What a dataset was prepared with offline, a training step has for any picture: also for flipped, augmented or generated
ones, for which nothing was prepared.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from facegen.data.batch import FaceBatch
from facegen.data.pictures import to_uint8
from facegen.morphable.fitting import Fitter
from facegen.morphable.regressor import Regressor

COEFFICIENTS, RENDER = "coefficients", "render"  # as recipes call them (see `data.conditions`)


class FaceConditions:
    """Fills in what batches lack: `conditions["coefficients"]` and `conditions["render"]`.

    regressor: sees the coefficients; pictures have to be cropped as its training pictures were. fitter: refines them,
    which takes many times as long. Without gradients, on the device that the batch is on.
    """

    def __init__(self, regressor: Regressor, fitter: Fitter | None = None) -> None:
        self.regressor, self.fitter = regressor, fitter

    @torch.no_grad()
    def complete(self, batch: FaceBatch, names: Sequence[str] = (COEFFICIENTS, RENDER)) -> FaceBatch:
        """The batch with all of `names`; what it has already is kept, and used for what is made.

        coefficients: float32 (N, K). render: (N, 3, R, R), black around the face, uint8 or float in [-1, 1] as the
        images are. Raises ValueError for other names, and for coefficients of another model.
        """
        if unknown := set(names) - {COEFFICIENTS, RENDER}:
            raise ValueError(f"conditions: got {min(unknown)}, expected {COEFFICIENTS} or {RENDER}")
        found = dict(batch.conditions)
        if missing := [name for name in names if name not in found]:
            coefficients = found.get(COEFFICIENTS)
            coefficients = self.coefficients(batch.images) if coefficients is None else coefficients
            made = {COEFFICIENTS: coefficients}
            if RENDER in missing:
                made[RENDER] = self.render(coefficients, batch.images)
            found |= {name: made[name] for name in missing}
        return batch._replace(conditions=found)

    def coefficients(self, images: Tensor) -> Float[Tensor, "batch coefficient"]:
        """Coefficients of images, uint8 or in [-1, 1]; those of a picture without a fit are what the network sees."""
        pictures = images / 127.5 - 1 if images.dtype == torch.uint8 else images.float()
        self.regressor = self.regressor.to(images.device)
        seen = self.regressor.coefficients(pictures)
        if self.fitter is None:
            return seen
        fitted = self.fitter.fit(pictures, start=seen).coefficients
        return fitted.where(fitted.isfinite().all(dim=1, keepdim=True), seen)

    def render(self, coefficients: Float[Tensor, "batch coefficient"], images: Tensor) -> Tensor:
        """Renders of coefficients with the type and the size of images."""
        self.regressor = self.regressor.to(images.device)
        drawn = self.regressor.view(coefficients, images.shape[-1]).images.clamp(-1, 1)
        return to_uint8(drawn) if images.dtype == torch.uint8 else drawn.to(images)
