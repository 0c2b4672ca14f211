"""The state of metrics that compare pairs of features, and so must keep them all."""

from typing import Any

from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


class KeptFeatures(Metric):
    """All features of a real and a generated set as float32: two states that processes concatenate.

    50,000 images of 2048 features are 410 MB.
    """

    full_state_update = False
    is_differentiable = False
    real: list[Tensor]
    generated: list[Tensor]

    def __init__(self, extractor: nn.Module | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.extractor = extractor
        self.add_state("real", [], dist_reduce_fx="cat")
        self.add_state("generated", [], dist_reduce_fx="cat")

    def update(self, features: Tensor, real: bool) -> None:
        """Add features (N, d), or images (N, 3, H, W) uint8 for the extractor."""
        if self.extractor is not None:
            features = self.extractor(features)
        (self.real if real else self.generated).append(features.detach().float())

    def kept(self) -> tuple[Tensor, Tensor]:
        """Real and generated features; ValueError where a set is empty."""
        for name, features in (("real", self.real), ("generated", self.generated)):
            if len(features) == 0:
                raise ValueError(f"{name} features: got none, expected both sets; call update with real=True and False")
        return dim_zero_cat(self.real), dim_zero_cat(self.generated)


def paired(real: Tensor, generated: Tensor, least: int) -> tuple[Tensor, Tensor]:
    """Both sets as finite float64 matrices (m, d) and (n, d) of `least` rows or more; ValueError says which is not."""
    for name, features in (("real", real), ("generated", generated)):
        if features.ndim != 2 or len(features) < least:
            raise ValueError(f"{name} features: got shape {tuple(features.shape)}, expected {least} rows or more")
        if not features.isfinite().all():
            raise ValueError(f"{name} features: some are not finite; look at the images they came from")
    if real.shape[1] != generated.shape[1]:
        raise ValueError(f"features: got {real.shape[1]} real and {generated.shape[1]} generated, expected as many")
    return real.detach().double(), generated.detach().double()
