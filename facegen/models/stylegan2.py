"""StyleGAN2 with adaptive augmentation as a LightningModule (Karras et al. 2020a, 2020b)."""

from typing import Any, Literal

import torch
from torch import Tensor

from facegen.losses import discriminator_loss, generator_loss, path_length, path_length_penalty, r1_penalty
from facegen.models.adversarial import AdversarialTraining, Phase, Precision
from facegen.models.distributed import mean_over_processes
from facegen.models.draws import Draws
from facegen.networks.ada import AUGMENT_PRESETS, AdaController, AugmentPipe
from facegen.networks.stylegan2 import Discriminator, Generator

Auto = Literal["auto"]


def auto_gamma(resolution: int, batch_size: int) -> float:
    """R1 weight by the published heuristic of the `auto` configuration."""
    return 0.0002 * resolution**2 / batch_size


class StyleGAN2(AdversarialTraining):
    """StyleGAN2 training. `"auto"` values follow the published heuristics from resolution and batch size.

    batch_size: images per step over all processes, the unit of the clock. generator, discriminator: further constructor
    arguments of the networks. augment: `ada` (controlled strength), `fixed` (strength `augment_p`) or `none`.
    """

    def __init__(
        self,
        resolution: int = 64,
        c_dim: int = 0,
        batch_size: int = 32,
        generator: dict[str, Any] | None = None,
        discriminator: dict[str, Any] | None = None,
        learning_rate: float | Auto = "auto",
        r1_gamma: float | Auto = "auto",
        r1_interval: int | None = 16,
        pl_weight: float = 2.0,
        pl_interval: int | None = 4,
        pl_batch_shrink: int = 2,
        pl_decay: float = 0.01,
        style_mixing_prob: float = 0.9,
        ema_kimg: float | Auto = "auto",
        ema_rampup: float | None = 0.05,
        augment: Literal["ada", "fixed", "none"] = "ada",
        augment_set: str = "bgc",
        augment_p: float = 0.0,
        ada_target: float = 0.6,
        ada_interval: int = 4,
        ada_kimg: float = 500,
        micro_batch: int | None = None,
        precision: Precision = "32-true",
        seed: int = 0,
        max_nonfinite: int = 20,
    ) -> None:
        if augment not in ("ada", "fixed", "none"):
            raise ValueError(f"augment: got {augment!r}, expected ada, fixed or none")
        if augment_set not in AUGMENT_PRESETS:
            raise ValueError(f"augment_set: got {augment_set!r}, expected one of {', '.join(AUGMENT_PRESETS)}")
        rate = (0.002 if resolution >= 1024 else 0.0025) if learning_rate == "auto" else learning_rate
        pipe = None if augment == "none" else AugmentPipe(**AUGMENT_PRESETS[augment_set])
        if pipe is not None:
            pipe.p.fill_(augment_p)
        super().__init__(
            Generator(c_dim=c_dim, img_resolution=resolution, **(generator or {})),
            Discriminator(c_dim=c_dim, img_resolution=resolution, **(discriminator or {})),
            batch_size=batch_size,
            learning_rate=(rate, rate),
            generator_interval=pl_interval,
            discriminator_interval=r1_interval,
            ema_kimg=batch_size * 10 / 32 if ema_kimg == "auto" else ema_kimg,
            ema_rampup=ema_rampup,
            augment=pipe,
            ada=AdaController(ada_target, ada_kimg, ada_interval) if augment == "ada" else None,
            micro_batch=micro_batch,
            precision=precision,
            seed=seed,
            max_nonfinite=max_nonfinite,
        )
        self.r1_gamma = auto_gamma(resolution, batch_size) if r1_gamma == "auto" else r1_gamma
        self.pl_weight, self.pl_batch_shrink, self.pl_decay = pl_weight, pl_batch_shrink, pl_decay
        self.style_mixing_prob = style_mixing_prob
        self.noise_mode: Literal["random", "const", "none"] = "random"
        self.register_buffer("pl_mean", torch.zeros([]))
        self.pl_mean: Tensor
        if pl_weight == 0 and pl_interval is not None:
            self.phases = [phase for phase in self.phases if phase.name != "Greg"]

    def configuration(self) -> dict[str, Any]:
        """Everything that decides the next step, apart from the data."""
        return super().configuration() | {
            "r1_gamma": self.r1_gamma,
            "pl": [self.pl_weight, self.pl_batch_shrink, self.pl_decay],
            "style_mixing_prob": self.style_mixing_prob,
            "augmented": self.augment is not None,
        }

    def synthesize(self, z: Tensor, labels: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Images (N, 3, R, R) and the ws they were made from, with style mixing (Karras et al. 2019, section 3.1)."""
        ws = self.generator.mapping(z, labels, update_w_avg=False)
        self.track_w(ws)
        if self.style_mixing_prob > 0:
            cutoff = draws.cutoff(1, ws.shape[1])
            mixed = draws.chance() < self.style_mixing_prob
            z_mix = draws.randn(z.shape)
            if mixed:
                other = self.generator.mapping(z_mix, labels, update_w_avg=False)
                ws = torch.cat([ws[:, :cutoff], other[:, cutoff:]], dim=1)
        return self.generator.synthesis(ws, noise_mode=self.noise_mode, randn=draws.randn), ws

    def discriminate(self, images: Tensor, labels: Tensor, draws: Draws) -> Tensor:
        """Logits (N, 1) of augmented images."""
        return self.discriminator(self.augmented(images, draws), labels)

    def generator_phase(self, phase: Phase, batch: int, labels: Tensor, draws: Draws) -> None:
        """Fool the discriminator; keep the path length constant."""
        z = draws.randn([batch, self.generator.z_dim])
        if phase.main:
            images, _ = self.synthesize(z, labels, draws)
            logits = self.discriminate(images, labels, draws)
            loss = generator_loss(logits)
            self.report("loss/scores/fake", logits)
            self.report("loss/signs/fake", logits.sign())
            self.report("loss/G/loss", loss)
            loss.mean().mul(phase.interval).backward()
        if phase.regularise:
            part = max(batch // self.pl_batch_shrink, 1)
            images, ws = self.synthesize(z[:part], labels[:part], draws)
            lengths = path_length(images, ws, draws.randn(images.shape))
            average = self.pl_mean.lerp(mean_over_processes(lengths.mean()), self.pl_decay)
            self.pl_mean.copy_(average.detach())
            penalty = path_length_penalty(lengths, average)
            self.report("loss/pl_penalty", penalty)
            self.report("loss/G/reg", penalty * self.pl_weight)
            (penalty * self.pl_weight).mean().mul(phase.interval).backward()

    def discriminator_phase(
        self, phase: Phase, real: Tensor, real_labels: Tensor, fake_labels: Tensor, draws: Draws
    ) -> None:
        """Tell real images from generated ones; keep the gradient at real images small."""
        loss_fake: Tensor | float = 0.0
        if phase.main:
            with torch.no_grad():
                images, _ = self.synthesize(draws.randn([len(real), self.generator.z_dim]), fake_labels, draws)
            logits = self.discriminate(images, fake_labels, draws)
            loss_fake = discriminator_loss(fake_logits=logits)
            self.report("loss/scores/fake", logits)
            self.report("loss/signs/fake", logits.sign())
            loss_fake.mean().mul(phase.interval).backward()
            loss_fake = loss_fake.detach()

        real = real.detach().requires_grad_(phase.regularise)
        logits = self.discriminate(real, real_labels, draws)
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
            penalty = r1_penalty(real, logits)
            self.report("loss/r1_penalty", penalty)
            self.report("loss/D/reg", penalty * (self.r1_gamma / 2))
            total = total + penalty.mul(self.r1_gamma / 2).mean()
        total.mul(phase.interval).backward()
