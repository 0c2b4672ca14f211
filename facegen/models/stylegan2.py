"""StyleGAN2 with adaptive augmentation as a LightningModule (Karras et al. 2020a, 2020b)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from facegen.losses import path_length, path_length_penalty
from facegen.models.adversarial import AdversarialTraining, Augment, Auto, Precision, augment_pipe
from facegen.models.distributed import mean_over_processes
from facegen.models.draws import Draws
from facegen.networks.ada import AdaController
from facegen.networks.stylegan2 import Discriminator, Generator


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
        augment: Augment = "ada",
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
        rate = (0.002 if resolution >= 1024 else 0.0025) if learning_rate == "auto" else learning_rate
        super().__init__(
            Generator(c_dim=c_dim, img_resolution=resolution, **(generator or {})),
            Discriminator(c_dim=c_dim, img_resolution=resolution, **(discriminator or {})),
            batch_size=batch_size,
            learning_rate=(rate, rate),
            r1_gamma=auto_gamma(resolution, batch_size) if r1_gamma == "auto" else r1_gamma,
            style_mixing_prob=style_mixing_prob,
            generator_interval=pl_interval,
            discriminator_interval=r1_interval,
            ema_kimg=batch_size * 10 / 32 if ema_kimg == "auto" else ema_kimg,
            ema_rampup=ema_rampup,
            augment=augment_pipe(augment, augment_set, augment_p),
            ada=AdaController(ada_target, ada_kimg, ada_interval) if augment == "ada" else None,
            micro_batch=micro_batch,
            precision=precision,
            seed=seed,
            max_nonfinite=max_nonfinite,
        )
        self.pl_weight, self.pl_batch_shrink, self.pl_decay = pl_weight, pl_batch_shrink, pl_decay
        self.register_buffer("pl_mean", torch.zeros([]))
        self.pl_mean: Tensor
        if pl_weight == 0 and pl_interval is not None:
            self.phases = [phase for phase in self.phases if phase.name != "Greg"]

    def configuration(self) -> dict[str, Any]:
        """Everything that decides the next step, apart from the data."""
        return super().configuration() | {
            "pl": [self.pl_weight, self.pl_batch_shrink, self.pl_decay],
        }

    def synthesize(self, z: Tensor, labels: Tensor, draws: Draws, track: bool) -> tuple[Sequence[Tensor], Tensor]:
        """Images (N, 3, R, R); see `images_and_ws`."""
        images, _ = self.images_and_ws(z, labels, draws)
        return [images], labels

    def images_and_ws(self, z: Tensor, labels: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Images (N, 3, R, R) and the ws they were made from, with style mixing (Karras et al. 2019, section 3.1)."""
        ws = self.generator.mapping(z, labels, update_w_avg=False)
        self.track_w(ws)
        ws = self.mixed(ws, labels, draws)
        return self.generator.synthesis(ws, noise_mode=self.noise_mode, randn=draws.randn), ws

    def discriminate(self, inputs: Sequence[Tensor], labels: Tensor, draws: Draws) -> Tensor:
        """Logits (N, 1) of augmented images."""
        return self.discriminator(self.augmented(inputs[0], draws), labels)

    def regulariser(self, z: Tensor, labels: Tensor, draws: Draws) -> Tensor:
        """Keep the path length constant (Karras et al. 2020, section 3.2)."""
        part = max(len(z) // self.pl_batch_shrink, 1)
        images, ws = self.images_and_ws(z[:part], labels[:part], draws)
        lengths = path_length(images, ws, draws.randn(images.shape))
        average = self.pl_mean.lerp(mean_over_processes(lengths.mean()), self.pl_decay)
        self.pl_mean.copy_(average.detach())
        penalty = path_length_penalty(lengths, average)
        self.report("loss/pl_penalty", penalty)
        self.report("loss/G/reg", penalty * self.pl_weight)
        return (penalty * self.pl_weight).mean()
