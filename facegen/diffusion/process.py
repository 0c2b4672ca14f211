"""What a denoiser learns: how samples are noised, what is predicted of them, how errors are weighted."""

from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from facegen.diffusion.schedule import ScheduleName, betas

Objective = Literal["eps", "v", "flow"]
OBJECTIVES = ("eps", "v", "flow")
SCALE = 1000.0  # of the times that a denoiser is told: 0 is clean, SCALE is noise


class Process:
    """Noising and its reverse as formulas; samples are (batch, ...), times (batch,) on the scale 0 to 1000.

    objective: the noise (`eps`, Ho et al. 2020), the velocity on the circle of signal and noise (`v`, Salimans and Ho
    2022), or the velocity on the straight line between them (`flow`, Liu et al. 2023; then there is no schedule).
    schedule, beta_start, beta_end, num_steps, zero_terminal_snr: see `schedule.betas`; times are whole steps.
    min_snr: the gamma of Hang et al. 2023, for eps and v. logit_mean, logit_std: of the logit-normal times of a flow
    (Esser et al. 2024); shift: of its times towards noise, for samplers as well.
    spacing: of the steps that a sampler takes, `leading` as published or `trailing`, which begins at pure noise.
    Raises ValueError for combinations that cannot be learnt.
    """

    def __init__(
        self,
        objective: Objective = "eps",
        schedule: ScheduleName = "scaled_linear",
        beta_start: float = 0.0015,
        beta_end: float = 0.0195,
        num_steps: int = 1000,
        zero_terminal_snr: bool = False,
        min_snr: float | None = None,
        logit_mean: float = 0.0,
        logit_std: float = 1.0,
        shift: float = 1.0,
        spacing: Literal["leading", "trailing"] | None = None,
    ) -> None:
        self.settings: dict[str, Any] = {name: value for name, value in locals().items() if name != "self"}
        self.objective, self.num_steps = objective, num_steps
        self.min_snr, self.zero_terminal_snr, self.shift = min_snr, zero_terminal_snr, shift
        self.logit_mean, self.logit_std = logit_mean, logit_std
        self.spacing = spacing or ("trailing" if zero_terminal_snr else "leading")
        self._check()
        self.betas = betas(schedule, beta_start, beta_end, num_steps, zero_terminal_snr)
        self.alphas_cumprod = (1 - self.betas).cumprod(0)

    def _check(self) -> None:
        if self.objective not in OBJECTIVES:
            raise ValueError(f"objective: got {self.objective!r}, expected one of {', '.join(OBJECTIVES)}")
        if self.spacing not in ("leading", "trailing"):
            raise ValueError(f"spacing: got {self.spacing!r}, expected leading or trailing")
        if self.objective == "eps" and self.zero_terminal_snr:
            raise ValueError("objective: eps says nothing of a sample that is all noise; use v with zero_terminal_snr")
        if self.objective == "flow" and (self.zero_terminal_snr or self.min_snr is not None):
            raise ValueError(
                "objective: a flow ends in noise and has no min_snr; leave zero_terminal_snr and min_snr out"
            )
        if self.min_snr is not None and not self.min_snr > 0:
            raise ValueError(f"min_snr: got {self.min_snr}, expected a number above 0 (the paper's is 5) or null")
        if not (self.shift > 0 and self.logit_std > 0):
            raise ValueError(f"flow: got shift {self.shift} and logit_std {self.logit_std}, expected numbers above 0")

    def times(self, uniform: Float[Tensor, " batch"]) -> Float[Tensor, " batch"]:
        """Times of training from uniform numbers in [0, 1): every step alike, or logit-normal for a flow."""
        if self.objective != "flow":
            return (uniform.double() * self.num_steps).long().clamp(max=self.num_steps - 1)
        normal = torch.special.ndtri(uniform.double().clamp(1e-7, 1 - 1e-7))
        level = torch.sigmoid(self.logit_mean + self.logit_std * normal)
        level = self.shift * level / (1 + (self.shift - 1) * level)
        return (SCALE * level).to(uniform.dtype)

    def levels(self, t: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """How much of the sample and how much noise there is at times, shaped to multiply `like`."""
        if self.objective == "flow":
            noise = t.to(like.dtype) / SCALE
            signal = 1 - noise
        else:
            left = self.alphas_cumprod.to(t.device)[t.long()]
            signal, noise = left.sqrt().to(like.dtype), (1 - left).sqrt().to(like.dtype)
        shape = (-1, *[1] * (like.ndim - 1))
        return signal.reshape(shape), noise.reshape(shape)

    def noised(self, clean: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """Samples with as much noise as they have at times t."""
        signal, amount = self.levels(t, clean)
        return signal * clean + amount * noise

    def target(self, clean: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """What the denoiser should say."""
        if self.objective == "eps":
            return noise
        if self.objective == "flow":
            return noise - clean
        signal, amount = self.levels(t, clean)
        return signal * noise - amount * clean

    def clean(self, prediction: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """The clean samples that a prediction at noised samples x amounts to."""
        signal, amount = self.levels(t, x)
        if self.objective == "eps":
            return (x - amount * prediction) / signal
        return signal * x - amount * prediction if self.objective == "v" else x - amount * prediction

    def weights(self, t: Tensor) -> Float[Tensor, " batch"]:
        """Weights of squared errors of the prediction; 1 without min_snr.

        With zero terminal SNR the weight of a clean sample's error is at least 1 (the truncated SNR of Salimans and
        Ho): the published weight of the last step would be 0, and the step where sampling begins would not be learnt.
        """
        if self.min_snr is None:
            return torch.ones(t.shape, device=t.device)
        left = self.alphas_cumprod.to(t.device)[t.long()]
        ratio = left / (1 - left)
        kept = ratio.clamp(max=self.min_snr)
        if self.zero_terminal_snr:
            kept = kept.clamp(min=1)
        return (kept / (ratio if self.objective == "eps" else ratio + 1)).float()

    def errors(self, prediction: Tensor, clean: Tensor, noise: Tensor, t: Tensor) -> Float[Tensor, " batch"]:
        """Mean squared error of each sample's prediction, not weighted."""
        return (prediction - self.target(clean, noise, t)).square().flatten(1).mean(dim=1)
