"""A loss that a 3D generator may add: a frozen network must see the camera it used, and one person in two views."""

from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from facegen.losses.consistency import identity_disagreement, pose_disagreement
from facegen.morphable.regressor import Regressor, load_regressor


class ConsistencyTerms(NamedTuple):
    """Means over a batch, without weights."""

    pose: Float[Tensor, ""]
    identity: Float[Tensor, ""]


class Consistency:
    """Weights, warm-up and the network of the loss. No module: its frozen weights belong to no checkpoint.

    pose, identity: weights of `losses.consistency`'s terms, beside the adversarial loss. warmup_kimg: over which both
    rise from 0; a network that knows faces has nothing to say about the noise of the beginning. every: batches between
    two that have the loss, which then counts `every` times (it costs two more pictures for each sample).
    """

    def __init__(
        self, regressor: Regressor, pose: float = 0.5, identity: float = 0.1, warmup_kimg: float = 20.0, every: int = 4
    ) -> None:
        for name, value in (("pose", pose), ("identity", identity), ("warmup_kimg", warmup_kimg)):
            if not 0 <= value < float("inf"):
                raise ValueError(f"consistency.{name}: got {value}, expected a number of at least 0")
        if every < 1:
            raise ValueError(f"consistency.every: got {every}, expected a number of batches from 1")
        self.regressor, self.pose, self.identity = regressor, pose, identity
        self.warmup_images, self.every = warmup_kimg * 1000, every

    @property
    def active(self) -> bool:
        """Whether it can ever change anything."""
        return self.pose > 0 or self.identity > 0

    def settings(self) -> list[float]:
        """What a resumed run must share."""
        return [self.pose, self.identity, self.warmup_images, self.every]

    def weight(self, images_seen: int, batch_size: int) -> float:
        """The factor of both terms at a clock: 0 in batches without the loss."""
        if not self.active or images_seen // batch_size % self.every:
            return 0.0
        risen = min(images_seen / self.warmup_images, 1.0) if self.warmup_images > 0 else 1.0
        return risen * self.every

    def terms(
        self, first: Tensor, second: Tensor, first_labels: Float[Tensor, "batch 25"], second_labels: Tensor
    ) -> ConsistencyTerms:
        """Pictures (N, 3, R, R) in [-1, 1] of N faces, from two cameras (N, 25) each, to the terms. Differentiable."""
        self.regressor = self.regressor.to(first.device)
        seen = self.regressor.split(self.regressor.coefficients(torch.cat([first, second]).float()))
        pose = pose_disagreement(seen.angle, torch.cat([first_labels, second_labels]))
        return ConsistencyTerms(pose.mean(), identity_disagreement(*seen.identity.chunk(2)).mean())

    def total(self, terms: ConsistencyTerms) -> Tensor:
        """The weighted sum."""
        return self.pose * terms.pose + self.identity * terms.identity


def load_consistency(
    regressor: str | Path,
    morphable: str | None = None,
    pose: float = 0.5,
    identity: float = 0.1,
    warmup_kimg: float = 20.0,
    every: int = 4,
) -> Consistency:
    """The loss with the network of a folder (see `morphable.regressor.load_regressor`)."""
    return Consistency(load_regressor(regressor, morphable), pose, identity, warmup_kimg, every)
