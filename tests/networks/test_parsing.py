"""The parsing network: sizes, what it remembers, that pictures do not see each other, what is refused."""

from pathlib import Path

import pytest
import torch
from torch.nn.functional import interpolate

import facegen
from facegen.checkpoint import save_network
from facegen.networks.parsing import ParsingNetwork, parse

PARTS = ("background", "skin", "hair")


def small() -> ParsingNetwork:
    torch.manual_seed(0)
    return ParsingNetwork(PARTS, 16, [8, 16, 8], blocks=2).eval()


def test_logits_of_every_pixel_and_part() -> None:
    network, images = small(), torch.randn(2, 3, 16, 24)
    logits = network(images)
    assert logits.shape == (2, 3, 16, 24) and logits.std(dim=(0, 2, 3)).min() > 0
    torch.testing.assert_close(network(images[1:]), logits[1:])
    assert (network(images + 0.1) - logits).abs().max() > 1e-4


def test_pictures_of_other_sizes_are_parsed_at_their_own() -> None:
    network = small()
    images = interpolate(torch.randn(2, 3, 3, 3), 16, mode="bilinear")
    assert torch.equal(parse(network, images)[:, 0], network(images).argmax(dim=1))
    found = parse(network, interpolate(images, 64, mode="bilinear"))
    assert found.shape == (2, 1, 64, 64)
    assert (found[:, :, 2::4, 2::4] == parse(network, images)).float().mean() > 0.9


def test_exports_remember_the_parts(tmp_path: Path) -> None:
    network = small()
    found = facegen.load(save_network(network, tmp_path))
    assert isinstance(found, ParsingNetwork) and found.parts == PARTS and found.size == 16
    images = torch.randn(1, 3, 16, 16)
    assert torch.equal(found(images), network(images))


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="at least two different parts"):
        ParsingNetwork(["skin", "skin"])
    with pytest.raises(ValueError, match=r"widths: got \[12\], expected multiples of groups=8"):
        ParsingNetwork(PARTS, widths=[12])
    with pytest.raises(ValueError, match="size: got 30, expected a multiple of 4"):
        ParsingNetwork(PARTS, 30, [8, 8, 8])
    with pytest.raises(ValueError, match="blocks: got 0"):
        ParsingNetwork(PARTS, blocks=0)
    with pytest.raises(ValueError, match="got pictures of 18x16, expected sides that are multiples of 4"):
        small()(torch.zeros(1, 3, 18, 16))
