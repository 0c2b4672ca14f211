"""Training of latent diffusion: what a step does, what is kept, what is refused; killed runs end like unbroken ones."""

import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from facegen.checkpoint import checkpoint_files, load, read_checkpoint, save_network
from facegen.cli import main
from facegen.data.batch import FaceBatch
from facegen.models import LatentDiffusion
from facegen.models.draws import Draws
from facegen.models.latent_diffusion import first_stage_of
from facegen.models.posthoc import posthoc_average
from tests.models.test_resume import assert_same, assert_same_run, figures, train
from tests.models.tiny import camera_labels, diffusion_overrides, photographs, tiny_first_stage, tiny_latent_diffusion

CAMERA = {"camera": {"kind": "numbers", "size": 25, "form": "vector", "dropout": 0.2}}
KILL_IN_STEP = """
import os, signal
from facegen.models.denoising import DenoisingTraining as D
check = D._check_gradients
def killing(self):
    if self.images_seen == 28:
        os.kill(os.getpid(), signal.SIGKILL)
    return check(self)
D._check_gradients = killing
"""


def batch(count: int = 8, **conditions: Any) -> FaceBatch:
    random = torch.Generator().manual_seed(2)
    images = torch.randint(0, 256, (count, 3, 16, 16), generator=random, dtype=torch.uint8)
    return FaceBatch(images, camera_labels(count), conditions, [str(number) for number in range(count)])


def losses(model: LatentDiffusion, of: FaceBatch, clock: int = 0) -> Tensor:
    return model.loss(model.noised(of, Draws(0, clock)), slice(0, len(of.images)))


# One step ------------------------------------------------------------------------------------------------------------


def test_the_loss_is_the_error_of_the_velocity() -> None:
    model = tiny_latent_diffusion(seed=3)
    of = batch()
    stage, draws = model.generator_ema.first_stage, Draws(0, 0)
    moments = stage.encode(of.images / 127.5 - 1)
    clean = stage.latents(moments, draws.randn([8, 2, 8, 8]))
    noise, level = draws.randn([8, 2, 8, 8]), torch.sigmoid(torch.special.ndtri(draws.rand([8]).double())).float()
    x = (1 - level.view(-1, 1, 1, 1)) * clean + level.view(-1, 1, 1, 1) * noise
    expected = (model.denoiser(x, 1000 * level) - (noise - clean)).square().mean(dim=(1, 2, 3))
    torch.testing.assert_close(losses(model, of), expected, rtol=1e-4, atol=1e-5)


def test_cached_moments_take_the_place_of_pictures() -> None:
    model, of = tiny_latent_diffusion(), batch()
    moments = model.moments(of)
    without = of._replace(images=torch.empty(8, 3, 0, 0, dtype=torch.uint8), conditions={"moments": moments})
    assert torch.equal(losses(model, of), losses(model, without))


def test_weights_multiply_the_errors() -> None:
    plain = tiny_latent_diffusion(process={"objective": "v"}, sampling={"sampler": "ddim", "steps": 2})
    weighted = tiny_latent_diffusion(process={"objective": "v", "min_snr": 0.5}, sampling={"steps": 2})
    weighted.load_state_dict(plain.state_dict())
    t = plain.noised(batch(), Draws(0, 0)).t
    torch.testing.assert_close(losses(weighted, batch()), losses(plain, batch()) * weighted.process.weights(t))


def test_conditions_are_told_and_left_out() -> None:
    model = tiny_latent_diffusion(conditions=CAMERA)
    for parameter in model.denoiser.parameters():  # what ends a residual starts at zero, and would hide conditions
        torch.nn.init.normal_(parameter, std=0.1)
    noised = model.noised(batch(), Draws(0, 0))
    assert noised.kept["camera"].any()
    told = noised._replace(kept={"camera": torch.ones(8, dtype=torch.bool)})
    silent = noised._replace(kept={"camera": torch.zeros(8, dtype=torch.bool)})
    rows = slice(0, 8)
    assert not torch.allclose(model.loss(told, rows), model.loss(silent, rows), rtol=1e-6)
    other = told._replace(values={"camera": camera_labels(8, seed=9)})
    assert torch.equal(model.loss(silent, rows), model.loss(other._replace(kept=silent.kept), rows))


def test_parts_of_a_batch_add_up() -> None:
    model = tiny_latent_diffusion(conditions=CAMERA)
    noised = model.noised(batch(), Draws(0, 0))
    parts = [model.loss(noised.part(slice(start, start + 3)), slice(start, start + 3)) for start in (0, 3, 6)]
    torch.testing.assert_close(torch.cat(parts), model.loss(noised, slice(0, 8)))


def test_training_overfits_one_picture() -> None:
    torch.manual_seed(0)
    model = tiny_latent_diffusion(base_rate=5e-4)
    moments = torch.cat([torch.randn(1, 2, 8, 8), torch.full((1, 2, 8, 8), -30.0)], dim=1).expand(4, -1, -1, -1)
    optimizer, of = model.configure_optimizers(), batch(4, moments=moments)
    start = torch.stack([losses(model, of, 4 * clock).mean() for clock in range(20)]).mean()
    for clock in range(150):
        optimizer.zero_grad()
        losses(model, of, 4 * clock).mean().backward()
        optimizer.step()
    end = torch.stack([losses(model, of, 4 * clock).mean() for clock in range(20)]).mean()
    assert end < 0.7 * start, (start, end)


def test_the_first_stage_is_not_trained() -> None:
    model = tiny_latent_diffusion(conditions=CAMERA)
    assert not any(parameter.requires_grad for parameter in model.generator_ema.parameters())
    trained = {id(p) for group in model.configure_optimizers().param_groups for p in group["params"]}
    assert trained == {id(p) for network in model.networks.values() for p in network.parameters()}


def test_learning_rate_warms_up() -> None:
    model = tiny_latent_diffusion(base_rate=1e-4, warmup_kimg=0.08)
    assert model.learning_rate == pytest.approx(8e-4 / 10)
    model.images_seen = 800
    assert model.learning_rate == 8e-4


# Averages ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["warmup", "half_life", "power"])
def test_averages_follow_the_trained_networks(kind) -> None:
    model = tiny_latent_diffusion(ema=kind, ema_stds=(0.05, 0.1), conditions=CAMERA)
    weights = model.denoiser.vector_projection.weight
    average = model.generator_ema.denoiser.vector_projection.weight
    start = average.clone()
    weights.data.add_(1.0)
    model.averages.update(model.averaged_parts(), model.networks, 80, 8)
    decays = {
        "warmup": [11 / 20],
        "half_life": [0.5 ** (8 / 4)],
        "power": [0.9**17.972198602303447, 0.9**7.937203937601809],
    }
    torch.testing.assert_close(average, start + 1 - decays[kind][0])
    beside: list[Any] = list(model.averages.beside)
    for copied, decay in zip(beside, decays[kind][1:], strict=True):
        torch.testing.assert_close(copied["denoiser"].vector_projection.weight, start + 1 - decay)


# Refusals ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"backbone": "mlp"}, "backbone: got 'mlp', expected unet or dit"),
        ({"denoiser": {"in_channels": 4}}, "denoiser.in_channels: it follows from the first stage"),
        ({"sampling": {"sampler": "ddim"}}, "ddim, which is not for flows"),
        ({"ema": "sometimes"}, "ema: got 'sometimes'"),
        ({"precision": "16-mixed"}, "precision: got '16-mixed'"),
        ({"base_rate": 0.0}, "base_rate: got 0.0"),
        ({"first_stage": "nowhere"}, "checkpoint: got nowhere"),
    ],
)
def test_settings_that_make_no_model(changes, said) -> None:
    with pytest.raises(ValueError, match=said):
        tiny_latent_diffusion(**changes)


def test_another_network_is_no_first_stage(tmp_path) -> None:
    from facegen.networks.diffusion import UNet

    with pytest.raises(ValueError, match="which holds a UNet; expected an autoencoder"):
        first_stage_of(save_network(UNet(), tmp_path))


# Runs ----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photographs(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEGEN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def unbroken(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("unbroken")
    assert main(["train", *diffusion_overrides(photos, runs, "name=run", "model.ema=power")]) == 0
    return runs / "run"


def test_a_run_leaves_what_people_expect(unbroken) -> None:
    names = {path.name for path in unbroken.iterdir()}
    assert {"config.yaml", "log.txt", "metrics.jsonl", "reals.png", "samples", "checkpoints", "averages"} <= names
    rows = figures(unbroken)
    assert [row["images_seen"] for row in rows] == [8, 16, 24, 32, 40, 48]
    assert {"loss/total", "loss/mse", "grad_norm"} <= rows[0].keys()
    generator: Any = load(unbroken)
    z, c = torch.randn(2, generator.z_dim), camera_labels(2)
    assert generator(z, c).shape == (2, 3, 16, 16)
    seen = generator.conditioner.embeddings["camera"].mean  # of the pictures' labels and of their mirror images
    torch.testing.assert_close(seen[11], camera_labels(12)[:, 11].mean())


def test_a_killed_run_ends_like_an_unbroken_one(photos, unbroken, tmp_path) -> None:
    command = diffusion_overrides(photos, tmp_path, "name=run", "resume=auto", "model.ema=power")
    command = [word.replace(str(tmp_path / "first_stage"), str(unbroken.parent / "first_stage")) for word in command]
    train(command, KILL_IN_STEP, expect=-signal.SIGKILL)
    assert [path.stem for path in checkpoint_files(tmp_path / "run")] == ["00000.016"]
    assert main(["train", *command]) == 0
    assert_same_run(tmp_path / "run", unbroken)
    ours, theirs = (sorted(path.name for path in (run / "averages").iterdir()) for run in (tmp_path / "run", unbroken))
    assert ours == theirs and len(ours) == 6


def test_two_processes_train_like_one(photos, unbroken, tmp_path) -> None:
    train(diffusion_overrides(photos, tmp_path, "name=run", "model.ema=power", "processes=2", "total_kimg=0.016"))
    for ours, theirs in zip(figures(tmp_path / "run"), figures(unbroken), strict=False):
        for key in ("loss/total", "grad_norm"):
            assert ours[key] == pytest.approx(theirs[key], rel=1e-3), key


def test_averages_of_other_widths_afterwards(unbroken) -> None:
    kept: Any = load(unbroken)
    same: Any = posthoc_average(unbroken, 0.05)
    for name, weights in kept.named_parameters():
        limit = 2e-3 * float(weights.abs().max()) + 1e-6  # they are stored in half precision
        assert float((dict(same.named_parameters())[name] - weights).abs().max()) < limit, name
    trained = read_checkpoint(checkpoint_files(unbroken)[-1])["state_dict"]["denoiser.model.conv_out.weight"]
    widths = [posthoc_average(unbroken, std).denoiser.model.conv_out.weight for std in (0.05, 0.07, 0.1)]
    distances = [float((weight - trained).norm()) for weight in widths]
    assert 0 < distances[0] < distances[1] < distances[2]


def test_export_takes_a_width(unbroken, tmp_path, capfd) -> None:
    assert main(["export", f"checkpoint={unbroken}", f"out={tmp_path}", "ema_std=0.07"]) == 0
    ours, expected = load(tmp_path), posthoc_average(unbroken, 0.07)
    assert_same(dict(ours.state_dict()), dict(expected.state_dict()))
    assert main(["export", f"checkpoint={unbroken}", f"out={tmp_path}", "ema_std=wide"]) == 2
    assert "ema_std: got 'wide'" in capfd.readouterr().err


def test_a_run_without_stored_averages_says_so(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"ema_std: .* has no stored averages"):
        posthoc_average(tmp_path, 0.1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["resolution=32", "data.upscale=true"], "resolution: got 32 pixels, expected 16"),
        (["data.labels=false"], "camera is the faces' label, and they have none"),
        (["model.conditions.coefficients={kind: numbers, size: 4}", "data.mirror=false"], "the faces come without"),
        (["model.first_stage=nowhere"], "nowhere"),
        (["model.denoiser.channels=[8]"], "attention: got"),
    ],
)
def test_mistakes_are_one_line(words, said, photos, unbroken, tmp_path, capfd) -> None:
    assert main(["train", *diffusion_overrides(photos, tmp_path, "name=run", *words)]) == 2
    err = capfd.readouterr().err
    assert said in err and "Traceback" not in err


def test_resume_refuses_another_first_stage(photos, unbroken, tmp_path, capfd) -> None:
    other = save_network(tiny_first_stage(latent_channels=4), tmp_path / "other")
    words = diffusion_overrides(photos, unbroken.parent, "name=run", "resume=auto", "model.ema=power")
    assert main(["train", *words, f"model.first_stage={other}"]) == 2
    assert "resume" in capfd.readouterr().err
    assert_same(figures(unbroken)[-1]["images_seen"], 48)
