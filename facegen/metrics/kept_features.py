"""The state of metrics that compare pairs of features, and so must keep them all."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat
from torchmetrics.utilities.distributed import gather_all_tensors


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

    def _sync_dist(self, dist_sync_fn: Callable = gather_all_tensors, process_group: Any = None) -> None:
        """Gather; a process without features first learns how wide they are, or the programs would not understand."""
        widths = [features.shape[1] for features in (*self.real, *self.generated)]
        mine = torch.tensor(max(widths, default=0), device=self.device)
        width = max(int(each) for each in dist_sync_fn(mine, group=process_group or self.process_group))
        nothing = torch.zeros(0, width, device=self.device)
        self.real, self.generated = self.real or [nothing], self.generated or [nothing]
        super()._sync_dist(dist_sync_fn, process_group)

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
