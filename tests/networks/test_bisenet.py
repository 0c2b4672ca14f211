"""BiSeNet: sizes, what it remembers, published weights and what is refused of them."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

import facegen
from facegen.checkpoint import save_network
from facegen.networks.bisenet import BiSeNet, published_bisenet

PARTS = ("background", "skin", "hair")


@pytest.fixture(scope="module")
def network() -> BiSeNet:
    """With normalisation that changes something, as after training."""
    torch.manual_seed(0)
    made = BiSeNet(PARTS, 64)
    for name, buffer in made.named_buffers():
        if name.endswith("running_mean"):
            buffer.copy_(0.1 * torch.randn_like(buffer))
    return made.eval().requires_grad_(False)


def published(network: BiSeNet) -> dict[str, Tensor]:
    """As the authors' file has it: with the heads that only training needs."""
    heads = {f"conv_out{scale}.conv_out.weight": torch.zeros(3, 64, 1, 1) for scale in (16, 32)}
    return {**network.state_dict(), **heads}


def test_logits_of_every_pixel_and_part(network: BiSeNet) -> None:
    images = torch.rand(2, 3, 64, 96) * 2 - 1
    logits = network(images)
    assert logits.shape == (2, 3, 64, 96) and logits.std(dim=(0, 2, 3)).min() > 0
    torch.testing.assert_close(network(images[1:]), logits[1:], atol=1e-5, rtol=1e-4)
    everywhere = (network(images * torch.linspace(0, 1, 96)) - logits)[..., 95].abs()
    assert everywhere.max() > 1e-4  # where the picture is the same, the rest of it counts too


def test_published_weights_with_their_training_heads_and_prefixes(network: BiSeNet) -> None:
    images = torch.rand(1, 3, 64, 64) * 2 - 1
    for tensors in (published(network), {f"module.{name}": one for name, one in published(network).items()}):
        assert torch.equal(published_bisenet(tensors, PARTS, 64)(images), network(images))


def test_exports_remember_the_parts(network: BiSeNet, tmp_path: Path) -> None:
    found = facegen.load(save_network(network, tmp_path))
    assert isinstance(found, BiSeNet) and found.parts == PARTS and found.size == 64
    images = torch.rand(1, 3, 64, 64)
    assert torch.equal(found(images), network(images))


def test_other_weights_are_refused(network: BiSeNet) -> None:
    tensors = published(network)
    with pytest.raises(ValueError, match=r"conv_out.conv_out.weight \(3, 256, 1, 1\), expected .* 19 parts"):
        published_bisenet(tensors, [str(number) for number in range(19)])
    with pytest.raises(ValueError, match=r"got nothing, expected cp\.resnet"):
        published_bisenet({"ffm.conv1.weight": tensors["ffm.conv1.weight"]}, PARTS)
    with pytest.raises(ValueError, match="expected no such tensor"):
        published_bisenet({**tensors, "cp.extra": torch.zeros(1)}, PARTS)


def test_sizes_that_do_not_halve_are_refused(network: BiSeNet) -> None:
    with pytest.raises(ValueError, match="got pictures of 64x40"):
        network(torch.zeros(1, 3, 64, 40))
    with pytest.raises(ValueError, match="got 3 parts and size=100"):
        BiSeNet(PARTS, 100)
