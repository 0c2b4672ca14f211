"""Every phase of EG3D's training against the reference, gradient by gradient."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from facegen.models import EG3D
from facegen.models.schedule import Phase
from tests.golden import NETWORK, assert_phase_gradients, golden_stems, load_json, load_npz
from tests.golden import assert_close_golden as assert_close

pytestmark = pytest.mark.parity

IMAGES = (1e-4, 0.0)


class ScriptedDraws:
    """The reference's random numbers instead of ours, in the order in which a phase asks for them."""

    def __init__(self, uniforms: list[Tensor], normals: list[Tensor], chances: list[float]) -> None:
        self.uniforms, self.normals, self.chances = iter(uniforms), iter(normals), iter(chances)

    def rand(self, shape: list[int], device: object = None) -> Tensor:
        return next(self.uniforms).reshape(shape)

    def randn(self, shape: list[int], device: object = None) -> Tensor:
        return next(self.normals).reshape(shape)

    def chance(self) -> float:
        return next(self.chances)


def _model(golden: Path, spec: dict[str, Any]) -> EG3D:
    config = spec["config"]
    generator, discriminator = (
        dict(load_json(golden / spec[key].replace(".weights.npz", ".json"))["config"])
        for key in ("G_weights", "D_weights")
    )
    resolution = generator.pop("img_resolution")
    for key in ("img_resolution", "c_dim"):
        discriminator.pop(key)
    generator.pop("c_dim")
    rendering = spec["rendering_kwargs"]
    model = EG3D(
        resolution,
        batch_size=config["batch"],
        generator=generator,
        discriminator=discriminator,
        rendering=rendering,
        r1_gamma=config["r1_gamma"],
        density_reg=config["density_reg"],
        density_reg_p_dist=config["density_reg_p_dist"],
        reg_type=rendering["reg_type"],
        gpc_reg_prob=config["gpc_reg_prob"],
        gpc_reg_fade_kimg=config["gpc_reg_fade_kimg"],
        neural_rendering_resolution_initial=config["nrr"],
        blur_init_sigma=config["blur_init_sigma"],
        blur_fade_kimg=config["blur_fade_kimg"],
    )
    model.noise_mode = "const"
    model.generator.load_state_dict(load_npz(golden / spec["G_weights"]))
    model.discriminator.load_state_dict(load_npz(golden / spec["D_weights"]))
    model.images_seen = config["cur_nimg"]
    return model


def _run(model: EG3D, name: str, gain: int, io: dict[str, Tensor]) -> dict[str, Tensor]:
    """One phase without its optimiser step; returns what it reported."""
    reported: dict[str, Tensor] = {}
    model.report = lambda key, values: reported.__setitem__(key, values.detach())  # type: ignore[method-assign]
    network = "generator" if name[0] == "G" else "discriminator"
    phase = Phase(name, network, not name.endswith("reg"), not name.endswith("main"), gain)
    drawn = {key.removeprefix(f"{name}/draw/"): value for key, value in io.items() if key.startswith(f"{name}/draw/")}
    swap = drawn.pop("swap_u", None)
    chances = [float(swap)] if swap is not None and swap.ndim == 0 else []
    order = ["stratified_rand", "importance_u", "coords_rand"]
    uniforms = [swap] if swap is not None and swap.ndim else []
    uniforms += [drawn[key] for key in order if key in drawn]
    normals = [io["z"]] if phase.main or network == "generator" else []
    normals += [drawn["perturb_randn"]] if "perturb_randn" in drawn else []
    draws: Any = ScriptedDraws(uniforms, normals, chances)
    model.generator.requires_grad_(network == "generator")
    model.discriminator.requires_grad_(network == "discriminator")
    cameras = torch.stack([io["gen_c"], io["gen_c"].roll(1, 0)], dim=1)
    if network == "generator":
        model.generator_phase(phase, len(io["z"]), cameras, draws)
    else:
        model.discriminator_phase(phase, io["real"], io["real_c"], cameras, draws)
    return reported


@pytest.mark.parametrize("name", golden_stems("eg3d/loss*.json", ".json"))
def test_phases(golden: Path, name: str) -> None:
    spec, io = load_json(golden / f"eg3d/{name}.json"), load_npz(golden / f"eg3d/{name}.io.npz")
    for phase, record in spec["phases"].items():
        model = _model(golden, spec).train()
        assert model.swap_probability() == pytest.approx(record["swapping_prob"])
        assert model.blur.at(model.images_seen) == pytest.approx(record["blur_sigma"])
        reported = _run(model, phase, record["gain"], io)
        _check_reports(phase, reported, io)
        if f"{phase}/w_avg_after" in io:
            assert_close(model.mapping.w_avg, io[f"{phase}/w_avg_after"], *NETWORK, name=f"{phase}/w_avg")
        trained = model.generator if phase[0] == "G" else model.discriminator
        assert_phase_gradients(trained, phase, record["grad_norms"], io)


def _check_reports(phase: str, reported: dict[str, Tensor], io: dict[str, Tensor]) -> None:
    prefix = f"{phase}/report/Loss/"
    for key in (k for k in io if k.startswith(prefix)):
        ours = reported["loss/" + key.removeprefix(prefix)]
        tolerance = (2e-5, 1e-5) if "scores" in key else (0.0, 0.0) if "signs" in key else NETWORK
        assert_close(ours, io[key], *tolerance, name=key)
    if f"{phase}/tv_loss" in io:
        assert_close(reported["loss/density_reg"], io[f"{phase}/tv_loss"], *IMAGES, name=f"{phase}/tv_loss")


@pytest.mark.parametrize("name", golden_stems("eg3d/loss*.json", ".json"))
def test_real_renderings(golden: Path, name: str) -> None:
    spec, io = load_json(golden / f"eg3d/{name}.json"), load_npz(golden / f"eg3d/{name}.io.npz")
    model = _model(golden, spec)
    model.images_seen = round(spec["config"]["blur_fade_kimg"] * 1000)  # the stored one is not blurred
    draws: Any = ScriptedDraws([], [], [])
    assert_close(model.real_inputs(io["real"], draws)[1], io["real_raw"], *NETWORK, name="real_raw")
