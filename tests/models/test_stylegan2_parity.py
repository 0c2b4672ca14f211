"""Every phase of StyleGAN2's training against the reference, gradient by gradient."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from facegen.models import StyleGAN2
from facegen.models.schedule import Phase, ema_beta, lazy_adam, update_ema
from tests.golden import NETWORK, assert_phase_gradients, golden_stems, load_json, load_npz
from tests.golden import assert_close_golden as assert_close

pytestmark = pytest.mark.parity


class ScriptedDraws:
    """The reference's random numbers instead of ours, in the order in which a phase asks for them."""

    def __init__(self, normals: list[Tensor], mixing: list[dict[str, Any]]) -> None:
        self.normals, self.cutoffs = iter(normals), iter([m["cutoff_drawn"] for m in mixing])
        self.chances = iter([m["u"] for m in mixing])

    def randn(self, shape: list[int], device: object = None) -> Tensor:
        numbers = next(self.normals)
        assert list(numbers.shape) == list(shape)
        return numbers

    def cutoff(self, low: int, high: int) -> int:
        value = next(self.cutoffs)
        assert low <= value < high
        return value

    def chance(self) -> float:
        return next(self.chances)


def _model(golden: Path, spec: dict[str, Any]) -> StyleGAN2:
    config = spec["config"]
    generator = dict(load_json(golden / f"stylegan2/{config['G']}.json")["config"])
    discriminator = dict(load_json(golden / f"stylegan2/{config['D']}.json")["config"])
    resolution, c_dim = generator.pop("img_resolution"), generator.pop("c_dim")
    for key in ("img_resolution", "c_dim"):
        discriminator.pop(key)
    model = StyleGAN2(
        resolution,
        c_dim,
        batch_size=config["batch"],
        generator=generator,
        discriminator=discriminator,
        r1_gamma=config["r1_gamma"],
        style_mixing_prob=config["style_mixing_prob"],
        pl_batch_shrink=config["pl_batch_shrink"],
        pl_decay=config["pl_decay"],
        pl_weight=config["pl_weight"],
        augment="none",
    )
    model.noise_mode = spec["noise_mode"]
    model.generator.load_state_dict(load_npz(golden / spec["G_weights"]))
    model.discriminator.load_state_dict(load_npz(golden / spec["D_weights"]))
    model.pl_mean.fill_(spec["pl_mean_before"])
    return model


def _run(model: StyleGAN2, name: str, gain: int, io: dict[str, Tensor], mixing: list[Any]) -> dict[str, Tensor]:
    """One phase without its optimiser step; returns what it reported."""
    reported: dict[str, Tensor] = {}
    model.report = lambda key, values: reported.__setitem__(key, values.detach())  # type: ignore[method-assign]
    network = "generator" if name[0] == "G" else "discriminator"
    phase = Phase(name, network, not name.endswith("reg"), not name.endswith("main"), gain)
    normals = [io["z"]] if mixing else []
    for run in range(len(mixing)):
        normals.append(io[f"{name}/run_G{run}/z_mix"])
    if phase.regularise and network == "generator":
        normals.append(io[f"{name}/pl_noise_raw"])
    draws: Any = ScriptedDraws(normals, mixing)
    model.generator.requires_grad_(network == "generator")
    model.discriminator.requires_grad_(network == "discriminator")
    if network == "generator":
        model.generator_phase(phase, len(io["z"]), io["gen_c"], draws)
    else:
        model.discriminator_phase(phase, io["real"], io["real_c"], io["gen_c"], draws)
    return reported


@pytest.mark.parametrize("name", golden_stems("stylegan2/loss*.json", ".json"))
def test_phases(golden: Path, name: str) -> None:
    spec, io = load_json(golden / f"stylegan2/{name}.json"), load_npz(golden / f"stylegan2/{name}.io.npz")
    for phase, record in spec["phases"].items():
        model = _model(golden, spec).train()
        reported = _run(model, phase, record["gain"], io, record["draws"])
        prefix = f"{phase}/report/Loss/"
        for key in (k for k in io if k.startswith(prefix)):
            ours = reported["loss/" + key.removeprefix(prefix)]
            tolerance = (0.0, 1e-5) if "scores" in key else (0.0, 0.0) if "signs" in key else NETWORK
            assert_close(ours, io[key], *tolerance, name=key)
        assert_close(model.pl_mean, torch.tensor(record["pl_mean_after"]), *NETWORK, name=f"{phase}/pl_mean")
        if f"{phase}/w_avg_after" in io:
            w_avg: Any = model.generator.mapping.w_avg
            assert_close(w_avg, io[f"{phase}/w_avg_after"], *NETWORK, name=f"{phase}/w_avg")
        trained = model.generator if phase[0] == "G" else model.discriminator
        assert_phase_gradients(trained, phase, record["grad_norms"], io)


def test_ema(golden: Path) -> None:
    for table in load_json(golden / "stylegan2/bookkeeping.json")["ema"]:
        average, network = nn.ParameterList([torch.tensor(table["p_ema_init"])]), nn.ParameterList([torch.zeros(6)])
        for row in table["rows"]:
            beta = ema_beta(row["cur_nimg"], table["batch_size"], table["ema_kimg"], table["ema_rampup"])
            assert beta == pytest.approx(row["beta"], rel=1e-12)
            network[0].data = torch.tensor(row["p"])
            update_ema(average, network, beta)
            assert_close(average[0].detach(), torch.tensor(row["p_ema"]), 1e-6, 1e-7, name="p_ema")


def test_lazy_regularisation(golden: Path) -> None:
    for row in load_json(golden / "stylegan2/bookkeeping.json")["lazy"]:
        group = lazy_adam(nn.Linear(1, 1), row["lr"], tuple(row["betas"]), row["reg_interval"]).param_groups[0]
        assert group["lr"] == pytest.approx(row["lr_used"], rel=1e-12)
        assert group["betas"] == pytest.approx(row["betas_used"], rel=1e-12)
        assert group["eps"] == 1e-8
