"""What every diffusion model here trains with: latents, noise, weighted errors, AdamW, averages, a clock in images.

A model says which networks are trained and what they predict; this module has the step. `generator_ema` is what people
see: it holds the averaged copies, and what is frozen.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import lightning.pytorch as pl
import torch
from torch import Tensor, nn

from facegen.checkpoint import network_config
from facegen.data.batch import FaceBatch
from facegen.data.condition_values import condition_values
from facegen.models.adversarial import to_float
from facegen.models.averages import Averages
from facegen.models.condition_values import dropout_masks
from facegen.models.conditioning import FaceConditions
from facegen.models.distributed import world
from facegen.models.draws import Draws
from facegen.models.gradients import GradientGuard
from facegen.models.precision import MixedPrecision, is_bfloat16
from facegen.models.resume import Resumable
from facegen.models.statistics import RunningMeans
from facegen.networks.diffusion import Context, LatentGenerator

MOMENTS = "moments"  # of latents, where a batch has them already
_ADVICE = "Lower the learning rate, or use precision=32-true"


class Noised(NamedTuple):
    """A batch of training: samples of which the denoiser is to find the noise."""

    clean: Tensor  # (N, C, h, w) latents
    noise: Tensor
    t: Tensor  # (N,)
    values: Mapping[str, Any]  # of conditions
    kept: Mapping[str, Tensor]  # which of them are told
    extra: Any  # what a model adds; sliced by itself

    def part(self, rows: slice) -> "Noised":
        """Some of the rows, all but `extra`."""
        values = {name: value[rows] for name, value in self.values.items()}
        kept = {name: value[rows] for name, value in self.kept.items()}
        return Noised(self.clean[rows], self.noise[rows], self.t[rows], values, kept, self.extra)


class DenoisingTraining(Resumable, pl.LightningModule):
    """Training of denoisers of latents, with everything but what they are.

    generator_ema: the whole model, whose averaged parts, `trained`, follow `networks`. batch_size: images per step over
    all processes; micro_batch: images at a time, where memory is short. base_rate: learning rate for each image of a
    batch, as published; warmup_kimg: it grows linearly so long. ema and what begins with it: see `Averages`.
    cache_latents: encode every picture once, before training.
    """

    averaged = "generator_ema"  # the network that is kept
    faces: FaceConditions | None = None  # sees coefficients in pictures of faces that come without

    def __init__(
        self,
        generator_ema: LatentGenerator,
        trained: Mapping[str, nn.Module],
        *,
        batch_size: int,
        base_rate: float,
        warmup_kimg: float = 0.0,
        weight_decay: float = 0.01,
        ema: Literal["warmup", "half_life", "power"] = "warmup",
        ema_decay: float = 0.9999,
        ema_kimg: float = 10.0,
        ema_stds: tuple[float, ...] = (0.05, 0.1),
        micro_batch: int | None = None,
        cache_latents: bool = True,
        precision: MixedPrecision = "32-true",
        seed: int = 0,
        max_nonfinite: int = 20,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        if not base_rate > 0 or warmup_kimg < 0:
            raise ValueError(
                f"base_rate: got {base_rate} and warmup_kimg {warmup_kimg}, expected above 0, and 0 or more"
            )
        self.generator_ema = generator_ema.eval().requires_grad_(False)
        self.averages = Averages(ema, ema_decay, ema_kimg, ema_stds).start(trained)
        self.batch_size, self.micro_batch, self.seed = batch_size, micro_batch, seed
        self.base_rate, self.warmup_images, self.weight_decay = base_rate, round(warmup_kimg * 1000), weight_decay
        self.cache_latents, self.is_half = cache_latents, is_bfloat16(precision)
        self.guard = GradientGuard(max_nonfinite)
        self.images_seen = 0
        self.statistics = RunningMeans()

    # What a model defines --------------------------------------------------------------------------------------

    @property
    def networks(self) -> dict[str, nn.Module]:
        """What is trained, by name."""
        raise TypeError(f"{type(self).__name__} defines no networks")

    def averaged_parts(self) -> dict[str, nn.Module]:
        """The part of `generator_ema` that follows each of `networks`."""
        return {name: getattr(self.generator_ema, name) for name in self.networks}

    def extra(self, batch: FaceBatch, draws: Draws) -> Any:
        """What the model's prediction needs beside latents and conditions."""
        return None

    def prediction(self, x: Tensor, noised: Noised, rows: slice) -> Tensor:
        """The denoiser's prediction of noised latents x, which are these rows of the batch."""
        raise TypeError(f"{type(self).__name__} defines no prediction")

    # One step --------------------------------------------------------------------------------------------------

    @property
    def process(self) -> Any:
        """How latents are noised, and what is predicted."""
        return self.generator_ema.process

    @property
    def learning_rate(self) -> float:
        """Of this step."""
        rate = self.base_rate * self.batch_size
        return rate * min(1.0, (self.images_seen + self.batch_size) / max(self.warmup_images, 1))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW over everything that is trained."""
        trained = [p for network in self.networks.values() for p in network.parameters() if p.requires_grad]
        return torch.optim.AdamW(trained, lr=self.learning_rate, weight_decay=self.weight_decay, fused=True)

    def training_step(self, batch: FaceBatch, batch_idx: int) -> None:
        """Noise, predict, step; then averages and clock."""
        rank, world_size = world()
        noised = self.noised(batch, Draws(self.seed, self.images_seen, self.device, rank, world_size))
        optimizer: Any = self.optimizers()
        for group in optimizer.param_groups:
            group["lr"] = self.learning_rate
        optimizer.zero_grad(set_to_none=True)
        count = len(noised.clean)
        size = self.micro_batch or count
        for start in range(0, count, size):
            rows = slice(start, start + size)
            loss = self.loss(noised.part(rows), rows)
            (loss.sum() / count).backward()
        self._check_gradients()
        optimizer.step()
        self.images_seen += self.batch_size
        self.averages.update(self.averaged_parts(), self.networks, self.images_seen, self.batch_size)

    @torch.no_grad()
    def noised(self, batch: FaceBatch, draws: Draws) -> Noised:
        """Latents of a batch with the random numbers of a step."""
        moments = self.moments(batch)
        stage = self.generator_ema.first_stage
        shape = [len(moments), *self.generator_ema.latent_shape]
        clean = stage.latents(moments, draws.randn(shape))
        noise, t = draws.randn(shape), self.process.times(draws.rand([len(moments)]))
        conditioner = self.generator_ema.conditioner
        if conditioner is None:
            return Noised(clean, noise, t, {}, {}, self.extra(batch, draws))
        values = condition_values(conditioner, batch, draws, self.faces)
        return Noised(clean, noise, t, values, dropout_masks(conditioner, len(clean), draws), self.extra(batch, draws))

    def moments(self, batch: FaceBatch) -> Tensor:
        """What the first stage says of the images, from the batch where it has it."""
        found = batch.conditions.get(MOMENTS)
        return self.generator_ema.first_stage.encode(to_float(batch.images)) if found is None else found

    def loss(self, noised: Noised, rows: slice) -> Tensor:
        """Weighted squared errors of each sample, (N,)."""
        x = self.process.noised(noised.clean, noised.noise, noised.t)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.is_half):
            prediction = self.prediction(x, noised, rows)
        errors = self.process.errors(prediction.float(), noised.clean, noised.noise, noised.t)
        weighted = errors * self.process.weights(noised.t)
        self._report(errors.detach(), weighted.detach(), noised.t)
        return weighted

    def _report(self, errors: Tensor, weighted: Tensor, t: Tensor) -> None:
        """Figures of the tick: the loss, and errors for little, middling and much noise."""
        self.statistics.add("loss/total", weighted)
        self.statistics.add("loss/mse", errors)
        third = (t.double() * 3 / self.process.num_steps).long().clamp(max=2)
        for number, name in enumerate(("low", "middle", "high")):
            self.statistics.add(f"loss/mse_{name}_noise", errors[third == number])

    def _check_gradients(self) -> None:
        network = nn.ModuleDict(self.networks)
        where = f"networks at {self.images_seen / 1000:.3f} kimg"
        norm = self.guard.check(network, where, _ADVICE, self.print)
        if norm is not None:
            self.statistics.add("grad_norm", norm)

    # Start, save, restore --------------------------------------------------------------------------------------

    def check_data(self, data: Any) -> None:
        """Raise ValueError, before anything is written, for data of another size or without what a step tells."""
        generator: Any = self.generator_ema
        self._check_size(data)
        batch, draws = data.dataset[[0]], Draws(self.seed, 0)
        conditioner = generator.conditioner
        told = {} if conditioner is None else condition_values(conditioner, batch, draws, self.faces)
        generator.denoiser.check_inputs(torch.zeros(1, *generator.latent_shape), generator.embed(told, 1))
        self.extra(batch, draws)

    def _check_size(self, data: Any) -> None:
        if data.resolution != (side := self.generator_ema.img_resolution):
            expected = f"expected {side}, which the first stage was made for"
            raise ValueError(f"resolution: got {data.resolution} pixels, {expected}")

    def on_fit_start(self) -> None:
        """Encode the pictures once, where that is wanted. Raises ValueError for pictures of another size."""
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        self._check_size(data)
        if self.cache_latents:
            data.attach_latents(self.generator_ema.first_stage, self.device, images=self.needs_images)

    @property
    def needs_images(self) -> bool:
        """Whether a step looks at the pictures themselves, beside their latents."""
        return self.faces is not None

    def configuration(self) -> dict[str, Any]:
        """What a resumed run must share with the run that it continues."""
        data: Any = self._trainer.datamodule if self._trainer is not None else None  # type: ignore[attr-defined]
        network = network_config(self.generator_ema)
        return {
            "model": type(self).__name__,
            "network": {name: value for name, value in network.items() if name != "sampling"},
            "batch_size": self.batch_size,
            "seed": self.seed,
            "optimiser": [self.base_rate, self.warmup_images, self.weight_decay],
            "averages": self.averages.configuration(),
            "data": None if data is None else data.recipe.fingerprint,
        }


def context_of(conditioner: Any, noised: Noised) -> Context:
    """What a conditioner, the one in training or an averaged one, makes of a batch's conditions."""
    return Context() if conditioner is None else conditioner(noised.values, len(noised.clean), noised.kept)
