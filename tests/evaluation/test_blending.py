"""Between seeds, and styles of one in another."""

import pytest
import torch

from facegen.evaluation.blending import Blend, blended, blended_noise
from facegen.networks.latents import latents
from tests.cli.conftest import tiny_generator

NO_LABEL = torch.zeros(2, 0)


def test_the_way_is_a_straight_line_in_w() -> None:
    network = tiny_generator().eval()
    start, end = (blended(network, [seed], NO_LABEL[:1]) for seed in (3, 7))
    middle = blended(network, [3], NO_LABEL[:1], Blend((7, 0.25)))
    assert torch.allclose(middle, 0.75 * start + 0.25 * end, atol=1e-6)
    assert torch.equal(blended(network, [3], NO_LABEL[:1], Blend((7, 1.0))), end)


def test_some_layers_take_another_style() -> None:
    network = tiny_generator().eval()
    own, other = blended(network, [0, 1], NO_LABEL), blended(network, [9], NO_LABEL[:1])
    mixed = blended(network, [0, 1], NO_LABEL, Blend(mix=(9, 1, 2)))
    assert torch.allclose(mixed[:, 1:3], other[:, 1:3].expand(2, -1, -1), atol=1e-6)
    assert torch.equal(mixed[:, [0, 3]], own[:, [0, 3]])


def test_truncation_comes_before_the_way() -> None:
    network = tiny_generator().eval()
    ws = blended(network, [0, 1], NO_LABEL, Blend((5, 0.5)), truncation=0.0)
    assert torch.allclose(ws, network.mapping.w_avg.expand_as(ws), atol=1e-6)


def test_noise_moves_on_the_sphere() -> None:
    z = blended_noise([0, 1], 64, Blend((2, 0.5)))
    first, end = latents([0, 2], 64)
    assert z.shape == (2, 64)
    assert z[0].norm() == pytest.approx(float((first.norm() + end.norm()) / 2), rel=1e-4)
    assert float(torch.cosine_similarity(z[0], first, 0)) == pytest.approx(
        float(torch.cosine_similarity(z[0], end, 0)), abs=1e-3
    )


@pytest.mark.parametrize(
    ("blend", "says"),
    [(Blend((1, 1.5)), "share 1.5"), (Blend(mix=(1, 3, 2)), "layers 3 to 2"), (Blend(mix=(1, 0, 99)), "0 to")],
)
def test_mistakes(blend: Blend, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        blended(tiny_generator(), [0, 1], NO_LABEL, blend)
    with pytest.raises(ValueError, match=r"towards|mix"):
        blended_noise([0], 8, blend)
