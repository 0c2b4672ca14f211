"""Latent diffusion (Rombach et al. 2022) as a LightningModule: with or without conditions, UNet or transformer."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from torch import Tensor, nn

from facegen.checkpoint import load, network_config
from facegen.models.condition_values import fill_statistics
from facegen.models.conditioning import FaceConditions
from facegen.models.denoising import DenoisingTraining, Noised, context_of
from facegen.morphable.regressor import load_regressor
from facegen.networks.diffusion import FirstStage, LatentGenerator
from facegen.networks.diffusion.conditioner import Conditioner

_BACKBONES = {"unet": "facegen.networks.diffusion.unet.UNet", "dit": "facegen.networks.diffusion.dit.DiT"}


class LatentDiffusion(DenoisingTraining):
    """A denoiser of the latents of a first stage, and what it is conditioned on.

    first_stage: an autoencoder's run folder or export, whose weights stay as they are. backbone: `unet` or `dit`;
    denoiser: its further arguments; channels, size and widths of conditions are filled in. conditions: the inputs of
    `Conditioner`, by name; None: unconditional. condition_width: of vectors and tokens. regressor: run folder or export
    of a network that sees the coefficients of faces that come without. process, sampling: arguments of
    `facegen.diffusion.process.Process` and of `facegen.diffusion.sampling.Sampling`. Everything else: see
    `DenoisingTraining`.
    """

    def __init__(
        self,
        first_stage: str | FirstStage,
        backbone: Literal["unet", "dit"] = "unet",
        denoiser: Mapping[str, Any] | None = None,
        conditions: Mapping[str, Any] | None = None,
        condition_width: int = 256,
        condition_dropout: float = 0.0,
        regressor: str | None = None,
        process: Mapping[str, Any] | None = None,
        sampling: Mapping[str, Any] | None = None,
        batch_size: int = 32,
        base_rate: float = 2e-6,
        **settings: Any,
    ) -> None:
        stage = first_stage_of(first_stage)
        conditioner = Conditioner(conditions, condition_width, condition_dropout) if conditions else None
        generator = LatentGenerator(
            network_config(stage),
            _denoiser(backbone, denoiser or {}, stage, conditioner),
            None if conditioner is None else network_config(conditioner),
            dict(process or {}),
            dict(sampling or {}),
        )
        generator.first_stage.load_state_dict(stage.state_dict())
        trained = {"denoiser": generator.denoiser, "conditioner": generator.conditioner}
        trained = {name: network for name, network in trained.items() if network is not None}
        super().__init__(generator, trained, batch_size=batch_size, base_rate=base_rate, **settings)
        copies = {name: copy.deepcopy(network).train().requires_grad_(True) for name, network in trained.items()}
        self.denoiser, self.conditioner = copies["denoiser"], copies.get("conditioner")
        self.faces = None if regressor is None else FaceConditions(load_regressor(regressor))

    @property
    def networks(self) -> dict[str, nn.Module]:
        """Denoiser and, where there are conditions, conditioner."""
        found = {"denoiser": self.denoiser}
        return found if self.conditioner is None else {**found, "conditioner": self.conditioner}

    def prediction(self, x: Tensor, noised: Noised, rows: slice) -> Tensor:
        """What the denoiser in training says of noised latents."""
        return self.denoiser(x, noised.t, context_of(self.conditioner, noised))

    def on_fit_start(self) -> None:
        """Latents, and the statistics of conditions that are numbers."""
        super().on_fit_start()
        if self.conditioner is not None and self.images_seen == 0:
            fill_statistics(self.conditioner, self.trainer.datamodule.dataset, self.faces)  # type: ignore[attr-defined]


def first_stage_of(source: str | Path | FirstStage) -> FirstStage:
    """The first stage in a run folder or export. ValueError where there is none."""
    if isinstance(source, FirstStage):
        return source
    found = load(Path(source).expanduser())
    if isinstance(found, LatentGenerator):
        return found.first_stage
    if not isinstance(found, FirstStage):
        got = f"got {source}, which holds a {type(found).__name__}"
        raise ValueError(f"first_stage: {got}; expected an autoencoder (facegen train model=autoencoder_tiny)")
    return found


def _denoiser(
    backbone: str, arguments: Mapping[str, Any], stage: FirstStage, conditioner: Conditioner | None
) -> dict[str, Any]:
    """The configuration of a denoiser that fits its first stage and its conditions."""
    if backbone not in _BACKBONES:
        raise ValueError(f"backbone: got {backbone!r}, expected {' or '.join(_BACKBONES)}")
    fits = {
        "in_channels": stage.latent_channels,
        "size": stage.latent_size,
        "vector_dim": 0 if conditioner is None else conditioner.vector_dim,
        "token_dim": 0 if conditioner is None else conditioner.token_dim,
    }
    if given := fits.keys() & arguments.keys():
        name = min(given)
        raise ValueError(f"denoiser.{name}: it follows from the first stage and the conditions; leave it out")
    return {"_target_": _BACKBONES[backbone], **fits, **arguments}
