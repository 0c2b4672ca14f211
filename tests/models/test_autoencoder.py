"""Training of first stages: losses fall, the scale is measured, runs go on, mistakes are named."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import facegen
from facegen.checkpoint import checkpoint_files, read_checkpoint
from facegen.cli import compose, main
from facegen.cli.commands import commands
from facegen.data.batch import FaceBatch
from facegen.models import Autoencoder
from facegen.models.autoencoder_scale import LatentScale
from facegen.networks.diffusion.first_stage import FirstStage
from tests.models.test_resume import assert_same, figures, train
from tests.models.tiny import photographs

NETWORK: dict[str, Any] = {"img_resolution": 16, "channels": [4, 8], "blocks": 1, "norm_groups": 4, "num_codes": 16}
CRITIC = {"num_layers": 1, "width": 4}
pytestmark = pytest.mark.filterwarnings("ignore:.*their covariance is singular")  # few pictures


def tiny(kind: str = "kl", **changes: Any) -> Autoencoder:
    """16 pixels, factor 2, a discriminator of patches from the start."""
    torch.manual_seed(0)
    arguments: dict[str, Any] = {"discriminator": CRITIC, "batch_size": 4, "base_rate": 1e-3, "perceptual": "pyramid"}
    return Autoencoder({**NETWORK, "kind": kind}, **{**arguments, **changes})


def batch(count: int = 4) -> FaceBatch:
    """Soft blobs, which eight channels can learn."""
    noise = torch.rand(count, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    images = torch.nn.functional.interpolate(noise, 16, mode="bilinear")
    return FaceBatch((images * 255).to(torch.uint8), torch.zeros(count, 0), {}, [str(i) for i in range(count)])


def steps(model: Autoencoder, number: int) -> list[dict[str, float]]:
    """Figures of so many training steps, without a trainer."""
    optimizers = model.configure_optimizers()
    model.optimizers = lambda: optimizers  # type: ignore[method-assign, assignment]
    found = []
    for _ in range(number):
        model.training_step(batch(), 0)
        found.append(model.statistics.means())
        model.statistics.clear()
    return found


@pytest.mark.parametrize("kind", ["kl", "vq"])
def test_reconstructions_get_better(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    model = tiny(kind)
    rows = steps(model, 30)
    assert rows[-1]["psnr"] > rows[0]["psnr"] + 2 and rows[-1]["loss/absolute"] < 0.8 * rows[0]["loss/absolute"]
    latent = {"kl": {"loss/kl"}, "vq": {"loss/codebook", "codes_used"}}[kind]
    names = {"loss/total", "loss/perceptual", "loss/adversarial", "adversarial_weight", "loss/discriminator"}
    assert latent | names | {"grad_norm/network", "grad_norm/discriminator"} <= rows[-1].keys()
    assert model.images_seen == 120 and model.nonfinite_steps == 0
    assert "perceptual distance: pyramid" in capsys.readouterr().out, "it says which one"


def test_losses_are_sums_per_sample_for_kl_and_means_for_vq() -> None:
    images, targets = torch.zeros(2, 3, 16, 16), torch.full((2, 3, 16, 16), 0.5)
    for kind, expected in {"kl": 0.5 * 3 * 16 * 16, "vq": 0.5}.items():
        loss = tiny(kind, perceptual_weight=0.0).reconstruction_loss(images, targets)
        assert loss.item() == pytest.approx(expected)


def test_scale_is_the_inverse_deviation_of_the_latents() -> None:
    network, scale = FirstStage(**NETWORK), LatentScale()
    noise = torch.randn(4, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    scale.observe(network, 7 + 2 * noise)
    assert float(network.scaling_factor) == pytest.approx(0.5, rel=0.05), "there is an estimate from the first step on"
    for _ in range(600):
        scale.observe(network, 4 * noise)
    assert float(network.scaling_factor) == pytest.approx(0.25, rel=0.05), (
        "and it forgets the encoders of the beginning"
    )
    scale.observe(network, torch.full_like(noise, torch.nan))
    scale.observe(network, 4 * noise)
    assert float(network.scaling_factor) == pytest.approx(0.25, rel=0.05), "a broken step leaves no trace"


def test_scale_is_kept_where_it_is_wanted() -> None:
    model, fixed = tiny(), tiny("vq", measure_scale=False)
    steps(model, 2)
    steps(fixed, 2)
    assert float(model.network_ema.scaling_factor) == float(model.network.scaling_factor) != 1
    assert float(fixed.network.scaling_factor) == 1


def test_discriminator_waits_for_its_time() -> None:
    model = tiny(disc_start_kimg=0.008)
    assert model.discriminator is not None
    start = {name: weight.clone() for name, weight in model.discriminator.state_dict().items()}
    rows = steps(model, 2)
    assert "loss/adversarial" not in rows[-1]
    assert_same(dict(model.discriminator.state_dict()), start)
    rows = steps(model, 1)
    assert 0 < rows[-1]["adversarial_weight"] <= 1e4
    changed = model.discriminator.main[0].weight  # type: ignore[union-attr]
    assert not torch.equal(changed, start["main.0.weight"])  # type: ignore[arg-type]


def test_adversarial_gradient_is_as_long_as_that_of_the_reconstruction() -> None:
    model = tiny(disc_weight=0.5)
    targets = batch().images / 127.5 - 1
    made = model.network(targets, torch.zeros(4, 4, 8, 8))
    reconstruction = model.reconstruction_loss(made.images, targets)
    weighted = model.adversarial_loss(made.images, reconstruction)
    layer = model.network.last_layer
    norms = [float(_gradient(x, layer).norm()) for x in (reconstruction, weighted)]
    weight = model.statistics.means()["adversarial_weight"]
    assert norms[1] == pytest.approx(0.5 * norms[0], rel=0.05) or weight == 1e4


def _gradient(loss: Tensor, layer: Tensor) -> Tensor:
    return torch.autograd.grad(loss, layer, retain_graph=True)[0]


def test_average_follows_the_weights() -> None:
    newest = tiny(discriminator=None)
    steps(newest, 2)
    slow = tiny(discriminator=None, ema_kimg=100.0)
    slow.images_seen = 1000
    steps(slow, 2)
    for name, weight in newest.network.state_dict().items():
        assert torch.equal(weight, newest.network_ema.state_dict()[name])
    ours, average = slow.network.last_layer, slow.network_ema.last_layer
    assert not torch.equal(ours, average) and torch.allclose(ours, average, atol=0.02)


def test_half_precision_trains() -> None:
    model = tiny("vq", precision="bf16-mixed")
    rows = steps(model, 10)
    assert model.nonfinite_steps == 0 and rows[-1]["psnr"] > rows[0]["psnr"]
    with pytest.raises(ValueError, match="expected 32-true or bf16-mixed"):
        tiny(precision="16-mixed")


PUBLISHED = {  # batch, learning rate, weights of the divergence and of the adversarial loss
    "kl_f4": (12, 5.4e-5, 1e-6, 0.5),
    "kl_f8": (12, 5.4e-5, 1e-6, 0.5),
    "vq_f4": (8, 3.6e-5, None, 0.75),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_configurations_have_the_published_weights(name: str) -> None:
    model = compose.checked(commands()["train"], [f"model={name}"]).model
    found = (model.batch_size, model.batch_size * model.base_rate, model.get("kl_weight"), model.disc_weight)
    assert found == pytest.approx(PUBLISHED[name]) and model.network.img_resolution == 256
    assert model.measure_scale == (name != "vq_f4")


def words(photos: Path, runs: Path, *more: str) -> list[str]:
    """Words after `facegen train` for twelve steps of four pictures."""
    settings: dict[str, Any] = {
        "model": "autoencoder_tiny",
        "model.network.channels": "[4,8]",
        "model.network.norm_groups": 4,
        "model.discriminator": "{num_layers: 1, width: 4}",
        "model.disc_start_kimg": 0.012,
        "data": "folder",
        "data.root": photos,
        "data.mirror": "true",
        "resolution": 16,
        "batch_size": 4,
        "total_kimg": 0.032,
        "tick_kimg": 0.008,
        "snapshot_kimg": 0.016,
        "evaluation.every_kimg": "[0.016]",
        "evaluation.num_images": "[8]",
        "evaluation.extractor": "efficientnet_lite0@32",
        "grid": "2x2",
        "workers": 0,
        "threads": 1,
        "device": "cpu",
        "runs_dir": runs,
        "name": "run",
    }
    return [*(f"{key}={value}" for key, value in settings.items()), *more]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photographs(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def unbroken(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("unbroken")
    assert main(["train", *words(photos, runs)]) == 0
    return runs / "run"


def test_a_run_leaves_figures_pictures_and_a_first_stage(unbroken: Path) -> None:
    names = {path.name for path in unbroken.iterdir()}
    assert {"config.yaml", "log.txt", "metrics.jsonl", "reals.png", "samples", "checkpoints"} <= names
    assert [row["images_seen"] for row in figures(unbroken)] == [8, 16, 24, 32]
    assert "loss/adversarial" in figures(unbroken)[-1]
    assert {path.stem for path in (unbroken / "samples").iterdir()} == {"00000.000", "00000.016", "00000.032"}
    rows = [json.loads(line) for line in (unbroken / "evaluations.jsonl").read_text().splitlines()]
    assert [row["images_seen"] for row in rows] == [16, 32] and {"psnr8", "rfid8"} <= rows[0].keys()
    network = facegen.load(unbroken)
    assert isinstance(network, FirstStage) and not network.training and network.latent_size == 8
    assert float(network.scaling_factor) != 1


def test_a_run_goes_on_to_the_same_bits(unbroken: Path, photos: Path, tmp_path: Path) -> None:
    assert main(["train", *words(photos, tmp_path, "total_kimg=0.016")]) == 0
    assert main(["train", *words(photos, tmp_path, "resume=auto")]) == 0
    assert figures(tmp_path / "run") == figures(unbroken)
    ours, theirs = (read_checkpoint(checkpoint_files(run)[-1]) for run in (tmp_path / "run", unbroken))
    for key in ("state_dict", "optimizer_states", "facegen"):
        assert_same(ours[key], theirs[key], key)


def test_two_processes_train_like_one(photos: Path, tmp_path: Path) -> None:
    """Until the discriminator starts: each process normalises its own part of what that sees."""
    short = ["total_kimg=0.012", "tick_kimg=0.004", "evaluation.every_kimg=[]", "name=two"]
    train(words(photos, tmp_path, *short, "processes=2"))
    assert main(["train", *words(photos, tmp_path, *short, "name=one")]) == 0
    two, one = (figures(tmp_path / name) for name in ("two", "one"))
    assert len(two) == 3
    for ours, theirs in zip(two, one, strict=True):
        for key in ("loss/total", "loss/kl", "psnr", "grad_norm/network"):
            assert ours[key] == pytest.approx(theirs[key], rel=1e-3), key
    ours, theirs = (facegen.load(tmp_path / name).get_buffer("scaling_factor") for name in ("two", "one"))
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=0)


def test_mistakes_end_in_one_line(
    unbroken: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*more: str) -> str:
        capsys.readouterr()
        assert main(["train", *words(photos, tmp_path, *more)]) == 2
        found = capsys.readouterr().err
        assert found.count("\n") == 1, found
        return found

    assert "finetune_from" in refused(f"resume={checkpoint_files(unbroken)[-1]}", "model.kl_weight=0.5")
    assert "expected kl or vq" in refused("model.network.kind=gan")
    assert "got img_resolution 16, expected a multiple of 32" in refused("model.network.channels=[4,4,4,4,4,4]")
    assert "norm_groups=4" in refused("model.network.channels=[4,6]")
    assert "use fewer layers" in refused("model.discriminator.num_layers=3", "model.disc_start_kimg=0")
    assert "expected auto, alex, vgg, pyramid" in refused("model.perceptual=absent.pth")
    assert "leave them out for a first stage" in refused(f"fitting.regressor={tmp_path}")
    assert "does not fit" in refused(f"finetune_from={unbroken}", "model.network.channels=[4,12]")


def test_a_discriminator_may_come_later(photos: Path, tmp_path: Path) -> None:
    short = ["total_kimg=0.004", "evaluation.every_kimg=[]"]
    assert main(["train", *words(photos, tmp_path, *short, "name=plain", "model.discriminator=null")]) == 0
    still = ["model.disc_start_kimg=0", "model.base_rate=0.0", f"finetune_from={tmp_path / 'plain'}"]
    assert main(["train", *words(photos, tmp_path, *short, *still)]) == 0
    plain, later = (dict(facegen.load(tmp_path / name).named_parameters()) for name in ("plain", "run"))
    assert_same(plain, later)


def test_a_first_stage_generates_nothing(unbroken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exported = tmp_path / "exported"
    assert main(["export", f"checkpoint={unbroken}", f"out={exported}"]) == 0
    assert "kl, 16 pixels, latents 4x8x8" in capsys.readouterr().out
    for command in (["generate", "seeds=0", f"outdir={tmp_path}"], ["evaluate"]):
        assert main([command[0], f"checkpoint={exported}", *command[1:]]) == 2
        assert "holds a first stage of latent diffusion, expected a generator" in capsys.readouterr().err
