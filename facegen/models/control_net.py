"""ControlNet (Zhang et al. 2023) as a LightningModule: branches that see pictures, on a diffusion model that stays."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from facegen.checkpoint import build_network, load, network_config, weights_digest
from facegen.data.batch import FaceBatch
from facegen.data.hints import check_name, hint, hint_columns
from facegen.models.conditioning import COEFFICIENTS, FaceConditions
from facegen.models.denoising import DenoisingTraining, Noised, context_of
from facegen.models.draws import Draws
from facegen.morphable.regressor import load_regressor
from facegen.networks.diffusion import LatentGenerator
from facegen.networks.diffusion.control import ControlBranch, control_residuals
from facegen.networks.diffusion.unet import UNet

_WIDTHS = (16, 32, 96, 256)  # of the encoder of hints, as published for latents of an eighth of the picture's side


class ControlNet(DenoisingTraining):
    """Branches that see hints, trained on a frozen diffusion model; `generator_ema` has both.

    base: run folder or export of the model to control, whose averaged weights, process and sampler are used. controls:
    what it shall be shown, by the names of `facegen.data.hints`; several are trained together and add up. A control
    that the base has already is trained further; others of the base stay as they are. hint_widths: of the encoder of
    hints; None: as published, as many as the first stage's factor needs. hint_dropout: chance that a face comes with
    black hints. condition_dropout: chance that a face comes without any of the base's conditions (the paper's 50 %), so
    that hints are learnt from alone. regressor: of a run folder or export; sees coefficients where faces come without,
    also in flipped ones. learning_rate: of AdamW, as published. Everything else: see `DenoisingTraining`.
    """

    def __init__(
        self,
        base: str | Path | LatentGenerator,
        controls: Sequence[str],
        hint_widths: Sequence[int] | None = None,
        only_mid: bool = False,
        hint_dropout: float = 0.0,
        condition_dropout: float = 0.5,
        regressor: str | None = None,
        batch_size: int = 4,
        learning_rate: float = 1e-5,
        **settings: Any,
    ) -> None:
        for chance in (hint_dropout, condition_dropout):
            if not 0 <= chance <= 1:
                raise ValueError(f"dropout: got {chance}, expected a chance from 0 to 1")
        base = base_of(base)
        generator = with_controls(base, controls, hint_widths, only_mid)
        trained = nn.ModuleDict({name: generator.controls[name] for name in controls})
        super().__init__(
            generator, {"controls": trained}, batch_size=batch_size, base_rate=learning_rate / batch_size, **settings
        )
        self.controls: Any = copy.deepcopy(trained).train().requires_grad_(True)
        self.hint_dropout, self.condition_dropout = hint_dropout, condition_dropout
        if generator.conditioner is not None:  # what is left out in this training, whatever the base's left out
            generator.conditioner.dropout = dict.fromkeys(generator.condition_names, 0.0)
            generator.conditioner.dropout_all = condition_dropout
        self.faces = None if regressor is None else FaceConditions(load_regressor(regressor))
        self._base_digest = weights_digest(base)

    @property
    def networks(self) -> dict[str, nn.Module]:
        """The branches that are trained, together."""
        return {"controls": self.controls}

    def averaged_parts(self) -> dict[str, nn.Module]:
        """The same branches of `generator_ema`, which may have others."""
        return {"controls": nn.ModuleDict({name: self.generator_ema.controls[name] for name in self.controls})}

    def extra(self, batch: FaceBatch, draws: Draws) -> dict[str, Tensor]:
        """Hints (N, 3, R, R) in [0, 1] by name, some of them black."""
        found = self.hints(batch)
        kept = draws.rand([len(batch.cameras), len(found)]) >= self.hint_dropout
        pairs = zip(found.items(), kept.unbind(dim=1), strict=True)
        return {name: picture * keeps.to(picture)[:, None, None, None] for (name, picture), keeps in pairs}

    def hints(self, batch: FaceBatch) -> dict[str, Tensor]:
        """Hints of a batch by name. Raises ValueError where it lacks what they are made of."""
        model = None
        if self.faces is not None and any(self._is_seen(name, batch) for name in self.controls):
            batch, model = self.faces.complete(batch, [COEFFICIENTS]), self.faces.regressor.model
        side = self.generator_ema.img_resolution
        return {name: hint(name, batch, side, model) for name in self.controls}

    def _is_seen(self, name: str, batch: FaceBatch) -> bool:
        """Whether a hint has to be drawn from what a regressor sees, for want of columns."""
        return not set(hint_columns(name, batch.conditions)) <= set(batch.conditions)

    def prediction(self, x: Tensor, noised: Noised, rows: slice) -> Tensor:
        """What the base says of noised latents where the branches in training add to it."""
        generator, hints = self.generator_ema, noised.extra
        context = context_of(generator.conditioner, noised)
        features = {name: branch.embed(hints[name][rows]) for name, branch in self.controls.items()}
        residuals = control_residuals(self.controls, x, noised.t, context, features)
        return generator.denoiser(x, noised.t, context, residuals)

    def configuration(self) -> dict[str, Any]:
        """What a resumed run must share with the run that it continues."""
        own = {"controls": list(self.controls), "hint_dropout": self.hint_dropout, "base": self._base_digest}
        return {**super().configuration(), **own, "condition_dropout": self.condition_dropout}


def base_of(source: str | Path | LatentGenerator) -> LatentGenerator:
    """The diffusion model in a run folder or export. ValueError where there is none, or none that can be controlled."""
    found = source if isinstance(source, LatentGenerator) else load(Path(source).expanduser())
    if not isinstance(found, LatentGenerator):
        got = f"got {source}, which holds a {type(found).__name__}"
        raise ValueError(f"base: {got}; expected a diffusion model (facegen train model=latent_diffusion_tiny)")
    if not isinstance(found.denoiser, UNet):
        raise ValueError(f"base: got a model with a {type(found.denoiser).__name__}, expected one with a UNet")
    return found


def with_controls(
    base: LatentGenerator, names: Sequence[str], hint_widths: Sequence[int] | None = None, only_mid: bool = False
) -> LatentGenerator:
    """The model with branches called `names`, which change nothing at first; those that it has already stay."""
    if not names or isinstance(names, str) or len(set(names)) < len(names):
        raise ValueError(f"controls: got {names!r}, expected names of hints, each once, as in [render]")
    for name in names:
        check_name(name)
    widths = hint_widths or published_widths(base.first_stage.factor)
    branches = {
        name: ControlBranch(base.denoiser.init_kwargs, hint_widths=widths, only_mid=only_mid)
        for name in names
        if name not in base.controls
    }
    for branch in branches.values():
        branch.copy_from(base.denoiser)
    branches = {**base.controls, **branches}
    settings = {**network_config(base), "controls": {name: network_config(each) for name, each in branches.items()}}
    generator: Any = build_network(settings)
    weights = {f"controls.{name}.{key}": own for name, b in branches.items() for key, own in b.state_dict().items()}
    generator.load_state_dict({**base.state_dict(), **weights})
    return generator


def published_widths(factor: int) -> tuple[int, ...]:
    """Widths of the encoder of hints for latents of 1 / factor of the picture's side, a power of two."""
    count = factor.bit_length()
    return (_WIDTHS + _WIDTHS[-1:] * count)[:count]
