"""A whole latent diffusion model: from noise, labels and conditions to images."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from facegen.checkpoint import build_network, network_config
from facegen.diffusion.process import Process
from facegen.diffusion.sampling import Draw, Sampling, sample
from facegen.networks.diffusion.context import Context
from facegen.networks.diffusion.control import Scales, control_residuals, hint_features

LABELS = ("camera", "class")  # conditions that a label c stands for
Conditions = Mapping[str, Tensor | list[str]]


class LatentGenerator(nn.Module):
    """First stage, denoiser, and what it can be told: everything that makes images (Rombach et al. 2022).

    first_stage, denoiser, conditioner, controls: configurations of networks as `facegen.checkpoint.network_config`
    gives them; process: arguments of `Process`; sampling: those of `Sampling`, the settings where none are said.
    z is the starting noise of the latents, so seeds are faces as they are for other generators. c, a camera or a
    one-hot class, is the condition of that name.
    """

    def __init__(
        self,
        first_stage: dict[str, Any],
        denoiser: dict[str, Any],
        conditioner: dict[str, Any] | None = None,
        process: dict[str, Any] | None = None,
        sampling: dict[str, Any] | None = None,
        controls: dict[str, dict[str, Any]] | None = None,
    ) -> None:
        super().__init__()
        self.process = Process(**(process or {}))
        self.sampling = Sampling(**(sampling or {})).checked(self.process)
        self.first_stage: Any = build_network(first_stage)
        self.denoiser: Any = build_network(denoiser)
        self.conditioner: Any = None if conditioner is None else build_network(conditioner)
        self.controls: Any = nn.ModuleDict({name: build_network(config) for name, config in (controls or {}).items()})
        self.init_kwargs: dict[str, Any] = {
            "first_stage": network_config(self.first_stage),
            "denoiser": network_config(self.denoiser),
            "conditioner": None if conditioner is None else network_config(self.conditioner),
            "process": self.process.settings,
            "sampling": self.sampling._asdict(),
            "controls": {name: network_config(control) for name, control in self.controls.items()} or None,
        }
        channels, side = self.first_stage.latent_channels, self.first_stage.latent_size
        if (expected := self.denoiser.init_kwargs["in_channels"]) != channels:
            raise ValueError(f"denoiser: got one of {expected} channels, expected {channels}, as the first stage has")
        self.latent_shape = (channels, side, side)
        self.z_dim, self.img_resolution = channels * side * side, self.first_stage.img_resolution

    @property
    def condition_names(self) -> tuple[str, ...]:
        """What images can be conditioned on."""
        return () if self.conditioner is None else self.conditioner.names

    @property
    def control_names(self) -> tuple[str, ...]:
        """What pictures can control images."""
        return tuple(self.controls)

    @property
    def label_name(self) -> Literal["camera", "class"] | None:
        """The condition that c stands for."""
        return next((name for name in LABELS if name in self.condition_names), None)

    @property
    def c_dim(self) -> int:
        """Numbers of a label: 25 of a camera, classes, or 0."""
        return 0 if self.label_name is None else self.conditioner.inputs[self.label_name]["size"]

    def embed(self, conditions: Conditions, count: int, kept: Mapping[str, Tensor] | None = None) -> Context:
        """What the denoiser is told of `count` samples; conditions that are missing are left out."""
        if self.conditioner is not None:
            return self.conditioner(conditions, count, kept)
        if conditions:
            raise ValueError(f"conditions: got {', '.join(conditions)}, but this model takes none")
        return Context()

    def predict(
        self,
        x: Float[Tensor, "batch channel height width"],
        t: Tensor,
        context: Context = Context(),  # noqa: B008  # immutable
        features: Mapping[str, Tensor] | None = None,
        control_scales: Mapping[str, Scales] | Scales = 1.0,
    ) -> Float[Tensor, "batch channel height width"]:
        """The denoiser's prediction; features: of hints, as `hint_features` gives them."""
        residuals = control_residuals(self.controls, x, t, context, features or {}, control_scales)
        return self.denoiser(x, t, context, residuals)

    @torch.no_grad()
    def sample(
        self,
        z: Float[Tensor, "batch z_dim"],
        c: Float[Tensor, "batch c_dim"] | None = None,
        conditions: Conditions | None = None,
        *,
        negative: Conditions | None = None,
        hints: Mapping[str, Tensor] | None = None,
        control_scales: Mapping[str, Scales] | Scales = 1.0,
        sampler: str | None = None,
        steps: int | None = None,
        guidance: float | None = None,
        eta: float | None = None,
        randn: Draw | None = None,
        progress: Callable[[int, int], Any] | None = None,
    ) -> Float[Tensor, "batch channel height width"]:
        """Latents of images; see `forward`."""
        asked = {"sampler": sampler, "steps": steps, "guidance": guidance, "eta": eta}
        how = self.sampling._replace(**{name: value for name, value in asked.items() if value is not None})
        how = how.checked(self.process)
        conditions = self._with_label(conditions or {}, c)
        context = self.embed(conditions, len(z))
        features = hint_features(self.controls, hints or {})
        guided = self._guided(how, guidance)
        if guided:  # both halves in one batch, in the order of diffusers' pipelines
            context = _joined(self.embed(negative or {}, len(z)), context)
            features = {name: torch.cat([own, own]) for name, own in features.items()}

        def predict(x: Tensor, t: Tensor) -> Tensor:
            if not guided:
                return self.predict(x, t, context, features, control_scales)
            without, having = self.predict(torch.cat([x, x]), t, context, features, control_scales).chunk(2)
            return without + how.guidance * (having - without)

        noise = z.reshape(-1, *self.latent_shape)
        return sample(predict, noise, self.process, how, randn, progress)

    def forward(
        self,
        z: Float[Tensor, "batch z_dim"],
        c: Float[Tensor, "batch c_dim"] | None = None,
        conditions: Conditions | None = None,
        *,
        noise_mode: str = "const",
        **settings: Any,
    ) -> Float[Tensor, "batch 3 height width"]:
        """Images in [-1, 1] (not clipped) of starting noise z.

        c: labels, for the condition `camera` or `class`. conditions: by name; those that are missing are left out, so
        that a model of cameras and coefficients also gives images of cameras alone. settings: of `sample`: negative
        (conditions that guidance leads away from), hints (by the name of a control, (N, 3, R, R) in [0, 1]),
        control_scales, sampler, steps, guidance, eta, randn, progress. noise_mode is what other generators take; there
        are no noise layers here. Raises ValueError for what the model does not know.
        """
        return self.decode(self.sample(z, c, conditions, **settings))

    @torch.no_grad()
    def decode(self, latents: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch 3 rows columns"]:
        """Images of latents."""
        return self.first_stage.decode(latents)

    def _with_label(self, conditions: Conditions, c: Tensor | None) -> Conditions:
        if c is None or self.label_name is None or self.label_name in conditions:
            return conditions
        return {**conditions, self.label_name: c}

    def _guided(self, how: Sampling, asked: float | None) -> bool:
        """Whether there is anything to guide by. ValueError where somebody asked for guidance of a model without it."""
        if self.conditioner is None and asked not in (None, 1):
            raise ValueError(f"guidance: got {asked}, but this model has no conditions to be guided by; leave it out")
        return self.conditioner is not None and how.guidance != 1


def is_diffusion(network: Any) -> bool:
    """Whether a generator starts from the noise of latents."""
    return isinstance(network, LatentGenerator)


def _joined(first: Context, second: Context) -> Context:
    pairs = zip(first, second, strict=True)
    return Context(*(None if a is None or b is None else torch.cat([a, b]) for a, b in pairs))
