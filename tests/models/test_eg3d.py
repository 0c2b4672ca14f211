"""What EG3D's training adds: conditioning, fades, renderings, the forms of the regulariser; every configuration."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import instantiate

from facegen.cli import compose
from facegen.cli.commands import commands
from facegen.models import EG3D
from facegen.models.eg3d import Fade
from facegen.networks.eg3d import DummyDualDiscriminator, SingleDiscriminator
from tests.models.test_adversarial import Still
from tests.models.tiny import camera_labels, tiny_eg3d

NAMES = sorted(path.stem for path in (Path(__file__).parents[2] / "configs/model").glob("*.yaml"))
MODELS = [name for name in NAMES if name.startswith(("auto", "eg3d", "paper", "stylegan2")) and "encoder" not in name]


def _model(**changes: Any) -> EG3D:
    torch.manual_seed(0)
    model = tiny_eg3d(4, **changes).train()
    model._label_pool = camera_labels(16, seed=1)
    return model


@pytest.mark.parametrize("name", MODELS)
def test_every_configuration_makes_its_model(name: str) -> None:
    words = [f"model={name}", "data.root=nowhere"]
    settings = compose.checked(commands()["train"], words)
    model = instantiate(settings.model, c_dim=25 if name.startswith("eg3d") else 0)
    assert model.batch_size == settings.batch_size
    if name.startswith("eg3d"):
        assert settings.data.labels and model.generator.plane_axes == "xy_xz_zy"
        assert model.generator.rendering_kwargs["c_gen_conditioning_avg"] == ("var3" in name)
        assert model.rendering_side.end == (128 if name.endswith("128") else model.rendering_side.start)
        assert model.swap.end == (0.8 if "var2" in name else 0.5)


def test_fades() -> None:
    fade = Fade(1.0, 0.5, 2.0)
    assert [fade.at(seen) for seen in (0, 1000, 2000, 9000)] == [1.0, 0.75, 0.5, 0.5]
    assert Fade(10.0, 0.0, 0.0).at(0) == 0.0


def test_swapping_takes_the_camera_before_and_renders_the_own() -> None:
    model = _model()
    pairs = model.sample_labels(6, model.draws())
    torch.testing.assert_close(pairs[1:, 1], pairs[:-1, 0])
    torch.testing.assert_close(model.conditioning(pairs, True), pairs[:, 1])
    swapped = torch.tensor([[True], [False]] * 3)
    chosen = model.conditioning(pairs, swapped)
    torch.testing.assert_close(chosen[::2], pairs[::2, 1])
    torch.testing.assert_close(chosen[1::2], pairs[1::2, 0])
    images, seen = model.synthesize(torch.randn(6, 16), pairs, model.draws(), track=False)
    torch.testing.assert_close(seen, pairs[:, 0])
    assert [image.shape[-1] for image in images] == [16, 8]


def test_without_conditioning_the_mapping_network_sees_zeros() -> None:
    model = _model(gpc_reg_prob=None)
    assert not model.conditioning(model.sample_labels(3, model.draws()), False).any()


def test_average_camera_conditioning_ignores_the_label() -> None:
    rendering = {"superresolution_module": "tiny", "c_gen_conditioning_avg": True}
    generator = _model(rendering=rendering).generator.eval()
    z, cameras = torch.randn(1, 16).expand(3, -1), camera_labels(3)
    ws = generator.mapping(z, cameras)
    torch.testing.assert_close(ws[1:], ws[:2])
    other = _model().generator.eval().mapping(z, cameras)
    assert not torch.allclose(other[0], other[1], atol=1e-3)


def test_renderings_grow_with_the_clock_and_not_with_the_configuration() -> None:
    fades = {"neural_rendering_resolution_final": 12, "neural_rendering_resolution_fade_kimg": 1.0}
    model = _model(**fades)
    before = model.configuration()
    model.images_seen = 500
    model.follow_clock()
    assert model.generator.neural_rendering_resolution == model.generator_ema.neural_rendering_resolution == 10
    assert model.real_inputs(torch.zeros(1, 3, 16, 16), model.draws())[1].shape[-1] == 10
    assert model.configuration() == before
    saved: dict[str, Any] = {}
    model.on_save_checkpoint(saved)
    assert saved["facegen"]["generator"]["neural_rendering_resolution"] == 10
    other = _model(**fades)
    other.on_load_checkpoint(saved)
    assert other.generator.neural_rendering_resolution == 10


@pytest.mark.parametrize("kind", ["dummy_dual", "single"])
def test_other_discriminators_train(kind: Any) -> None:
    model = _model(discriminator_type=kind)
    model.images_seen = 250_000
    model.follow_clock()
    assert isinstance(model.discriminator, DummyDualDiscriminator if kind == "dummy_dual" else SingleDiscriminator)
    if kind == "dummy_dual":
        assert model.discriminator.raw_fade == pytest.approx(0.5)
    for phase in model.phases:
        model.run_phase(phase, Still(), torch.rand(4, 3, 16, 16), camera_labels(4), model.draws())
    assert model.nonfinite_steps == 0


@pytest.mark.parametrize("form", ["l1", "monotonic-detach", "monotonic-fixed"])
def test_every_form_of_the_density_regulariser_moves_the_generator(form: Any) -> None:
    model = _model(reg_type=form)
    reported: list[str] = []
    model.report = lambda name, values: reported.append(name)  # type: ignore[method-assign]
    phase = next(phase for phase in model.phases if phase.name == "Greg")
    model.run_phase(phase, Still(), torch.zeros(4, 3, 16, 16), camera_labels(4), model.draws())
    gradient = dict(model.generator.named_parameters())["decoder.net.2.weight"].grad
    assert gradient is not None and gradient[0].any() and not gradient[1:].any(), "densities only"
    assert ("loss/density_monotonic" in reported) == (form != "l1")


def test_without_weight_there_is_no_regularising_phase() -> None:
    assert [phase.name for phase in _model(density_reg=0.0).phases] == ["Gmain", "Dmain", "Dreg"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"c_dim": 0}, "data.labels=true"),
        ({"reg_type": "tv"}, "monotonic-detach"),
        ({"gpc_reg_prob": 1.5}, "probability"),
        ({"discriminator_type": "triple"}, "dummy_dual"),
        ({"rendering": {"superresolution_module": "SuperresolutionHybrid9X"}}, "SuperresolutionHybrid8XDC"),
        ({"rendering": {"superresolution_module": "SuperresolutionHybrid2X"}}, "expected 128"),
    ],
)
def test_bad_arguments_say_what_is_expected(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tiny_eg3d(**changes)
