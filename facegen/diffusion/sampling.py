"""From noise to clean samples, through diffusers' schedulers."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from facegen.diffusion.process import Process

Sampler = Literal["ddim", "dpm++2m", "unipc", "flow_euler", "flow_heun"]
SAMPLERS = ("ddim", "dpm++2m", "unipc", "flow_euler", "flow_heun")
_PREDICTIONS = {"eps": "epsilon", "v": "v_prediction", "flow": "flow_prediction"}

Predict = Callable[[Tensor, Tensor], Tensor]  # noised samples and one time on the scale 0 to 1000, to a prediction
Draw = Callable[[list[int]], Tensor]  # a shape, to standard normal numbers


class Sampling(NamedTuple):
    """How samples are made. eta: noise that DDIM adds at every step, 0 none, 1 as much as DDPM."""

    sampler: Sampler = "ddim"
    steps: int = 50
    guidance: float = 1.0
    eta: float = 0.0

    def checked(self, process: Process) -> "Sampling":
        """Itself; ValueError for what cannot be done with samples of this process."""
        if self.sampler not in SAMPLERS:
            raise ValueError(f"sampler: got {self.sampler!r}, expected one of {', '.join(SAMPLERS)}")
        flow = process.objective == "flow"
        if self.sampler.startswith("flow") and not flow:
            raise ValueError(f"sampler: got {self.sampler}, which is for flows; expected ddim, dpm++2m or unipc")
        if self.sampler == "ddim" and flow:
            raise ValueError(
                "sampler: got ddim, which is not for flows; expected flow_euler, flow_heun, dpm++2m or unipc"
            )
        if isinstance(self.steps, bool) or not isinstance(self.steps, int) or not 1 <= self.steps <= process.num_steps:
            raise ValueError(f"steps: got {self.steps!r}, expected a whole number from 1 to {process.num_steps}")
        if not 0 <= self.guidance < float("inf"):
            raise ValueError(
                f"guidance: got {self.guidance}, expected a number from 0 (unconditional) on; 1 is without"
            )
        if not 0 <= self.eta <= 1 or (self.eta and self.sampler != "ddim"):
            raise ValueError(f"eta: got {self.eta} with {self.sampler}, expected 0, or 0 to 1 with ddim")
        return self


def scheduler(process: Process, sampler: Sampler) -> Any:
    """The scheduler of diffusers that steps through a process; its `config` is what exports write.

    DDIM's settings are those that the published code of Rombach et al. amounts to (no clipping, the last step goes to
    the first noise level); where the steps do not divide 1000 the published code takes one more than it was asked for.
    """
    if sampler == "flow_euler":
        from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler

        return FlowMatchEulerDiscreteScheduler(process.num_steps, shift=process.shift)
    if sampler == "flow_heun":
        from diffusers.schedulers.scheduling_flow_match_heun_discrete import FlowMatchHeunDiscreteScheduler

        return FlowMatchHeunDiscreteScheduler(process.num_steps, shift=process.shift)
    settings: dict[str, Any] = {
        "num_train_timesteps": process.num_steps,
        "prediction_type": _PREDICTIONS[process.objective],
        "timestep_spacing": process.spacing,
        "steps_offset": 1 if process.spacing == "leading" else 0,
        **_noise(process),
    }
    if sampler == "ddim":
        from diffusers.schedulers.scheduling_ddim import DDIMScheduler

        return DDIMScheduler(**settings, clip_sample=False, set_alpha_to_one=False)
    if process.objective == "flow":
        settings |= {"use_flow_sigmas": True, "flow_shift": process.shift}
    if sampler == "unipc":
        from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler

        return UniPCMultistepScheduler(**settings, solver_order=2)
    from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler

    return DPMSolverMultistepScheduler(**settings, algorithm_type="dpmsolver++", solver_order=2)


def _noise(process: Process) -> dict[str, Any]:
    """The noise schedule as diffusers is told of it."""
    if process.objective == "flow":
        return {}
    chosen = process.settings
    names = {"scaled_linear": "scaled_linear", "linear": "linear", "cosine": "squaredcos_cap_v2"}
    told = {"beta_start": chosen["beta_start"], "beta_end": chosen["beta_end"]}
    return {**told, "beta_schedule": names[chosen["schedule"]], "rescale_betas_zero_snr": process.zero_terminal_snr}


@torch.no_grad()
def sample(
    predict: Predict,
    noise: Tensor,
    process: Process,
    how: Sampling,
    randn: Draw | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> Tensor:
    """Samples from starting noise (batch, ...). The steps are those of diffusers' pipelines, to the last bit.

    randn: the noise that eta adds. progress: told how many calls of `predict` are done, and of how many.
    """
    how = how.checked(process)
    steps = scheduler(process, how.sampler)
    steps.set_timesteps(how.steps, device=noise.device)
    x = noise * getattr(steps, "init_noise_sigma", 1.0)
    draw = randn or (lambda shape: torch.randn(shape, device=noise.device))
    for number, t in enumerate(steps.timesteps):
        scaled = steps.scale_model_input(x, t) if hasattr(steps, "scale_model_input") else x
        prediction = predict(scaled, t)
        more = _added(how, x, draw) if how.sampler == "ddim" else {}
        x = steps.step(prediction, t, x, **more).prev_sample
        if progress is not None:
            progress(number + 1, len(steps.timesteps))
    return x


def _added(how: Sampling, x: Tensor, draw: Draw) -> dict[str, Any]:
    """What DDIM is told of the noise that it adds."""
    return {"eta": how.eta, "variance_noise": draw(list(x.shape)) if how.eta else None}
