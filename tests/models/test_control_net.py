"""ControlNet: nothing changes at first, only branches learn, hints have to be there, runs resume."""

import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from facegen.checkpoint import checkpoint_files, load, network_config, save_network
from facegen.cli import main
from facegen.data.batch import FaceBatch
from facegen.data.hints import hint
from facegen.data.synthetic import synthesize
from facegen.models import ControlNet
from facegen.models.control_net import base_of, published_widths, with_controls
from facegen.models.draws import Draws
from facegen.networks.diffusion import LatentGenerator
from tests.models.test_resume import assert_same_run, figures, train
from tests.models.tiny import camera_labels
from tests.networks.tiny_diffusion import CAMERA, tiny_latent_generator

SIDE = 16
ROWS = slice(0, 6)


@pytest.fixture(params=["plain", "camera"])
def base(request: pytest.FixtureRequest) -> LatentGenerator:
    return tiny_latent_generator(CAMERA if request.param == "camera" else None)


def control_net(base: LatentGenerator, *controls: str, **changes: Any) -> ControlNet:
    torch.manual_seed(0)
    arguments: dict[str, Any] = {"hint_widths": (4, 4), "batch_size": 6, "learning_rate": 1e-2, **changes}
    return ControlNet(base, controls or ("parts",), **arguments)


def faces(count: int = 6) -> FaceBatch:
    random = torch.Generator().manual_seed(2)
    pictures = torch.randint(0, 256, (2, count, 3, SIDE, SIDE), generator=random, dtype=torch.uint8)
    parts = torch.randint(0, 9, (count, 1, SIDE, SIDE), generator=random, dtype=torch.uint8)
    conditions: dict[str, Any] = {"parts": parts, "sketch": pictures[0]}
    return FaceBatch(pictures[1], camera_labels(count), conditions, [str(number) for number in range(count)])


def pictures(generator: LatentGenerator, **settings: Any) -> torch.Tensor:
    torch.manual_seed(1)
    c = camera_labels(3) if generator.c_dim else None
    if c is not None:
        settings["guidance"] = 2.0
    return generator(torch.randn(3, generator.z_dim), c, **settings)


def step(model: ControlNet, optimizer: torch.optim.Optimizer, clock: int = 0) -> None:
    noised = model.noised(faces(), Draws(0, clock))
    optimizer.zero_grad()
    model.loss(noised, ROWS).mean().backward()
    optimizer.step()


# At first ------------------------------------------------------------------------------------------------------------


def test_samples_are_those_of_the_base_to_the_bit(base: LatentGenerator) -> None:
    model = control_net(base, "parts", "sketch")
    hints = {"parts": torch.rand(3, 3, SIDE, SIDE), "sketch": torch.rand(3, 3, SIDE, SIDE)}
    assert model.generator_ema.control_names == ("parts", "sketch")
    assert torch.equal(pictures(model.generator_ema, hints=hints), pictures(base))
    trained: Any = model.generator_ema
    trained.controls.load_state_dict(model.controls.state_dict())  # what is trained begins as what is kept
    assert torch.equal(pictures(trained, hints=hints, control_scales={"parts": 3.0}), pictures(base))


def test_branches_begin_as_the_encoder(base: LatentGenerator) -> None:
    model = control_net(base)
    for name, weight in base.denoiser.named_parameters():
        if name.startswith(("model.conv_in", "model.time_embedding", "model.down_blocks", "model.mid_block", "vector")):
            assert torch.equal(model.controls["parts"].get_parameter(name), weight), name


# Training ------------------------------------------------------------------------------------------------------------


def test_gradients_reach_the_branches_only(base: LatentGenerator) -> None:
    model = control_net(base, "parts", "sketch")
    model.loss(model.noised(faces(), Draws(0, 0)), ROWS).mean().backward()
    assert not any(p.requires_grad or p.grad is not None for p in model.generator_ema.parameters())
    for branch in model.controls.values():
        assert all(convolution.weight.grad.any() for convolution in branch.model.controlnet_down_blocks)
    optimised = {id(p) for group in model.configure_optimizers().param_groups for p in group["params"]}
    assert optimised == {id(p) for p in model.controls.parameters()}


def test_a_control_takes_hold_and_the_base_stays(base: LatentGenerator) -> None:
    model = control_net(base, ema="half_life", ema_kimg=0.0)
    before = {name: weight.clone() for name, weight in model.generator_ema.state_dict().items()}
    optimizer = model.configure_optimizers()
    for clock in range(4):
        step(model, optimizer, clock)
    model.averages.update(model.averaged_parts(), model.networks, 2000, 6)
    after = model.generator_ema.state_dict()
    changed = {name.split(".")[0] for name, weight in after.items() if not torch.equal(weight, before[name])}
    assert changed == {"controls"}
    black, shown = (pictures(model.generator_ema, hints={"parts": h}) for h in torch.rand(2, 3, 3, SIDE, SIDE))
    assert (black - shown).abs().max() > 1e-4
    assert torch.equal(pictures(model.generator_ema), pictures(base)), "without a hint there is no control"


def test_a_hint_is_learnt(base: LatentGenerator) -> None:
    """Latents that are what the mask says: the error falls below that of the base, which cannot know."""
    model, of = control_net(base, learning_rate=3e-3), faces()
    parts = torch.where(torch.arange(6) % 2 == 0, 1, 2).view(6, 1, 1, 1).expand(6, 1, SIDE, SIDE).to(torch.uint8)
    sign = 2 * (parts[:, :, ::2, ::2].float() - 1.5)
    moments = torch.cat([sign.expand(-1, 3, -1, -1), torch.full((6, 3, 8, 8), -30.0)], dim=1)
    of = of._replace(conditions={"parts": parts, "moments": moments}, images=torch.empty(6, 3, 0, 0))
    optimizer, losses = model.configure_optimizers(), []
    for clock in range(60):
        loss = model.loss(model.noised(of, Draws(0, clock)), ROWS).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10]), losses


def test_hints_and_conditions_are_left_out(base: LatentGenerator) -> None:
    model = control_net(base, hint_dropout=1.0, condition_dropout=1.0)
    noised = model.noised(faces(), Draws(0, 0))
    assert not noised.extra["parts"].any() and not any(kept.any() for kept in noised.kept.values())
    model = control_net(base, condition_dropout=0.0)
    noised = model.noised(faces(), Draws(0, 0))
    assert torch.equal(noised.extra["parts"], hint("parts", faces())) and all(k.all() for k in noised.kept.values())
    some = [control_net(base, hint_dropout=0.5).noised(faces(), Draws(0, n)).extra["parts"] for n in range(4)]
    black = torch.cat(some).flatten(1).amax(dim=1) == 0
    assert 0 < int(black.sum()) < 24


def test_parts_of_a_batch_add_up(base: LatentGenerator) -> None:
    model = control_net(base)
    step(model, model.configure_optimizers())
    noised = model.noised(faces(), Draws(0, 0))
    split = [model.loss(noised.part(rows), rows) for rows in (slice(0, 4), slice(4, 8))]
    torch.testing.assert_close(torch.cat(split), model.loss(noised, ROWS), rtol=1e-4, atol=1e-6)


def test_a_regressor_sees_what_faces_come_without() -> None:
    from tests.morphable.test_regressor import small_regressor

    model, regressor = control_net(tiny_latent_generator(), "render"), small_regressor()
    complete = lambda batch, names: batch._replace(conditions={**batch.conditions, "coefficients": torch.zeros(6, 43)})  # noqa: E731
    model.faces = SimpleNamespace(complete=complete, regressor=regressor)  # type: ignore[assignment]
    assert model.needs_images
    found = model.hints(faces())["render"]
    assert found.shape == (6, 3, SIDE, SIDE) and found.max() > 0.1
    own = faces()
    own.conditions["render"] = torch.zeros(6, 3, SIDE, SIDE, dtype=torch.uint8)
    assert not model.hints(own)["render"].any(), "columns come first"


# What is controlled --------------------------------------------------------------------------------------------------


def test_controls_that_a_base_has_are_trained_further(base: LatentGenerator) -> None:
    first = control_net(base, "parts")
    optimizer = first.configure_optimizers()
    step(first, optimizer)
    first.averages.update(first.averaged_parts(), first.networks, 2000, 6)
    second = control_net(first.generator_ema, "sketch", "parts")
    for name, weight in first.generator_ema.controls["parts"].named_parameters():
        assert torch.equal(second.controls["parts"].get_parameter(name), weight)
    third = control_net(first.generator_ema, "sketch")
    assert list(third.controls) == ["sketch"] and third.generator_ema.control_names == ("parts", "sketch")
    third.averages.update(third.averaged_parts(), third.networks, 6, 6)


@pytest.mark.parametrize(("factor", "widths"), [(1, 1), (2, 2), (4, 3), (8, 4), (16, 5)])
def test_encoders_of_hints_fit_the_first_stage(factor: int, widths: int) -> None:
    assert published_widths(factor) == (16, 32, 96, 256, 256)[:widths]


def test_bases_that_cannot_be_controlled(tmp_path: Path) -> None:
    from facegen.networks.diffusion.dit import DiT

    plain = tiny_latent_generator()
    save_network(plain.first_stage, tmp_path)
    with pytest.raises(ValueError, match="which holds a FirstStage; expected a diffusion model"):
        base_of(tmp_path)
    dit = network_config(DiT(3, size=8, patch=2, width=16, depth=1, heads=2))
    settings = {**network_config(plain), "denoiser": dit}
    settings.pop("_target_")
    with pytest.raises(ValueError, match="got a model with a DiT, expected one with a UNet"):
        base_of(LatentGenerator(**settings))


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], r"controls: got \[\], expected names of hints"),
        ("parts", "controls: got 'parts', expected names"),
        (["parts", "parts"], "each once"),
        (["pose"], "hints: got 'pose', expected one of render"),
    ],
)
def test_controls_that_there_are_not(names: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        with_controls(tiny_latent_generator(), names)


def test_chances_from_0_to_1() -> None:
    with pytest.raises(ValueError, match=r"dropout: got 1.5"):
        control_net(tiny_latent_generator(), hint_dropout=1.5)


def test_missing_columns(base: LatentGenerator) -> None:
    model = control_net(base, "mask")
    with pytest.raises(ValueError, match=r"the faces come without mask; add data.conditions=\[mask\]"):
        model.noised(faces(), Draws(0, 0))


# Runs ----------------------------------------------------------------------------------------------------------------

KILL_IN_STEP = """
import os, signal
from facegen.models.denoising import DenoisingTraining as D
check = D._check_gradients
def killing(self):
    if self.images_seen == 12:
        os.kill(os.getpid(), signal.SIGKILL)
    return check(self)
D._check_gradients = killing
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("control")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEGEN_CACHE", str(folder / "cache"))
        synthesize(folder / "faces", 8, 64, workers=0, detail=0.3)
        save_network(tiny_latent_generator(CAMERA), folder / "base")
        yield folder


def words(home: Path, runs: Path, *more: str) -> list[str]:
    """Words after `facegen train` for six steps of four images."""
    given = {"data": "folder", "data.root": home / "faces", "data.mirror": "true", "data.labels": "true"}
    given |= {"data.conditions": "[parts]", "model": "controlnet_tiny", "model.base": home / "base"}
    given |= {"model.controls": "[parts]", "model.hint_dropout": 0.25, "resolution": SIDE, "batch_size": 4}
    given |= {"total_kimg": 0.024, "tick_kimg": 0.004, "snapshot_kimg": 0.008, "grid": "2x2", "workers": 0}
    given |= {"threads": 1, "device": "cpu", "runs_dir": runs, "name": "run"}
    return [f"{key}={value}" for key, value in given.items()] + list(more)


@pytest.fixture(scope="module")
def unbroken(home: Path) -> Path:
    assert main(["train", *words(home, home / "unbroken")]) == 0
    return home / "unbroken" / "run"


def test_a_run_is_a_generator_with_controls(home: Path, unbroken: Path) -> None:
    generator: Any = load(unbroken)
    assert generator.control_names == ("parts",)
    assert {"loss/total", "grad_norm"} <= figures(unbroken)[0].keys()
    plain: Any = load(home / "base")
    assert torch.equal(pictures(generator), pictures(plain))
    assert not torch.equal(pictures(generator, hints={"parts": torch.rand(3, 3, SIDE, SIDE)}), pictures(plain))


def test_a_killed_run_ends_like_an_unbroken_one(home: Path, unbroken: Path, tmp_path: Path) -> None:
    command = words(home, tmp_path, "resume=auto")
    train(command, KILL_IN_STEP, expect=-signal.SIGKILL)
    assert [path.stem for path in checkpoint_files(tmp_path / "run")] == ["00000.008"]
    assert main(["train", *command]) == 0
    assert_same_run(tmp_path / "run", unbroken)


def test_two_processes_train_like_one(home: Path, unbroken: Path, tmp_path: Path) -> None:
    train(words(home, tmp_path, "processes=2", "total_kimg=0.012"))
    for ours, theirs in zip(figures(tmp_path / "run"), figures(unbroken), strict=False):
        for key in ("loss/total", "grad_norm"):
            assert ours[key] == pytest.approx(theirs[key], rel=1e-3), key


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["model.controls=[render]"], "hints: render needs coefficients_identity"),
        (["model.controls=[hands]"], "hints: got 'hands', expected one of render"),
        (["resolution=32"], "resolution: got 32 pixels, expected 16"),
        (["model.base=nowhere"], "nowhere"),
    ],
)
def test_mistakes_are_one_line(more: list[str], said: str, home: Path, tmp_path: Path, capfd: Any) -> None:
    assert main(["train", *words(home, tmp_path, *more)]) == 2
    err = capfd.readouterr().err
    assert said in err and "Traceback" not in err


def test_resume_refuses_another_base(home: Path, unbroken: Path, tmp_path: Path, capfd: Any) -> None:
    other = tiny_latent_generator(CAMERA)
    other.denoiser.model.conv_in.weight.data.add_(0.1)
    save_network(other, tmp_path / "other")
    again = words(home, unbroken.parent, "resume=auto", f"model.base={tmp_path / 'other'}", "total_kimg=0.05")
    assert main(["train", *again]) == 2
    assert "base=" in capfd.readouterr().err
