"""EG3D (Chan et al. 2022) and LPFF's variants of it (Wu et al. 2023) as a LightningModule."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from facegen.data.batch import FaceBatch
from facegen.geometry.cameras import LABEL_SIZE
from facegen.losses import density_monotonicity, density_smoothness
from facegen.models.adversarial import AdversarialTraining, Augment, Auto, Precision, augment_pipe
from facegen.models.consistency import Consistency, load_consistency
from facegen.models.draws import Draws
from facegen.models.schedule import Phase
from facegen.networks.ada import AdaController
from facegen.networks.eg3d import (
    DualDiscriminator,
    DummyDualDiscriminator,
    ImagePair,
    SingleDiscriminator,
    TriPlaneGenerator,
    blur,
    filtered_resizing,
)
from facegen.networks.eg3d.generator import FFHQ_RENDERING
from facegen.ops import setup_filter

DISCRIMINATORS = {"dual": DualDiscriminator, "dummy_dual": DummyDualDiscriminator, "single": SingleDiscriminator}
RAW_FADE_KIMG = 500.0  # over which the renderings fade from a `dummy_dual` discriminator
_STEP_BEHIND = 1 / 256  # of the volume's side
_POINTS, _MONOTONIC_POINTS = 1000, 2000


class Fade(NamedTuple):
    """A value that moves linearly from `start` to `end` over the first `kimg` thousand images."""

    start: float
    end: float
    kimg: float

    def at(self, images_seen: int) -> float:
        """The value at the clock; `end` throughout where `kimg` is 0."""
        share = min(images_seen / (self.kimg * 1000), 1.0) if self.kimg > 0 else 1.0
        return (1 - share) * self.start + share * self.end


class EG3D(AdversarialTraining):
    """EG3D training. Names and defaults are the published ones for faces.

    batch_size: images per step over all processes. rendering: entries that replace those of
    `networks.eg3d.generator.FFHQ_RENDERING`. generator, discriminator: further arguments of the networks.
    learning_rate: of the generator and of the discriminator.
    density_reg: weight of the density regulariser in the form `reg_type`, every `density_interval` batches;
    density_reg_p_dist: standard deviation of its offsets, in world units.
    gpc_reg_prob: probability that the mapping network is told another sample's camera, reached from 1 over
    gpc_reg_fade_kimg; null tells it nothing. `rendering.c_gen_conditioning_avg` tells it the average camera (LPFF's
    var3).
    neural_rendering_resolution_*: side of the renderings; it moves to `final` over `fade_kimg` where that is given.
    blur_*: blur of what the discriminator sees, which ends after blur_fade_kimg.
    consistency: arguments of `models.consistency.load_consistency`, a loss on what a frozen network sees in samples.
    """

    def __init__(
        self,
        resolution: int = 512,
        c_dim: int = LABEL_SIZE,
        batch_size: int = 32,
        generator: dict[str, Any] | None = None,
        discriminator: dict[str, Any] | None = None,
        rendering: dict[str, Any] | None = None,
        discriminator_type: Literal["dual", "dummy_dual", "single"] = "dual",
        learning_rate: tuple[float, float] = (0.0025, 0.002),
        r1_gamma: float = 1.0,
        r1_interval: int | None = 16,
        density_reg: float = 0.25,
        density_reg_p_dist: float = 0.004,
        reg_type: Literal["l1", "monotonic-detach", "monotonic-fixed"] = "l1",
        density_interval: int | None = 4,
        gpc_reg_prob: float | None = 0.5,
        gpc_reg_fade_kimg: float = 1000.0,
        neural_rendering_resolution_initial: int = 64,
        neural_rendering_resolution_final: int | None = None,
        neural_rendering_resolution_fade_kimg: float = 1000.0,
        blur_init_sigma: float = 10.0,
        blur_fade_kimg: float = 200.0,
        filter_mode: str | float = "antialiased",
        style_mixing_prob: float = 0.0,
        ema_kimg: float | Auto = "auto",
        ema_rampup: float | None = 0.05,
        augment: Augment = "none",
        augment_set: str = "bgc",
        augment_p: float = 0.0,
        ada_target: float = 0.6,
        ada_interval: int = 4,
        ada_kimg: float = 500,
        micro_batch: int | None = None,
        precision: Precision = "32-true",
        seed: int = 0,
        max_nonfinite: int = 20,
        consistency: dict[str, Any] | None = None,
    ) -> None:
        _check(c_dim, discriminator_type, reg_type, gpc_reg_prob)
        settings = {**FFHQ_RENDERING, "image_resolution": resolution, **(rendering or {})}
        first = neural_rendering_resolution_initial
        generator_lr, discriminator_lr = learning_rate
        super().__init__(
            TriPlaneGenerator(
                c_dim=c_dim,
                img_resolution=resolution,
                rendering_kwargs=settings,
                neural_rendering_resolution=first,
                **(generator or {}),
            ),
            DISCRIMINATORS[discriminator_type](c_dim=c_dim, img_resolution=resolution, **(discriminator or {})),
            batch_size=batch_size,
            learning_rate=(generator_lr, discriminator_lr),
            r1_gamma=r1_gamma,
            style_mixing_prob=style_mixing_prob,
            generator_interval=density_interval,
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
        self.density_reg, self.density_reg_p_dist, self.reg_type = density_reg, density_reg_p_dist, reg_type
        self.swap = None if gpc_reg_prob is None else Fade(1.0, gpc_reg_prob, gpc_reg_fade_kimg)
        last = first if neural_rendering_resolution_final is None else neural_rendering_resolution_final
        self.rendering_side = Fade(first, last, neural_rendering_resolution_fade_kimg)
        self.blur = Fade(blur_init_sigma, 0.0, blur_fade_kimg)
        self.filter_mode = filter_mode
        self.consistency: Consistency | None = load_consistency(**consistency) if consistency else None
        self.resample_filter: Tensor
        self.register_buffer("resample_filter", setup_filter([1, 3, 3, 1]), persistent=False)
        if density_reg == 0 and density_interval is not None:
            self.phases = [phase for phase in self.phases if phase.name != "Greg"]

    def configuration(self) -> dict[str, Any]:
        """Everything that decides the next step, apart from the data. The size of renderings follows the clock."""
        found = super().configuration()
        del found["generator"]["neural_rendering_resolution"]
        if self.consistency is not None and self.consistency.active:
            found["consistency"] = self.consistency.settings()
        return found | {
            "density": [self.density_reg, self.density_reg_p_dist, self.reg_type],
            "swap": None if self.swap is None else list(self.swap),
            "rendering_side": list(self.rendering_side),
            "blur": list(self.blur),
            "filter_mode": self.filter_mode,
        }

    # What follows the clock --------------------------------------------------------------------------------------

    def follow_clock(self) -> None:
        """Set what networks need to know of the clock."""
        side = round(self.rendering_side.at(self.images_seen))
        self.generator.neural_rendering_resolution = self.generator_ema.neural_rendering_resolution = side
        if isinstance(self.discriminator, DummyDualDiscriminator):
            self.discriminator.raw_fade = Fade(1.0, 0.0, RAW_FADE_KIMG).at(self.images_seen)

    def training_step(self, batch: FaceBatch, batch_idx: int) -> None:
        """All phases that are due, with renderings of the size that is due."""
        self.follow_clock()
        super().training_step(batch, batch_idx)

    def on_load_checkpoint(self, checkpoint: Mapping[str, Any]) -> None:
        """Restore the clock and what follows it."""
        super().on_load_checkpoint(checkpoint)
        self.follow_clock()

    # Samples -----------------------------------------------------------------------------------------------------

    @property
    def mapping(self) -> Any:
        """The backbone's mapping network, which keeps the average w."""
        return self.generator.backbone.mapping

    def sample_labels(self, count: int, draws: Draws) -> Tensor:
        """Cameras (N, 2, 25) of random training images: a sample's own, and that of the sample before it.

        The batch is that of all processes, so that swapping does not depend on how many there are.
        """
        assert self._label_pool is not None
        own, previous = draws.neighbours(len(self._label_pool), count)
        pool = self._label_pool
        return torch.stack([pool[own.to(pool.device)], pool[previous.to(pool.device)]], dim=1)

    def conditioning(self, labels: Tensor, swapped: Tensor | bool) -> Tensor:
        """The cameras (N, 25) that the mapping network is told, of pairs (N, 2, 25)."""
        if self.swap is None:
            return torch.zeros_like(labels[:, 0])
        return torch.where(torch.as_tensor(swapped, device=labels.device), labels[:, 1], labels[:, 0])

    def swap_probability(self) -> float:
        """Of telling the mapping network the camera of another sample."""
        return 0.0 if self.swap is None else self.swap.at(self.images_seen)

    def synthesize(self, z: Tensor, labels: Tensor, draws: Draws, track: bool) -> tuple[Sequence[Tensor], Tensor]:
        """Images and renderings from each sample's own camera."""
        swapped = draws.rand([len(z), 1]) < self.swap_probability() if self.swap is not None else False
        ws = self.generator.mapping(z, self.conditioning(labels, swapped))
        if track:
            self.track_w(ws)
        own = labels[:, 0]
        ws = self.mixed(ws, own, draws)
        out = self.generator.synthesis(ws, own, noise_mode=self.noise_mode, rand=draws.rand, randn=draws.randn)
        return self.shown(out.image, out.image_raw, draws), own

    def real_inputs(self, real: Tensor, draws: Draws) -> Sequence[Tensor]:
        """Real images and what renderings of them would be, blurred and augmented: R1 is taken there, as published."""
        side = self.generator.neural_rendering_resolution
        raw = filtered_resizing(real, side, self.resample_filter, self.filter_mode)
        return self.shown(real, blur(raw, self.blur.at(self.images_seen)), draws)

    def shown(self, image: Tensor, raw: Tensor, draws: Draws) -> Sequence[Tensor]:
        """What the discriminator is given: an image, blurred, and its rendering, augmented alike."""
        image = blur(image, self.blur.at(self.images_seen))
        if self.augment is not None:
            resized = F.interpolate(raw, size=image.shape[2:], mode="bilinear", antialias=True)
            image, both = self.augmented(torch.cat([image, resized], dim=1), draws).split(3, dim=1)
            raw = F.interpolate(both, size=raw.shape[2:], mode="bilinear", antialias=True)
        return [image] if isinstance(self.discriminator, SingleDiscriminator) else [image, raw]

    def discriminate(self, inputs: Sequence[Tensor], labels: Tensor, draws: Draws) -> Tensor:
        """Logits (N, 1) of an image and its rendering."""
        return self.discriminator(ImagePair(inputs[0], inputs[-1]), labels, randn=draws.randn)

    # Regularisation ----------------------------------------------------------------------------------------------

    def generator_phase(self, phase: Phase, batch: int, labels: Tensor, draws: Draws) -> None:
        """Fool the discriminator, regularise, and agree with what a frozen network sees, where that is asked for."""
        super().generator_phase(phase, batch, labels, draws)
        weight = self.consistency.weight(self.images_seen, self.batch_size) if self.consistency is not None else 0.0
        if phase.main and weight > 0:
            self.consistency_loss(batch, labels, draws).mul(weight * phase.interval).backward()

    def consistency_loss(self, batch: int, labels: Tensor, draws: Draws) -> Tensor:
        """Of new faces, made for the average camera and seen from each of the pairs of cameras (N, 2, 25)."""
        assert self.consistency is not None
        z = draws.randn([batch, self.generator.z_dim])
        told = self.conditioning(self.generator.average_camera().to(labels).expand(batch, 2, -1), False)
        ws = self.generator.mapping(z, told)
        planes = self.generator.planes(ws, self.noise_mode, draws.randn)
        settings: Any = {"noise_mode": self.noise_mode, "rand": draws.rand, "randn": draws.randn, "planes": planes}
        first, second = (self.generator.synthesis(ws, seen, **settings).image for seen in labels.unbind(dim=1))
        terms = self.consistency.terms(first, second, *labels.unbind(dim=1))
        self.report("loss/consistency/pose", terms.pose)
        self.report("loss/consistency/identity", terms.identity)
        return self.consistency.total(terms)

    def regulariser(self, z: Tensor, labels: Tensor, draws: Draws) -> Tensor:
        """Density regularisation at random points of [-1, 1]^3, whatever the volume's side, as published."""
        swapped = self.swap is not None and draws.chance() < self.swap_probability()
        ws = self.generator.mapping(z, self.conditioning(labels, swapped))
        ws = self.mixed(ws, labels[:, 0], draws)
        planes = self.generator.planes(ws, self.noise_mode, draws.randn)
        side = float(self.generator.rendering_kwargs["box_warp"])

        field = self.generator.field(planes)

        def sigma(points: Tensor) -> Tensor:
            return field(points).sigma

        total = z.new_zeros([])
        spread = self.density_reg_p_dist
        if self.reg_type != "l1":
            points = draws.rand([len(z), _MONOTONIC_POINTS, 3]) * 2 - 1
            detach = self.reg_type == "monotonic-detach"
            total = density_monotonicity(sigma, points, side * _STEP_BEHIND, detach)
            self.report("loss/density_monotonic", total)
            spread = side * _STEP_BEHIND
        points = draws.rand([len(z), _POINTS, 3]) * 2 - 1
        smoothness = density_smoothness(sigma, points, draws.randn(points.shape) * spread) * self.density_reg
        self.report("loss/density_reg", smoothness)
        return total + smoothness


def _check(c_dim: int, discriminator_type: str, reg_type: str, gpc_reg_prob: float | None) -> None:
    if c_dim != LABEL_SIZE:
        raise ValueError(
            f"EG3D: got images with {c_dim} label numbers, expected cameras of {LABEL_SIZE}; "
            "set data.labels=true, and see `facegen data validate` where the images have none"
        )
    if discriminator_type not in DISCRIMINATORS:
        raise ValueError(f"discriminator_type: got {discriminator_type!r}, expected one of {', '.join(DISCRIMINATORS)}")
    if reg_type not in ("l1", "monotonic-detach", "monotonic-fixed"):
        raise ValueError(f"reg_type: got {reg_type!r}, expected l1, monotonic-detach or monotonic-fixed")
    if gpc_reg_prob is not None and not 0 <= gpc_reg_prob <= 1:
        raise ValueError(f"gpc_reg_prob: got {gpc_reg_prob}, expected a probability or null")
