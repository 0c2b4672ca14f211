"""Training of one network that is told what is right: one Adam, one average, a clock in images."""

import copy
from typing import Any, NamedTuple

import lightning.pytorch as pl
import torch
from torch import Tensor, nn

from facegen.checkpoint import network_config
from facegen.data.batch import FaceBatch
from facegen.models.distributed import world
from facegen.models.draws import Draws
from facegen.models.gradients import GradientGuard
from facegen.models.precision import MixedPrecision, is_bfloat16
from facegen.models.resume import Resumable
from facegen.models.schedule import ema_beta, update_ema
from facegen.models.statistics import RunningMeans

_ADVICE = "Lower the learning rate"


class Supervised(NamedTuple):
    """A scalar to minimise, and figures (N,) or scalars for the log by name."""

    loss: Tensor
    figures: dict[str, Tensor]


class SupervisedTraining(Resumable, pl.LightningModule):
    """Adam on what `supervised` says of a batch; `network_ema` is what is kept.

    batch_size: images per step over all processes. learning_rate: at the start; see `rate`. ema_kimg: half-life of the
    averaged weights; 0 keeps the newest.
    Raises TrainingDiverged when gradients were not finite `max_nonfinite` steps in a row.
    """

    averaged = "network_ema"  # the network that is kept

    def __init__(
        self,
        network: nn.Module,
        *,
        batch_size: int,
        learning_rate: float,
        ema_kimg: float,
        precision: MixedPrecision = "32-true",
        seed: int = 0,
        max_nonfinite: int = 20,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.network: Any = network
        self.network_ema: Any = copy.deepcopy(network).eval().requires_grad_(False)
        self.batch_size, self.learning_rate, self.seed = batch_size, learning_rate, seed
        self.ema_kimg, self.is_half = ema_kimg, is_bfloat16(precision)
        self.guard = GradientGuard(max_nonfinite)
        self.images_seen = 0
        self.statistics = RunningMeans()

    # What a model defines --------------------------------------------------------------------------------------

    def rate(self) -> float:
        """The learning rate at this clock."""
        raise TypeError(f"{type(self).__name__} defines no rate")

    def supervised(self, batch: FaceBatch, draws: Draws) -> Supervised:
        """The loss of the network over a batch."""
        raise TypeError(f"{type(self).__name__} defines no supervised")

    # One step --------------------------------------------------------------------------------------------------

    @property
    def networks(self) -> dict[str, nn.Module]:
        """What is trained, by name."""
        return {"network": self.network}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam with its usual averages."""
        return torch.optim.Adam(self.network.parameters(), lr=self.learning_rate, fused=True)

    def training_step(self, batch: FaceBatch, batch_idx: int) -> None:
        """One step of Adam, then the average and the clock."""
        rank, world_size = world()
        draws = Draws(self.seed, self.images_seen, self.device, rank, world_size)
        optimizer: Any = self.optimizers()
        for group in optimizer.param_groups:
            group["lr"] = self.rate()
        optimizer.zero_grad(set_to_none=True)
        found = self.supervised(batch, draws)
        found.loss.backward()
        norm = self.guard.check(self.network, f"network at {self.images_seen / 1000:.3f} kimg", _ADVICE, self.print)
        optimizer.step()
        update_ema(self.network_ema, self.network, ema_beta(self.images_seen, self.batch_size, self.ema_kimg, 0.05))
        self.images_seen += self.batch_size
        self._report(found, norm)

    def _report(self, found: Supervised, norm: Tensor | None) -> None:
        for name, values in {"loss/total": found.loss, **found.figures}.items():
            self.statistics.add(name, values)
        if norm is not None:
            self.statistics.add("grad_norm", norm)

    def configuration(self) -> dict[str, Any]:
        """What a resumed run must share with the run that it continues."""
        data: Any = self._trainer.datamodule if self._trainer is not None else None  # type: ignore[attr-defined]
        return {
            "model": type(self).__name__,
            "network": network_config(self.network),
            "batch_size": self.batch_size,
            "seed": self.seed,
            "ema_kimg": self.ema_kimg,
            "data": None if data is None else data.recipe.fingerprint,
        }
