"""Training of a first stage of latent diffusion: an autoencoder, and a discriminator of patches that it has to fool."""

import copy
from collections.abc import Mapping
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn

from facegen.checkpoint import network_config
from facegen.data.batch import FaceBatch
from facegen.losses.first_stage import (
    adaptive_weight,
    hinge_discriminator_loss,
    hinge_generator_loss,
    kl_divergence,
    psnr,
    reconstruction_nll,
)
from facegen.losses.perceptual import perceptual_distance
from facegen.models.adversarial import to_float
from facegen.models.autoencoder_scale import LatentScale
from facegen.models.distributed import mean_over_processes, world
from facegen.models.draws import Draws
from facegen.models.gradients import GradientGuard
from facegen.models.precision import MixedPrecision, is_bfloat16
from facegen.models.resume import Resumable
from facegen.models.schedule import ema_beta, update_ema
from facegen.models.statistics import RunningMeans
from facegen.networks.diffusion.first_stage import FirstStage, Reconstructed, gaussian
from facegen.networks.diffusion.patch_discriminator import PatchDiscriminator

_ADVICE = "Lower the learning rate, or start the discriminator later"
_BETAS = (0.5, 0.9)  # of both Adams, as published


class Autoencoder(Resumable, pl.LightningModule):
    """Reconstruction, KL or codebook, and adversarial loss, with Adam; `network_ema` is what is kept.

    network: arguments of `FirstStage`. discriminator: arguments of `PatchDiscriminator`; None: no adversarial loss.
    batch_size: images per step over all processes. base_rate: learning rate for each image of a batch, as published.
    kl_weight, codebook_weight: of the loss that keeps latents small, and of the codes' (the other kind's is not used).
    perceptual: what `perceptual_distance` takes, times `perceptual_weight` (0: without). log_variance: of the
    likelihood of KL models; the published one is a parameter that no optimiser moves. disc_weight: of the adversarial
    loss from `disc_start_kimg` on, relative to the reconstruction's gradient. ema_kimg: half-life of the averaged
    weights; 0 keeps the newest, as published. measure_scale: whether `scaling_factor` follows the latents, 1 / their
    standard deviation. The discriminator sees the reconstructions that the autoencoder was just trained on; the
    published code makes them anew. Each process normalises its own part of what the discriminator sees.
    Raises TrainingDiverged when gradients were not finite `max_nonfinite` steps in a row.
    """

    averaged = "network_ema"  # the network that is kept

    def __init__(
        self,
        network: Mapping[str, Any],
        discriminator: Mapping[str, Any] | None = None,
        batch_size: int = 8,
        base_rate: float = 4.5e-6,
        kl_weight: float = 1e-6,
        codebook_weight: float = 1.0,
        perceptual: str = "auto",
        perceptual_weight: float = 1.0,
        log_variance: float = 0.0,
        disc_weight: float = 0.5,
        disc_start_kimg: float = 0.0,
        ema_kimg: float = 0.0,
        measure_scale: bool = True,
        precision: MixedPrecision = "32-true",
        seed: int = 0,
        max_nonfinite: int = 20,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.network = FirstStage(**network)
        self.network_ema = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.discriminator = None if discriminator is None else PatchDiscriminator(**discriminator)
        self.distance = perceptual_distance(perceptual, self.network.img_resolution) if perceptual_weight else None
        self.scale = LatentScale() if measure_scale else None
        self.batch_size, self.seed, self.learning_rate = batch_size, seed, base_rate * batch_size
        self.kl_weight, self.codebook_weight = kl_weight, codebook_weight
        self.perceptual_weight, self.log_variance = perceptual_weight, log_variance
        self.disc_weight, self.disc_start_images = disc_weight, round(disc_start_kimg * 1000)
        self.ema_kimg, self.is_half = ema_kimg, is_bfloat16(precision)
        self.guard = GradientGuard(max_nonfinite)
        self.images_seen = 0
        self.statistics = RunningMeans()

    @property
    def networks(self) -> dict[str, nn.Module]:
        """What is trained, by name."""
        other = {} if self.discriminator is None else {"discriminator": self.discriminator}
        return {"network": self.network, **other}

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Adam for each network."""
        rate = self.learning_rate
        return [torch.optim.Adam(n.parameters(), lr=rate, betas=_BETAS, fused=True) for n in self.networks.values()]

    # One step --------------------------------------------------------------------------------------------------

    def training_step(self, batch: FaceBatch, batch_idx: int) -> None:
        """One step of the autoencoder, one of the discriminator, then average, scale and clock."""
        rank, world_size = world()
        draws = Draws(self.seed, self.images_seen, self.device, rank, world_size)
        images = to_float(batch.images)
        optimizers: Any = self.optimizers()
        optimizers = optimizers if isinstance(optimizers, list) else [optimizers]
        made = self._train_network(images, optimizers[0], draws)
        if self._is_adversarial():
            self._train_discriminator(images, made.images.detach(), optimizers[1])
        if self.scale is not None:
            self.scale.observe(self.network, made.latents.detach())
        update_ema(self.network_ema, self.network, ema_beta(self.images_seen, self.batch_size, self.ema_kimg, 0.05))
        self.images_seen += self.batch_size

    def _is_adversarial(self) -> bool:
        return self.discriminator is not None and self.images_seen >= self.disc_start_images

    def _train_network(self, images: Tensor, optimizer: Any, draws: Draws) -> Reconstructed:
        optimizer.zero_grad(set_to_none=True)
        self._freeze_discriminator(True)
        size = [len(images), self.network.latent_channels, *(side // self.network.factor for side in images.shape[2:])]
        noise = draws.randn(size) if self.network.kind == "kl" else None
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.is_half):
            made = self.network(images, noise)
        made = made._replace(images=made.images.float())
        reconstruction = self.reconstruction_loss(made.images, images)
        total = reconstruction + self.latent_loss(made)
        if self._is_adversarial():
            total = total + self.adversarial_loss(made.images, reconstruction)
        total.backward()
        self._step(self.network, "network", optimizer)
        self.statistics.add("loss/total", total)
        return made

    def reconstruction_loss(self, images: Tensor, targets: Tensor) -> Tensor:
        """Sum per sample for KL models, mean for VQ models, as published."""
        is_kl, perceptual = self.network.kind == "kl", None
        if self.distance is not None:
            perceptual = self.perceptual_weight * self.distance(images, targets)
            self.statistics.add("loss/perceptual", perceptual)
        nll = reconstruction_nll(images, targets, perceptual, self.log_variance if is_kl else 0.0)
        errors = (images - targets).detach()
        self.statistics.add("loss/absolute", errors.abs().mean())
        self.statistics.add("psnr", psnr(errors))
        return nll.sum() / len(images) if is_kl else nll.mean()

    def latent_loss(self, made: Reconstructed) -> Tensor:
        """The weighted divergence of KL models, the weighted loss of VQ models' codes."""
        if made.quantised is not None:
            used = torch.unique(made.quantised.indices).numel()
            self.statistics.add("loss/codebook", made.quantised.loss)
            self.statistics.add("codes_used", made.quantised.loss.new_tensor(float(used)))
            return self.codebook_weight * made.quantised.loss
        divergence = kl_divergence(*gaussian(made.moments.float()))
        self.statistics.add("loss/kl", divergence)
        return self.kl_weight * divergence.mean()

    def adversarial_loss(self, images: Tensor, reconstruction: Tensor) -> Tensor:
        """What fools the discriminator, weighted so that it pulls as hard at the last layer as the reconstruction."""
        assert self.discriminator is not None
        loss = hinge_generator_loss(self.discriminator(images))
        layer = self.network.last_layer
        pulls = [torch.autograd.grad(x, layer, retain_graph=True)[0] for x in (reconstruction, loss)]
        weight = adaptive_weight(mean_over_processes(pulls[0]), mean_over_processes(pulls[1]))
        self.statistics.add("loss/adversarial", loss)
        self.statistics.add("adversarial_weight", weight)
        return self.disc_weight * weight * loss

    def _train_discriminator(self, real: Tensor, made: Tensor, optimizer: Any) -> None:
        assert self.discriminator is not None
        self._freeze_discriminator(False)
        optimizer.zero_grad(set_to_none=True)
        real_logits, fake_logits = self.discriminator(real), self.discriminator(made)
        loss = hinge_discriminator_loss(real_logits, fake_logits)
        loss.backward()
        self._step(self.discriminator, "discriminator", optimizer)
        for name, values in {"scores/real": real_logits, "scores/fake": fake_logits, "discriminator": loss}.items():
            self.statistics.add(f"loss/{name}", values)

    def _freeze_discriminator(self, frozen: bool) -> None:
        if self.discriminator is not None:
            self.discriminator.requires_grad_(not frozen)

    def _step(self, network: nn.Module, name: str, optimizer: Any) -> None:
        where = f"{name} at {self.images_seen / 1000:.3f} kimg"
        norm = self.guard.check(network, where, _ADVICE, self.print)
        if norm is not None:
            self.statistics.add(f"grad_norm/{name}", norm)
        optimizer.step()

    # Save, restore -----------------------------------------------------------------------------------------------

    def configuration(self) -> dict[str, Any]:
        """What a resumed run must share with the run that it continues."""
        data: Any = self._trainer.datamodule if self._trainer is not None else None  # type: ignore[attr-defined]
        return {
            "model": type(self).__name__,
            "network": network_config(self.network),
            "discriminator": None if self.discriminator is None else network_config(self.discriminator),
            "batch_size": self.batch_size,
            "seed": self.seed,
            "learning_rate": self.learning_rate,
            "weights": [self.kl_weight, self.codebook_weight, self.perceptual_weight, self.disc_weight],
            "perceptual": None if self.distance is None else self.distance.name,
            "log_variance": self.log_variance,
            "disc_start_images": self.disc_start_images,
            "ema_kimg": self.ema_kimg,
            "measure_scale": self.scale is not None,
            "data": None if data is None else data.recipe.fingerprint,
        }
