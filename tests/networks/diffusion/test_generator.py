"""A whole diffusion model: seeds, labels, guidance, controls, and what it is built again from."""

from typing import Any

import pytest
import torch
from torch import Tensor

from facegen.checkpoint import load, network_config, save_network
from facegen.networks.diffusion import ControlBranch, LatentGenerator, UNet, is_diffusion
from facegen.networks.diffusion.conditioner import Conditioner
from facegen.networks.latents import latents
from tests.models.tiny import TINY_UNET, camera_labels, tiny_first_stage

INPUTS = {
    "camera": {"kind": "numbers", "size": 25, "form": "tokens", "tokens": 1},
    "shape": {"kind": "numbers", "size": 3, "form": "tokens", "tokens": 2},
}


def generator(inputs: dict[str, Any] | None = None, controls: tuple[str, ...] = (), **settings: Any) -> LatentGenerator:
    """A random one in which nothing is zero."""
    torch.manual_seed(0)
    conditioner = Conditioner(inputs, 12) if inputs else None
    unet = UNet(2, size=8, **TINY_UNET, token_dim=0 if conditioner is None else conditioner.token_dim)
    branches = {name: ControlBranch(unet.init_kwargs, hint_widths=(4, 8)) for name in controls}
    made = LatentGenerator(
        network_config(tiny_first_stage()),
        network_config(unet),
        None if conditioner is None else network_config(conditioner),
        settings.get("process", {"objective": "flow"}),
        settings.get("sampling", {"sampler": "flow_euler", "steps": 3}),
        {name: network_config(branch) for name, branch in branches.items()},
    )
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return made.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def plain() -> LatentGenerator:
    return generator()


@pytest.fixture(scope="module")
def told() -> LatentGenerator:
    return generator(INPUTS)


@pytest.fixture(scope="module")
def z(plain: LatentGenerator) -> Tensor:
    return latents([0, 1, 2], plain.z_dim)


def test_what_it_says_of_itself(plain, told) -> None:
    assert plain.latent_shape == (2, 8, 8) and plain.z_dim == 128 and plain.img_resolution == 16
    assert (plain.c_dim, told.c_dim, told.label_name) == (0, 25, "camera")
    assert told.condition_names == ("camera", "shape") and is_diffusion(told) and not is_diffusion(told.denoiser)


def test_a_seed_is_a_picture(plain, z) -> None:
    pictures = plain(z)
    assert pictures.shape == (3, 3, 16, 16) and not torch.allclose(pictures[0], pictures[1])
    torch.testing.assert_close(plain(z[1:2]), pictures[1:2], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(plain.decode(plain.sample(z)), pictures)


def test_the_label_is_the_camera(told, z) -> None:
    c = camera_labels(3)
    pictures = told(z, c)
    assert torch.equal(pictures, told(z, conditions={"camera": c}))
    assert not torch.allclose(pictures, told(z), atol=1e-6) and not torch.allclose(
        pictures, told(z, camera_labels(3, 5))
    )
    assert torch.equal(told(z, camera_labels(3, 5), {"camera": c}), pictures), "what is said by name counts"


def test_conditions_that_are_missing_are_left_out(told, z) -> None:
    c, shape = camera_labels(3), torch.ones(3, 3)
    left_out = told.sample(z, c)
    context = told.conditioner({"camera": c, "shape": shape}, 3, {"shape": torch.zeros(3, dtype=torch.bool)})
    x, t = z.view(3, 2, 8, 8), torch.tensor(600.0)
    assert torch.equal(told.predict(x, t, context), told.predict(x, t, told.embed({"camera": c}, 3)))
    assert not torch.allclose(left_out, told.sample(z, c, {"shape": shape}))


def test_guidance_goes_on_from_without_to_with(told, z) -> None:
    c = camera_labels(3)
    one = {"sampler": "flow_euler", "steps": 1}  # a single step is linear in the prediction
    without, having, twice = (told.sample(z, c, guidance=scale, **one) for scale in (0.0, 1.0, 2.0))
    torch.testing.assert_close(twice, 2 * having - without, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(without, told.sample(z, **one), rtol=1e-4, atol=1e-5)
    other = {"camera": camera_labels(3, 5)}
    away = told.sample(z, c, guidance=2.0, negative=other, **one)
    torch.testing.assert_close(away, 2 * having - told.sample(z, conditions=other, **one), rtol=1e-3, atol=1e-4)


def test_controls_add_up_and_are_scaled(z) -> None:
    controlled = generator(controls=("depth", "parts"))
    hints = {name: torch.rand(3, 3, 16, 16) for name in controlled.control_names}
    free = controlled(z)
    one = controlled(z, hints={"depth": hints["depth"]})
    both = controlled(z, hints=hints)
    assert not torch.allclose(free, one) and not torch.allclose(one, both)
    torch.testing.assert_close(controlled(z, hints=hints, control_scales={"parts": 0.0}), one)
    torch.testing.assert_close(controlled(z, hints=hints, control_scales=0.0), free)


def test_it_is_loaded_as_it_was_saved(told, z, tmp_path) -> None:
    again: Any = load(save_network(told, tmp_path))
    assert torch.equal(again(z, camera_labels(3)), told(z, camera_labels(3)))
    assert again.init_kwargs == told.init_kwargs


def test_progress_is_told(plain, z) -> None:
    seen = []
    plain(z, steps=4, progress=lambda *at: seen.append(at))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"guidance": 2.0}, "guidance: got 2.0, but this model has no conditions"),
        ({"conditions": {"caption": ["a face"]}}, "conditions: got caption, but this model takes none"),
        ({"hints": {"depth": torch.zeros(3, 3, 16, 16)}}, "hints: got depth, expected some of: none"),
        ({"sampler": "ddim"}, "sampler: got ddim"),
        ({"steps": 0}, "steps: got 0"),
    ],
)
def test_what_a_plain_model_cannot_do(plain, z, arguments, said) -> None:
    with pytest.raises(ValueError, match=said):
        plain(z, **arguments)


def test_hints_of_another_size_are_refused(z) -> None:
    controlled = generator(controls=("depth",))
    with pytest.raises(ValueError, match="hint: got 3 of 32x32 pixels, expected 3 of 16x16"):
        controlled(z, hints={"depth": torch.zeros(3, 3, 32, 32)})


def test_a_denoiser_of_other_latents_is_refused() -> None:
    unet = UNet(4, size=8, **TINY_UNET)
    with pytest.raises(ValueError, match="denoiser: got one of 4 channels, expected 2"):
        LatentGenerator(network_config(tiny_first_stage()), network_config(unet))
