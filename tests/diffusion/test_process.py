"""Objectives: a perfect prediction gives the clean sample, weights are the papers', times are spread as said."""

import pytest
import torch

from facegen.diffusion.process import Process

PROCESSES = {
    "eps": {"objective": "eps"},
    "v": {"objective": "v"},
    "v to the end": {"objective": "v", "zero_terminal_snr": True},
    "cosine": {"objective": "v", "schedule": "cosine"},
    "flow": {"objective": "flow"},
    "shifted flow": {"objective": "flow", "shift": 3.0},
}


@pytest.fixture(params=PROCESSES.values(), ids=list(PROCESSES))
def process(request) -> Process:
    return Process(**request.param)


def _drawn(process: Process, count: int = 64) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(1)
    clean, noise = (torch.randn(count, 2, 3, 4, generator=random, dtype=torch.float64) for _ in range(2))
    return clean, noise, process.times(torch.rand(count, generator=random, dtype=torch.float64))


def test_a_perfect_prediction_gives_the_clean_sample(process) -> None:
    clean, noise, t = _drawn(process)
    x = process.noised(clean, noise, t)
    target = process.target(clean, noise, t)
    torch.testing.assert_close(process.clean(target, x, t), clean)
    assert process.errors(target, clean, noise, t).max() == 0
    torch.testing.assert_close(process.errors(target + 2, clean, noise, t), torch.full((64,), 4.0).double())


def test_noise_and_signal_of_noised_samples(process) -> None:
    clean, noise, t = _drawn(process)
    signal, amount = process.levels(t, clean)
    torch.testing.assert_close(process.noised(clean, noise, t), signal * clean + amount * noise)
    total = signal + amount if process.objective == "flow" else signal**2 + amount**2
    torch.testing.assert_close(total, torch.ones_like(total))


def test_the_velocity_is_the_slope_of_the_path() -> None:
    process = Process("flow")
    clean, noise, _ = _drawn(process)
    t = torch.full((64,), 400.0, dtype=torch.float64)
    slope = (process.noised(clean, noise, t + 1) - process.noised(clean, noise, t)) * 1000
    torch.testing.assert_close(process.target(clean, noise, t), slope)


def test_v_turns_from_noise_to_minus_the_sample() -> None:
    process = Process("v", zero_terminal_snr=True)
    clean, noise, _ = _drawn(process)
    at_the_end = process.target(clean, noise, torch.full((64,), 999))
    torch.testing.assert_close(at_the_end, -clean)


def test_times_cover_all_steps_alike() -> None:
    uniform = (torch.arange(4000) + 0.5) / 4000
    t = Process("v").times(uniform)
    assert torch.equal(t.bincount(minlength=1000), torch.full((1000,), 4))
    assert Process("eps").times(torch.tensor([0.0, 1 - 1e-9]).double()).tolist() == [0, 999]


def test_times_of_a_flow_are_logit_normal() -> None:
    uniform = (torch.arange(10000, dtype=torch.float64) + 0.5) / 10000
    level = Process("flow", logit_mean=0.3, logit_std=0.8).times(uniform) / 1000
    logits = torch.logit(level)
    assert abs(logits.mean() - 0.3) < 0.01 and abs(logits.std() - 0.8) < 0.01
    shifted = Process("flow", logit_mean=0.3, logit_std=0.8, shift=3.0).times(uniform) / 1000
    torch.testing.assert_close(shifted, 3 * level / (1 + 2 * level))
    ends = Process("flow").times(torch.tensor([0.0, 1.0]))
    assert ends.isfinite().all() and 0 < ends[0] < ends[1] < 1000


def test_min_snr_weights_cap_the_error_of_the_clean_sample() -> None:
    t = torch.tensor([0, 300, 900, 999])
    for objective in ("eps", "v"):
        process = Process(objective, min_snr=5.0)
        left = process.alphas_cumprod[t]
        ratio = left / (1 - left)
        expected = ratio.clamp(max=5) / (ratio if objective == "eps" else ratio + 1)
        torch.testing.assert_close(process.weights(t), expected.float())
    assert torch.equal(Process("eps").weights(t), torch.ones(4))


def test_the_last_step_is_learnt_with_zero_terminal_snr() -> None:
    weights = Process("v", zero_terminal_snr=True, min_snr=5.0).weights(torch.tensor([500, 998, 999]))
    assert weights[-1] == 1 and (weights > 0.3).all()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"objective": "x0"}, "objective: got 'x0'"),
        ({"objective": "eps", "zero_terminal_snr": True}, "use v with zero_terminal_snr"),
        ({"objective": "flow", "min_snr": 5.0}, "leave zero_terminal_snr and min_snr out"),
        ({"objective": "v", "min_snr": 0.0}, "min_snr: got 0.0"),
        ({"objective": "flow", "shift": 0.0}, "flow: got shift 0.0"),
        ({"spacing": "karras"}, "spacing: got 'karras'"),
    ],
)
def test_what_cannot_be_learnt_is_refused(settings, said) -> None:
    with pytest.raises(ValueError, match=said):
        Process(**settings)
