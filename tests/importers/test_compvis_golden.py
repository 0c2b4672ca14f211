"""Imported latent diffusion against the reference's numbers: forward, noising, losses, gradients, DDIM, averages."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from facegen.diffusion.schedule import vlb_weights
from facegen.importers.compvis import UNET, load_compvis, unet_weights
from facegen.networks.diffusion.generator import LatentGenerator
from tests.importers.golden_diffusion import (
    FORWARD,
    GRADIENT,
    LOSS,
    SCHEDULE,
    TRAJECTORY,
    Trajectory,
    cases,
    close_to_largest,
    stored,
    weights_of,
)

pytestmark = pytest.mark.parity
FIRST_STAGE = ("image", "vq.", "ldm.", "kl.", "dist.")  # in tests/networks/diffusion/test_first_stage_golden.py
INPUTS = ("unet.x", "unet.t", "diff.noise", "ddim.x_T")


@cache
def generator(path: Path) -> LatentGenerator:
    network = load_compvis(weights_of(path))
    assert isinstance(network, LatentGenerator)
    return network


@cache
@torch.no_grad()
def trajectory(path: Path, tag: str) -> Trajectory:
    network = generator(path)
    return Trajectory(network.predict, stored(path), tag, network.process)


@cache
def gradients(path: Path) -> Mapping[str, Tensor]:
    """Of the loss, by our names of the denoiser's parameters."""
    network, io = generator(path), stored(path)
    parameters = dict(network.denoiser.requires_grad_(True).named_parameters())
    with torch.enable_grad():
        prediction = network.denoiser(io["diff.q_sample"], io["unet.t"])
        loss = network.process.errors(prediction, io["ldm.z"], io["diff.noise"], io["unet.t"]).mean()
        found = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
    network.denoiser.requires_grad_(False)
    return {name: grad for name, grad in zip(parameters, found, strict=True) if grad is not None}


@pytest.mark.parametrize(("path", "key"), cases("unet.t", FIRST_STAGE))
def test_latent_diffusion(path: Path, key: str) -> None:
    io, network = stored(path), generator(path)
    process, times, expected = network.process, io["unet.t"], io[key]
    with torch.no_grad():
        match key.split("."):
            case _ if key in INPUTS:
                assert expected.shape[0] == len(io["unet.x"])
            case ["unet", "out"]:
                torch.testing.assert_close(network.predict(io["unet.x"], times), expected, **FORWARD)
            case ["diff", "q_sample"]:
                torch.testing.assert_close(process.noised(io["ldm.z"], io["diff.noise"], times), expected, **SCHEDULE)
            case ["diff", "eps_pred"]:
                torch.testing.assert_close(network.predict(io["diff.q_sample"], times), expected, **FORWARD)
            case ["diff", "x0_pred"]:
                close_to_largest(process.clean(io["diff.eps_pred"], io["diff.q_sample"], times), expected, TRAJECTORY)
            case ["diff", "loss" | "loss_simple" | "loss_vlb"]:
                prediction = network.predict(io["diff.q_sample"], times)
                errors = process.errors(prediction, io["ldm.z"], io["diff.noise"], times)
                weights = vlb_weights(process.betas)[times] if key.endswith("vlb") else torch.ones(len(errors))
                torch.testing.assert_close((weights * errors).mean().float(), expected, **LOSS)
            case ["grad", *_]:
                check_gradient(path, key, expected)
            case ["ddim", *_]:
                check_trajectory(trajectory(path, key.rpartition(".")[0]), network, key, io)
            case _:
                pytest.fail(f"{path.name}: no test knows {key}")


def check_gradient(path: Path, key: str, expected: Tensor) -> None:
    arguments = generator(path).denoiser.init_kwargs
    for name, gradient in unet_weights({key.removeprefix(f"grad.{UNET}"): expected}, arguments).items():
        close_to_largest(gradients(path)[f"model.{name}"], gradient, GRADIENT)


def check_trajectory(found: Trajectory, network: Any, key: str, io: Mapping[str, Tensor]) -> None:
    tag, _, name = key.rpartition(".")
    match name:
        case "timesteps":
            assert found.times == io[key].tolist()
        case "alphas" | "alphas_prev" | "sigmas":
            levels = dict(zip(("alphas", "alphas_prev", "sigmas"), found.levels(), strict=True))
            torch.testing.assert_close(levels[name].float(), io[key], **SCHEDULE)
        case "pred_x0":
            for ours, expected in zip(found.clean, io[key], strict=True):
                close_to_largest(ours, expected, TRAJECTORY)
        case "noise":
            assert len(io[key]) == len(found.times)
        case "out":
            close_to_largest(found.out, io[key], TRAJECTORY)
        case "decoded":
            close_to_largest(network.decode(found.out), io[key], TRAJECTORY)
        case _:
            pytest.fail(f"no test knows {key} of {tag}")


@torch.no_grad()
@pytest.mark.parametrize(("path", "key"), cases("out_ema"))
def test_averages(path: Path, key: str) -> None:
    io = stored(path)
    match key:
        case "x" | "t":
            assert len(io[key]) == len(io["out"])
        case "out" | "out_ema":
            network = load_compvis(weights_of(path), average=key == "out_ema")
            torch.testing.assert_close(network(io["x"], io["t"]), io[key], **FORWARD)
            assert (io["out"] - io["out_ema"]).abs().max() > 1e-3  # they differ, so the choice shows
        case _:
            pytest.fail(f"{path.name}: no test knows {key}")
