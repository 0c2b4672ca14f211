"""What every GAN here trains with: phases, lazy regularisation, ADA, EMA, guarded gradients, a clock in images.

A model says how samples are made, seen and regularised; this module has the losses and the steps. Manual optimisation
under Lightning, since two networks alternate; the clock is `images_seen`, never Lightning's `global_step`.
"""

import copy
from collections.abc import Sequence
from typing import Any, Literal

import lightning.pytorch as pl
import torch
from torch import Tensor, nn

from facegen.checkpoint import network_config
from facegen.data.batch import FaceBatch
from facegen.losses import discriminator_loss, generator_loss, r1_penalty
from facegen.models.distributed import mean_over_processes, sum_over_processes, world
from facegen.models.draws import Draws
from facegen.models.gradients import GradientGuard
from facegen.models.resume import Resumable, progress
from facegen.models.schedule import Phase, ema_beta, lazy_adam, phases, update_ema
from facegen.models.statistics import RunningMeans
from facegen.networks.ada import AUGMENT_PRESETS, AdaController, AugmentPipe

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
Augment = Literal["ada", "fixed", "none"]
Auto = Literal["auto"]
HALF_DTYPES: dict[str, torch.dtype] = {
    "32-true": torch.float32,
    "bf16-mixed": torch.bfloat16,
    "16-mixed": torch.float16,
}
_ADVICE = "Lower the learning rate, raise r1_gamma, or use precision=32-true"


def augment_pipe(augment: Augment, preset: str, p: float) -> AugmentPipe | None:
    """The augmentations of a preset at strength `p`, or None; ValueError for unknown names."""
    if augment not in ("ada", "fixed", "none"):
        raise ValueError(f"augment: got {augment!r}, expected ada, fixed or none")
    if preset not in AUGMENT_PRESETS:
        raise ValueError(f"augment_set: got {preset!r}, expected one of {', '.join(AUGMENT_PRESETS)}")
    if augment == "none":
        return None
    pipe = AugmentPipe(**AUGMENT_PRESETS[preset])
    pipe.p.fill_(p)
    return pipe


def to_float(images: Tensor) -> Tensor:
    """uint8 [0, 255] to float32 [-1, 1]; floats pass unchanged."""
    return images.to(torch.float32) / 127.5 - 1 if images.dtype == torch.uint8 else images


class AdversarialTraining(Resumable, pl.LightningModule):
    """Alternating training of `generator` and `discriminator`, with `generator_ema` for everything that people see."""

    averaged = "generator_ema"  # the network that is kept

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        *,
        batch_size: int,
        learning_rate: tuple[float, float],
        r1_gamma: float,
        style_mixing_prob: float = 0.0,
        betas: tuple[float, float] = (0.0, 0.99),
        generator_interval: int | None = 4,
        discriminator_interval: int | None = 16,
        ema_kimg: float = 10.0,
        ema_rampup: float | None = 0.05,
        augment: AugmentPipe | None = None,
        ada: AdaController | None = None,
        micro_batch: int | None = None,
        precision: Precision = "32-true",
        seed: int = 0,
        max_nonfinite: int = 20,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.generator: Any = generator
        self.discriminator: Any = discriminator
        self.generator_ema: Any = copy.deepcopy(generator).eval().requires_grad_(False)
        self.augment = augment.train().requires_grad_(False) if augment is not None else None
        self.ada = ada
        self.batch_size, self.micro_batch, self.seed = batch_size, micro_batch, seed
        self.learning_rate, self.betas, self.r1_gamma = learning_rate, betas, r1_gamma
        self.generator_interval, self.discriminator_interval = generator_interval, discriminator_interval
        self.ema_kimg, self.ema_rampup = ema_kimg, ema_rampup
        self.style_mixing_prob = style_mixing_prob
        self.guard = GradientGuard(max_nonfinite)
        self.noise_mode: Literal["random", "const", "none"] = "random"
        self.phases = [*phases("generator", generator_interval), *phases("discriminator", discriminator_interval)]
        self.images_seen = 0
        self.statistics = RunningMeans()
        self._label_pool: Tensor | None = None
        self._set_precision(precision)

    # What a model defines --------------------------------------------------------------------------------------

    def synthesize(self, z: Tensor, labels: Tensor, draws: Draws, track: bool) -> tuple[Any, Tensor]:
        """What the discriminator is to see of latents (N, z_dim) and drawn labels, and the labels it sees beside.

        `track`: the sample is for the discriminator's phase.
        """
        raise TypeError(f"{type(self).__name__} defines no synthesize")

    def real_inputs(self, real: Tensor, draws: Draws) -> Sequence[Tensor]:
        """What of real images in [-1, 1] goes into `discriminate`, and what R1 takes the gradient at."""
        return [real]

    def discriminate(self, inputs: Sequence[Tensor], labels: Tensor, draws: Draws) -> Tensor:
        """Logits (N, 1) of what `synthesize` or `real_inputs` returned."""
        raise TypeError(f"{type(self).__name__} defines no discriminate")

    def regulariser(self, z: Tensor, labels: Tensor, draws: Draws) -> Tensor:
        """The generator's regularising loss, a scalar."""
        raise TypeError(f"{type(self).__name__} defines no regulariser")

    # The losses of every GAN here --------------------------------------------------------------------------------

    def generator_phase(self, phase: Phase, batch: int, labels: Tensor, draws: Draws) -> None:
        """Fool the discriminator with `batch` samples of drawn `labels`; back-propagate the regulariser."""
        z = draws.randn([batch, self.generator.z_dim])
        if phase.main:
            images, seen = self.synthesize(z, labels, draws, track=False)
            logits = self.discriminate(images, seen, draws)
            loss = generator_loss(logits)
            self.report("loss/scores/fake", logits)
            self.report("loss/signs/fake", logits.sign())
            self.report("loss/G/loss", loss)
            loss.mean().mul(phase.interval).backward()
        if phase.regularise:
            self.regulariser(z, labels, draws).mul(phase.interval).backward()

    def discriminator_phase(
        self, phase: Phase, real: Tensor, real_labels: Tensor, fake_labels: Tensor, draws: Draws
    ) -> None:
        """Tell real images from generated ones; keep the gradient at real images small."""
        loss_fake: Tensor | float = 0.0
        if phase.main:
            z = draws.randn([len(real), self.generator.z_dim])
            with torch.no_grad():
                images, seen = self.synthesize(z, fake_labels, draws, track=True)
            logits = self.discriminate(images, seen, draws)
            loss_fake = discriminator_loss(fake_logits=logits)
            self.report("loss/scores/fake", logits)
            self.report("loss/signs/fake", logits.sign())
            loss_fake.mean().mul(phase.interval).backward()
            loss_fake = loss_fake.detach()

        inputs = [tensor.detach().requires_grad_(phase.regularise) for tensor in self.real_inputs(real, draws)]
        logits = self.discriminate(inputs, real_labels, draws)
        self.report("loss/scores/real", logits)
        self.report("loss/signs/real", logits.sign())
        if self.ada is not None:
            self.ada.observe(logits)
        total = logits.new_zeros([])
        if phase.main:
            loss_real = discriminator_loss(real_logits=logits)
            self.report("loss/D/loss", loss_fake + loss_real)
            total = total + loss_real.mean()
        if phase.regularise:
            penalty = r1_penalty(inputs, logits)
            self.report("loss/r1_penalty", penalty)
            self.report("loss/D/reg", penalty * (self.r1_gamma / 2))
            total = total + penalty.mul(self.r1_gamma / 2).mean()
        total.mul(phase.interval).backward()

    def configuration(self) -> dict[str, Any]:
        """What a resumed run must share with the run that it continues."""
        return {
            "model": type(self).__name__,
            "generator": network_config(self.generator),
            "discriminator": network_config(self.discriminator),
            "batch_size": self.batch_size,
            "seed": self.seed,
            "r1_gamma": self.r1_gamma,
            "style_mixing_prob": self.style_mixing_prob,
            "augmented": self.augment is not None,
            "learning_rate": list(self.learning_rate),
            "generator_interval": self.generator_interval,
            "discriminator_interval": self.discriminator_interval,
            "data": self._data_fingerprint(),
        }

    # One step --------------------------------------------------------------------------------------------------

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Adam for the generator, Adam for the discriminator."""
        return [
            lazy_adam(self.generator, self.learning_rate[0], self.betas, self.generator_interval),
            lazy_adam(self.discriminator, self.learning_rate[1], self.betas, self.discriminator_interval),
        ]

    def draws(self) -> Draws:
        """The random numbers of the step that starts at this clock."""
        rank, world_size = world()
        return Draws(self.seed, self.images_seen, self.device, rank, world_size)

    def training_step(self, batch: FaceBatch, batch_idx: int) -> None:
        """All phases that are due, then EMA, clock and augmentation strength."""
        draws = self.draws()
        real = to_float(batch.images)
        optimizers: Any = self.optimizers()
        step = self.images_seen // self.batch_size
        for phase in self.phases:
            if step % phase.interval == 0:
                optimizer = optimizers[0 if phase.network == "generator" else 1]
                self.run_phase(phase, optimizer, real, batch.cameras, draws)
        beta = ema_beta(self.images_seen, self.batch_size, self.ema_kimg, self.ema_rampup)
        update_ema(self.generator_ema, self.generator, beta)
        self.images_seen += self.batch_size
        if self.augment is not None and self.ada is not None:
            self.ada.step(self.augment.p, self.batch_size, sum_over_processes)

    def run_phase(self, phase: Phase, optimizer: Any, real: Tensor, labels: Tensor, draws: Draws) -> None:
        """Gradients of one phase over all micro batches, averaged over processes, and one optimiser step."""
        trained = self.generator if phase.network == "generator" else self.discriminator
        self.generator.requires_grad_(phase.network == "generator")
        self.discriminator.requires_grad_(phase.network == "discriminator")
        optimizer.zero_grad(set_to_none=True)
        fake_labels = self.sample_labels(len(real), draws)
        size = self.micro_batch or len(real)
        for start in range(0, len(real), size):
            part = slice(start, start + size)
            if phase.network == "generator":
                self.generator_phase(phase, len(real[part]), fake_labels[part], draws)
            else:
                self.discriminator_phase(phase, real[part], labels[part], fake_labels[part], draws)
        self.guard_gradients(phase, trained, rounds=-(-len(real) // size))
        optimizer.step()

    def guard_gradients(self, phase: Phase, network: nn.Module, rounds: int = 1) -> None:
        """Average gradients, report their norm, and replace what is not finite as the reference does.

        Raises TrainingDiverged when gradients were not finite `max_nonfinite` optimiser steps in a row.
        """
        where = f"{phase.network} ({phase.name}) at {self.images_seen / 1000:.3f} kimg"
        norm = self.guard.check(network, where, _ADVICE, self.print, rounds)
        if norm is not None:
            self.report(f"grad_norm/{phase.name}", norm)

    def augmented(self, images: Tensor, draws: Draws) -> Tensor:
        """Images as the discriminator sees them."""
        return images if self.augment is None else self.augment(images, rand=draws.rand, randn=draws.randn)

    def mixed(self, ws: Tensor, labels: Tensor, draws: Draws) -> Tensor:
        """ws (N, num_ws, w_dim) of which the last layers sometimes have another style (Karras et al. 2019, 3.1)."""
        if self.style_mixing_prob == 0:
            return ws
        cutoff = draws.cutoff(1, ws.shape[1])
        chosen = draws.chance() < self.style_mixing_prob
        z = draws.randn([len(ws), self.generator.z_dim])
        if not chosen:
            return ws
        other = self.generator.mapping(z, labels, update_w_avg=False)
        return torch.cat([ws[:, :cutoff], other[:, cutoff:]], dim=1)

    def sample_labels(self, count: int, draws: Draws) -> Tensor:
        """Labels of random training images, for generated ones (count, c_dim)."""
        if self._label_pool is None:
            return torch.zeros([count, 0], device=self.device)
        return self._label_pool[draws.indices(len(self._label_pool), count).to(self.device)]

    def report(self, name: str, values: Tensor) -> None:
        """Add values to the figures of the current tick."""
        self.statistics.add(name, values)

    @property
    def networks(self) -> dict[str, nn.Module]:
        """What is trained, by name."""
        return {"generator": self.generator, "discriminator": self.discriminator}

    @property
    def mapping(self) -> Any:
        """The mapping network, which keeps the average w."""
        return self.generator.mapping

    def track_w(self, ws: Tensor) -> None:
        """Update the generator's average w from the whole batch of all processes."""
        self.mapping.track(mean_over_processes(ws[:, 0].detach().mean(dim=0)))

    # Start, save, restore --------------------------------------------------------------------------------------

    def on_fit_start(self) -> None:
        """Take the labels that generated images are conditioned on from the data module."""
        labels = self.trainer.datamodule.label_pool  # type: ignore[attr-defined]
        self._label_pool = None if labels is None else labels.to(self.device)

    def _data_fingerprint(self) -> str | None:
        data = self._trainer.datamodule if self._trainer is not None else None  # type: ignore[attr-defined]
        return None if data is None else data.recipe.fingerprint

    def _set_precision(self, precision: Precision) -> None:
        if precision not in HALF_DTYPES:
            raise ValueError(f"precision: got {precision!r}, expected one of {', '.join(HALF_DTYPES)}")
        for module in self.modules():
            if hasattr(module, "half_dtype"):
                module.half_dtype = HALF_DTYPES[precision]  # type: ignore[assignment]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the clock, the configuration and the unfinished statistics; plain values only."""
        checkpoint["facegen"] = {"generator": network_config(self.generator), **progress(self)}
