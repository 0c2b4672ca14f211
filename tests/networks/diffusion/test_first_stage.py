"""First stages and the discriminator of patches: shapes, scale, codes, exports, mistakes."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from facegen.checkpoint import load, save_network
from facegen.networks.diffusion.first_stage import FirstStage, gaussian
from facegen.networks.diffusion.patch_discriminator import PatchDiscriminator

SMALL: dict[str, Any] = {"img_resolution": 16, "channels": [8, 8, 16], "blocks": 1, "norm_groups": 4, "num_codes": 32}
KINDS: dict[str, dict[str, Any]] = {
    "kl": {"kind": "kl"},
    "kl-f4-attention": {"kind": "kl", "attention": [False, False, True], "scaling_factor": 0.2},
    "vq": {"kind": "vq", "latent_channels": 3},
    "vq-noattn": {"kind": "vq", "mid_attention": False, "encoder_channels": 6, "scaling_factor": 2.0},
}


def images(height: int = 16, width: int = 24) -> Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture(params=KINDS.values(), ids=list(KINDS))
def stage(request: pytest.FixtureRequest) -> FirstStage:
    torch.manual_seed(0)
    return FirstStage(**SMALL, **request.param).eval().requires_grad_(False)


def test_latents_are_scaled_and_decoded_where_they_were(stage: FirstStage) -> None:
    moments = stage.encode(images())
    latents = stage.latents(moments)
    assert latents.shape == (2, stage.latent_channels, 4, 6) and stage.factor == 4 and stage.latent_size == 4
    assert torch.allclose(latents, stage.unscaled(moments) * stage.scaling_factor)
    assert torch.allclose(stage.decode(latents), stage(images()).images, atol=1e-5)
    stage.scaling_factor.mul_(3)
    assert torch.allclose(stage.latents(moments), 3 * latents)
    assert torch.allclose(stage.decode(stage.latents(moments)), stage(images()).images, atol=1e-5)


def test_exports_are_the_same_network(stage: FirstStage, tmp_path: Path) -> None:
    stage.scaling_factor.fill_(0.37)
    again: Any = load(save_network(stage, tmp_path))
    assert again.init_kwargs == stage.init_kwargs and float(again.scaling_factor) == float(stage.scaling_factor)
    assert torch.equal(again(images()).images, stage(images()).images)


def test_samples_have_the_moments_that_were_found() -> None:
    moments = torch.cat([torch.full((1, 2, 1, 1), 3.0), torch.full((1, 2, 1, 1), 2 * math.log(0.5))], dim=1)
    noise = torch.randn(1, 2, 50, 50, generator=torch.Generator().manual_seed(0))
    sample = FirstStage(**SMALL).latents(moments.expand(-1, -1, 50, 50), noise)
    assert sample.mean().item() == pytest.approx(3, abs=0.03) and sample.std().item() == pytest.approx(0.5, abs=0.03)
    extreme = gaussian(torch.tensor([0.0, 99.0, 0.0, -99.0]).view(2, 2, 1, 1))
    assert extreme.logvar.flatten().tolist() == [20.0, -30.0]


def test_codes_are_what_latents_are_rounded_to() -> None:
    torch.manual_seed(0)
    stage = FirstStage(**SMALL, kind="vq", latent_channels=3)
    stage.model.quantize.embedding.weight.data.normal_()
    latents = torch.randn(2, 3, 4, 6).requires_grad_()
    found = stage.quantise(latents)
    codes = stage.model.quantize.embedding.weight
    distances = torch.cdist(latents.detach().movedim(1, -1).reshape(-1, 3), codes)
    assert torch.equal(found.indices.flatten(), distances.argmin(dim=1)) and found.indices.shape == (2, 4, 6)
    assert torch.allclose(stage.codes(found.indices), found.latents, atol=1e-6)
    gap = (found.latents - latents).detach().square().mean()
    assert torch.allclose(found.loss, 1.25 * gap)
    (through,) = torch.autograd.grad(found.latents.sum(), latents, retain_graph=True)
    assert torch.equal(through, torch.ones_like(through)), "gradients pass as if nothing had been rounded"
    pulls = torch.autograd.grad(found.loss, [latents, codes])
    encoder, book = (pull.abs().sum() for pull in pulls)
    assert 0 < book < 0.5 * encoder, "the published order: the smaller weight is on the codes"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "gan"}, "expected kl or vq"),
        ({"channels": [8, 6]}, "multiple of norm_groups=4"),
        ({"channels": []}, "channels"),
        ({"attention": [True]}, "attention for 1 levels, expected 3"),
        ({"img_resolution": 18}, "expected a multiple of 4"),
        ({"scaling_factor": 0.0}, "above 0"),
        ({"encoder_channels": 7}, "encoder_channels is of VQ models"),
    ],
)
def test_configurations_that_cannot_be(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FirstStage(**{**SMALL, **change})


def test_images_that_do_not_divide_are_named(stage: FirstStage) -> None:
    with pytest.raises(ValueError, match="got 24x18 pixels, expected sides that are multiples of 4"):
        stage.encode(images(18, 24))


def test_discriminator_judges_patches() -> None:
    torch.manual_seed(0)
    network = PatchDiscriminator(num_layers=2, width=4).eval()
    size = network.least_size
    assert network(images(size, size)).shape == (2, 1, 1, 1) and network(images(40, 40)).shape == (2, 1, 8, 8)
    with pytest.raises(ValueError, match=f"expected at least {size} pixels for 2 layers"):
        network(images(size - 1, size))
    picture = images(40, 40).requires_grad_()
    (seen,) = torch.autograd.grad(network(picture)[0, 0, 0, 0], picture)
    reach = 23  # of the first logit: a patch of 34 pixels, of which 11 lie outside
    assert seen[0, :, :reach].abs().sum(dim=(0, 2)).min() > 0 and seen[0, :, reach:].abs().sum() == 0
    assert seen[1].abs().sum() == 0


def test_discriminator_has_the_official_names() -> None:
    expected = {"main.0.weight": (64, 3, 4, 4), "main.2.weight": (128, 64, 4, 4), "main.9.weight": (512,)}
    shapes = {name: tuple(tensor.shape) for name, tensor in PatchDiscriminator().state_dict().items()}
    assert expected.items() <= shapes.items() and shapes["main.11.weight"] == (1, 512, 4, 4)
    assert "main.0.bias" in shapes and "main.2.bias" not in shapes and "main.3.running_mean" in shapes
