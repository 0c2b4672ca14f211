"""Samplers on a process whose perfect denoiser is known: independent normal numbers."""

import pytest
import torch

from facegen.diffusion.process import Process
from facegen.diffusion.sampling import SAMPLERS, Sampler, Sampling, sample, scheduler

MEAN, STD = 0.7, 0.3
CASES = [
    (settings, sampler)
    for settings in ({"objective": "eps"}, {"objective": "v", "zero_terminal_snr": True}, {"objective": "flow"})
    for sampler in SAMPLERS
    if (sampler.startswith("flow") <= (settings["objective"] == "flow"))
    and (sampler, settings["objective"]) != ("ddim", "flow")
]


def perfect(process: Process):
    """The denoiser of independent normal numbers (MEAN, STD), in closed form."""

    def predict(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        times = t.reshape(1).expand(len(x))
        signal, amount = process.levels(times, x)
        clean = MEAN + signal * STD**2 / (signal**2 * STD**2 + amount**2) * (x - signal * MEAN)
        return process.target(clean, (x - signal * clean) / amount, times)

    return predict


@pytest.fixture(scope="module")
def noise() -> torch.Tensor:
    return torch.randn(5000, 1, 1, 1, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("settings", "sampler"), CASES)
def test_samples_have_the_distribution_that_was_learnt(settings, sampler, noise) -> None:
    process = Process(**settings)
    made = sample(perfect(process), noise, process, Sampling(sampler, 100))
    assert abs(made.mean() - MEAN) < 0.02 and abs(made.std() - STD) < 0.03
    few = sample(perfect(process), noise, process, Sampling(sampler, 5))
    assert abs(few.mean() - MEAN) < 0.05 and abs(few.std() - STD) > abs(made.std() - STD) - 0.01


def test_eta_adds_noise_and_keeps_the_distribution(noise) -> None:
    process = Process("eps")
    random = torch.Generator().manual_seed(3)
    drawn = []

    def randn(shape: list[int]) -> torch.Tensor:
        drawn.append(torch.randn(shape, generator=random))
        return drawn[-1]

    made = sample(perfect(process), noise, process, Sampling("ddim", 100, eta=1.0), randn)
    still = sample(perfect(process), noise, process, Sampling("ddim", 100))
    assert len(drawn) == 100 and abs(made.std() - STD) < 0.04
    assert abs(torch.corrcoef(torch.stack([made.flatten(), noise.flatten()]))[0, 1]) < 0.1  # the start is forgotten
    assert torch.corrcoef(torch.stack([still.flatten(), noise.flatten()]))[0, 1] > 0.99


def test_progress_counts_calls(noise) -> None:
    runs: list[tuple[Sampler, int]] = [("flow_euler", 4), ("flow_heun", 7)]
    for sampler, calls in runs:
        seen, process = [], Process("flow")
        asked = []
        predict = perfect(process)

        def counted(x: torch.Tensor, t: torch.Tensor, predict=predict, asked=asked) -> torch.Tensor:
            asked.append(float(t))
            return predict(x, t)

        sample(counted, noise[:2], process, Sampling(sampler, 4), progress=lambda *at, seen=seen: seen.append(at))
        assert len(asked) == calls and seen == [(number + 1, calls) for number in range(calls)]


def test_trailing_steps_begin_at_pure_noise() -> None:
    ends = scheduler(Process("v", zero_terminal_snr=True), "ddim")
    ends.set_timesteps(10)
    assert ends.timesteps[0] == 999 and ends.alphas_cumprod[999] == 0
    published = scheduler(Process("eps"), "ddim")
    published.set_timesteps(10)
    assert published.timesteps.tolist() == [100 * step + 1 for step in range(9, -1, -1)]


@pytest.mark.parametrize(
    ("settings", "how", "said"),
    [
        ({}, {"sampler": "euler"}, "sampler: got 'euler'"),
        ({}, {"sampler": "flow_heun"}, "which is for flows"),
        ({"objective": "flow"}, {"sampler": "ddim"}, "ddim, which is not for flows"),
        ({}, {"steps": 0}, "steps: got 0, expected a whole number from 1 to 1000"),
        ({}, {"steps": 2.5}, "steps: got 2.5"),
        ({}, {"steps": 1001}, "steps: got 1001"),
        ({}, {"guidance": float("nan")}, "guidance: got nan"),
        ({}, {"guidance": -1.0}, "guidance: got -1.0"),
        ({}, {"eta": 2.0}, "eta: got 2.0"),
        ({}, {"eta": 0.5, "sampler": "unipc"}, "eta: got 0.5 with unipc"),
    ],
)
def test_what_cannot_be_sampled_is_refused(settings, how, said, noise) -> None:
    process = Process(**settings)
    with pytest.raises(ValueError, match=said):
        sample(perfect(process), noise, process, Sampling(**how))
