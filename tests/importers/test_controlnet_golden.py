"""An imported ControlNet against the reference's numbers: features, outputs, control, loss, gradients, guided DDIM."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from facegen.diffusion.process import Process
from facegen.importers.compvis import CONTROL as PREFIX
from facegen.importers.compvis import find_parts, load_compvis, load_config
from facegen.importers.compvis_shapes import hint_layers
from facegen.importers.controlnet import control_weights, load_controlnet
from facegen.importers.tensor_files import read_tensors
from facegen.networks.diffusion.context import Context, Residuals
from facegen.networks.diffusion.control import ControlBranch
from tests.importers.golden_diffusion import (
    CONTROL,
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
    words_of,
)

pytestmark = pytest.mark.parity
INPUTS = (
    *("x", "t", "context", "uncond_context", "hint", "controlled.scales"),
    *("diff.x0", "diff.noise", "ddim.x_T"),
)


class Model(NamedTuple):
    """A UNet and its branch, as functions of the reference's inputs."""

    unet: Any
    branch: Any
    process: Process
    hint_layers: int

    def control(self, x: Tensor, t: Tensor, context: Tensor, hint: Tensor, scales: Any = 1.0) -> Residuals:
        return self.branch(x, t, Context(tokens=context), hint, scales)

    def predict(self, x: Tensor, t: Tensor, context: Tensor, residuals: Residuals | None = None) -> Tensor:
        return self.unet(x, t, Context(tokens=context), residuals)


@cache
def model(path: Path) -> Model:
    weights = weights_of(path)
    state = read_tensors(weights)
    process = Process(**find_parts(state, load_config(weights, None)).process)
    return Model(load_compvis(weights), load_controlnet(weights), process, hint_layers(_own(state)))


def _own(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(PREFIX): tensor for name, tensor in state.items() if name.startswith(PREFIX)}


@cache
@torch.no_grad()
def residuals(path: Path) -> Residuals:
    io = stored(path)
    return model(path).control(io["x"], io["t"], io["context"], io["hint"])


def only_mid(path: Path) -> Residuals:
    """What a branch with the published `only_mid_control` adds."""
    branch = model(path).branch
    quiet = ControlBranch(**{**branch.init_kwargs, "only_mid": True}).eval()
    quiet.load_state_dict(branch.state_dict())
    io = stored(path)
    return quiet(io["x"], io["t"], Context(tokens=io["context"]), io["hint"])


@cache
@torch.no_grad()
def trajectory(path: Path, tag: str) -> Trajectory:
    """Guided, both halves with the hint, or without."""
    io, found = stored(path), model(path)
    scale, controlled = words_of(tag)[1]["cfg"], "control" in words_of(tag)[1]

    def predict(x: Tensor, t: Tensor) -> Tensor:
        halves = []
        for context in (io["uncond_context"], io["context"]):
            added = found.control(x, t, context, io["hint"]) if controlled else None
            halves.append(found.predict(x, t, context, added))
        return halves[0] + scale * (halves[1] - halves[0])

    return Trajectory(predict, io, tag, found.process)


@cache
def loss_and_gradients(path: Path) -> tuple[Tensor, Mapping[str, Tensor]]:
    io, found = stored(path), model(path)
    parameters = dict(found.branch.requires_grad_(True).named_parameters())
    with torch.enable_grad():
        added = found.control(io["diff.q_sample"], io["t"], io["context"], io["hint"])
        prediction = found.predict(io["diff.q_sample"], io["t"], io["context"], added)
        loss = found.process.errors(prediction, io["diff.x0"], io["diff.noise"], io["t"]).mean()
        grads = torch.autograd.grad(loss, list(parameters.values()))
    found.branch.requires_grad_(False)
    return loss.detach(), dict(zip(parameters, grads, strict=True))


@torch.no_grad()
@pytest.mark.parametrize(("path", "key"), cases("controlled.out"))
def test_control(path: Path, key: str) -> None:
    io, found = stored(path), model(path)
    x, t, context, expected = io["x"], io["t"], io["context"], io[key]
    branch = found.branch.model
    match key.split("."):
        case _ if key in INPUTS:
            assert expected.isfinite().all()
        case ["unet", "out" | "out_plain"] | ["controlled", "out_nocontrol"]:
            torch.testing.assert_close(found.predict(x, t, context), expected, **FORWARD)
        case ["control", "time_embed_in"]:
            torch.testing.assert_close(branch.time_proj(t), expected, **FORWARD)
        case ["control", "emb"]:
            torch.testing.assert_close(branch.time_embedding(branch.time_proj(t)), expected, **FORWARD)
        case ["control", "hint_features"]:
            torch.testing.assert_close(found.branch.embed(io["hint"]), expected, **FORWARD)
        case ["control", "out", number]:
            every = [*residuals(path).down, residuals(path).mid]
            assert len(every) == sum(name.startswith("control.out.") for name in io)
            torch.testing.assert_close(every[int(number)], expected, **CONTROL)
        case ["controlled", "out"]:
            torch.testing.assert_close(found.predict(x, t, context, residuals(path)), expected, **FORWARD)
        case ["controlled", "out_only_mid"]:
            torch.testing.assert_close(found.predict(x, t, context, only_mid(path)), expected, **FORWARD)
        case ["controlled", "out_scaled"]:
            scaled = found.control(x, t, context, io["hint"], io["controlled.scales"].tolist())
            torch.testing.assert_close(found.predict(x, t, context, scaled), expected, **FORWARD)
        case ["diff", "q_sample"]:
            torch.testing.assert_close(found.process.noised(io["diff.x0"], io["diff.noise"], t), expected, **SCHEDULE)
        case ["diff", "loss"]:
            torch.testing.assert_close(loss_and_gradients(path)[0], expected, **LOSS)
        case ["grad", *_]:
            check_gradient(path, key, expected)
        case ["ddim", *_]:
            check_trajectory(trajectory(path, key.rpartition(".")[0]), key, expected)
        case _:
            pytest.fail(f"{path.name}: no test knows {key}")


def check_gradient(path: Path, key: str, expected: Tensor) -> None:
    found = model(path)
    theirs = {key.removeprefix(f"grad.{PREFIX}"): expected}
    for name, gradient in control_weights(theirs, found.unet.init_kwargs, found.hint_layers).items():
        close_to_largest(loss_and_gradients(path)[1][f"model.{name}"], gradient, GRADIENT)


def check_trajectory(found: Trajectory, key: str, expected: Tensor) -> None:
    match key.rpartition(".")[2]:
        case "timesteps":
            assert found.times == expected.tolist()
        case "pred_x0":
            for ours, theirs in zip(found.clean, expected, strict=True):
                close_to_largest(ours, theirs, TRAJECTORY)
        case "noise":
            assert len(expected) == len(found.times)
        case "out":
            close_to_largest(found.out, expected, TRAJECTORY)
        case _:
            pytest.fail(f"no test knows {key}")
