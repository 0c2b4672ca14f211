"""The UNet is diffusers' own where diffusers has it, and takes a vector and residuals where diffusers does not."""

from typing import Any

import pytest
import torch
from torch import Tensor

from facegen.checkpoint import build_network, network_config
from facegen.networks.diffusion import Context, Residuals, UNet

KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "vector": {"vector_dim": 6},
    "tokens": {"token_dim": 12},
    "both": {"token_dim": 12, "vector_dim": 6, "head_channels": None, "num_heads": 2},
}
SIZES: dict[str, Any] = {"in_channels": 3, "size": 8, "channels": [8, 16], "blocks": 1, "norm_groups": 4}


@pytest.fixture(params=KINDS.values(), ids=list(KINDS))
def unet(request) -> UNet:
    torch.manual_seed(0)
    network = UNet(**{**SIZES, "head_channels": 8, **request.param})
    for parameter in network.parameters():  # what ends a residual starts at zero
        torch.nn.init.normal_(parameter, std=0.1)
    return network


def inputs(unet: UNet, count: int = 3) -> tuple[Tensor, Tensor, Context]:
    random = torch.Generator().manual_seed(1)
    vector = torch.randn(count, 6, generator=random) if unet.vector_projection is not None else None
    tokens = torch.randn(count, 5, 12, generator=random) if unet.token_dim else None
    x = torch.randn(count, 3, 8, 12, generator=random)
    return x, torch.tensor([0, 500, 999])[:count], Context(vector, tokens)


def test_it_is_diffusers_model(unet) -> None:
    x, t, context = inputs(unet)
    vector = None if unet.vector_projection is None else unet.vector_projection(context.vector)
    told = (context.tokens, vector) if unet.token_dim else (vector,)
    assert torch.equal(unet(x, t, context), unet.model(x, t, *told, return_dict=False)[0])


def test_samples_do_not_see_each_other(unet) -> None:
    x, t, context = inputs(unet)
    alone = unet(x[1:2], t[1:2], Context(*(part if part is None else part[1:2] for part in context)))
    torch.testing.assert_close(unet(x, t, context)[1:2], alone, rtol=1e-4, atol=1e-5)


def test_one_time_is_that_of_all(unet) -> None:
    x, _, context = inputs(unet)
    assert torch.equal(unet(x, torch.tensor(7.5), context), unet(x, torch.full((3,), 7.5), context))


def test_every_input_matters(unet) -> None:
    x, t, context = inputs(unet)
    made = unet(x, t, context)
    assert not torch.allclose(made, unet(x, t + 200, context))
    for name, value in context._asdict().items():
        if value is not None:
            assert not torch.allclose(made, unet(x, t, context._replace(**{name: value + 1})), atol=1e-6), name


def residuals(value: float) -> Residuals:
    """Of the sizes that the UNets here have."""
    shapes = [(8, 8, 12), (8, 8, 12), (8, 4, 6), (16, 4, 6)]
    return Residuals(tuple(torch.full((3, *shape), value) for shape in shapes), torch.full((3, 16, 4, 6), value))


def test_residuals_are_added(unet) -> None:
    x, t, context = inputs(unet)
    made = unet(x, t, context)
    assert torch.equal(unet(x, t, context, residuals(0.0)), made)
    some = residuals(0.3)
    assert not torch.allclose(unet(x, t, context, some), made)
    for number in range(4):
        one = [part if place == number else part * 0 for place, part in enumerate(some.down)]
        assert not torch.allclose(unet(x, t, context, Residuals(tuple(one), some.mid * 0)), made, atol=1e-6), number
    assert not torch.allclose(
        unet(x, t, context, Residuals(tuple(d * 0 for d in some.down), some.mid)), made, atol=1e-6
    )


def test_a_new_one_predicts_nothing() -> None:
    network = UNet(**SIZES, head_channels=8, token_dim=12)
    x, t, context = inputs(network)
    assert not network(x, t, context).any()


def test_it_is_built_again_from_its_configuration(unet) -> None:
    again: Any = build_network(network_config(unet))
    again.load_state_dict(unet.state_dict())
    x, t, context = inputs(unet)
    assert torch.equal(again(x, t, context), unet(x, t, context))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"attention": [True]}, r"attention: got \[True\], expected true or false for each"),
        ({"channels": []}, "attention: got"),
        ({"head_channels": None}, "heads: got head_channels=None and num_heads=None"),
        ({"head_channels": 8, "num_heads": 2}, "expected one of them"),
        ({"head_channels": 3}, "heads: got 3, expected a divisor of 8 channels"),
        ({"norm_groups": 5}, "norm_groups: got 5, expected a divisor"),
        ({"head_channels": None, "num_heads": 2}, "num_heads: got a UNet without tokens"),
    ],
)
def test_networks_that_cannot_be(changes, said) -> None:
    with pytest.raises(ValueError, match=said):
        UNet(**{**SIZES, "head_channels": 8, **changes})


@pytest.mark.parametrize("shape", [(1, 4, 8, 8), (1, 3, 7, 8), (3, 8, 8)])
def test_latents_of_another_size_are_refused(shape) -> None:
    with pytest.raises(ValueError, match=r"latents: got .* expected \(N, 3, H, W\) with sides divisible by 2"):
        UNet(**SIZES, head_channels=8)(torch.zeros(shape), torch.tensor(0))


def test_missing_conditions_are_named() -> None:
    x, t, _ = inputs(UNet(**SIZES, head_channels=8))
    with pytest.raises(ValueError, match=r"context: got tokens none, expected a last axis of 12"):
        UNet(**SIZES, head_channels=8, token_dim=12)(x, t)
    with pytest.raises(ValueError, match=r"context: got vector .* expected a last axis of nothing"):
        UNet(**SIZES, head_channels=8)(x, t, Context(vector=torch.zeros(3, 6)))
