"""DiT: the paper's network, its start, and what it is told."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from facegen.checkpoint import build_network, network_config
from facegen.networks.diffusion.context import Context, Residuals
from facegen.networks.diffusion.dit import DiT, sine_positions

TINY = {"in_channels": 3, "size": 8, "patch": 2, "width": 32, "depth": 2, "heads": 4}


def tiny(random: bool = True, **changes: Any) -> DiT:
    """A DiT whose layers are not zero anywhere, unless asked for as it starts."""
    torch.manual_seed(0)
    network = DiT(**{**TINY, **changes})
    if random:
        for parameter in network.parameters():
            nn.init.normal_(parameter, std=0.1)
    return network


def inputs(count: int = 3) -> tuple[Tensor, Tensor, Context]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(count, 3, 8, 8, generator=generator)
    t = torch.rand(count, generator=generator) * 1000
    context = Context(torch.randn(count, 6, generator=generator), torch.randn(count, 5, 7, generator=generator))
    return x, t, context


def test_it_is_the_network_of_diffusers() -> None:
    """Their weights in ours give their output; their frequencies are set to the paper's."""
    from diffusers.models.transformers.dit_transformer_2d import DiTTransformer2DModel

    torch.manual_seed(0)
    theirs: Any = DiTTransformer2DModel(4, 8, 3, 6, num_layers=2, sample_size=8, num_embeds_ada_norm=10, norm_eps=1e-6)
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.1)
    for block in theirs.transformer_blocks:  # each has its own copy of the time's and the class's embedding
        block.norm1.emb.load_state_dict(theirs.transformer_blocks[0].norm1.emb.state_dict())
        block.norm1.emb.time_proj.downscale_freq_shift = 0
    theirs.eval()
    ours = DiT(3, 6, size=8, width=32, depth=2, heads=4, vector_dim=32)
    ours.load_state_dict(
        translated(theirs.state_dict()) | {"vector.weight": torch.eye(32), "vector.bias": torch.zeros(32)}
    )
    x, t, _ = inputs()
    classes = torch.tensor([1, 5, 9])
    told = theirs.transformer_blocks[0].norm1.emb.class_embedder(classes)
    expected = theirs(x, timestep=t, class_labels=classes, return_dict=False)[0]
    found = ours(x, t, Context(vector=told))
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-5)


def translated(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights of diffusers' DiT under our names."""
    first = "transformer_blocks.0.norm1.emb.timestep_embedder.linear_"
    names = {"pos_embed.proj": "patches", f"{first}1": "time.0", f"{first}2": "time.2"}
    names |= {"proj_out_1": "modulation.1", "proj_out_2": "out"}
    found = {}
    for block in (0, 1):
        theirs, ours = f"transformer_blocks.{block}", f"blocks.{block}"
        names |= {f"{theirs}.norm1.linear": f"{ours}.modulation.1", f"{theirs}.attn1.to_out.0": f"{ours}.attention.out"}
        names |= {f"{theirs}.ff.net.0.proj": f"{ours}.mlp.0", f"{theirs}.ff.net.2": f"{ours}.mlp.2"}
        for kind in ("weight", "bias"):
            qkv = [state[f"{theirs}.attn1.to_{letter}.{kind}"] for letter in "qkv"]
            found[f"{ours}.attention.qkv.{kind}"] = torch.cat(qkv)
    kinds = ("weight", "bias")
    return found | {f"{new}.{kind}": state[f"{old}.{kind}"] for old, new in names.items() for kind in kinds}


def test_a_new_network_predicts_zeros_and_its_blocks_change_nothing() -> None:
    network = tiny(random=False, vector_dim=6, token_dim=7)
    x, t, context = inputs()
    assert not network(x, t, context).any()
    tokens, told = torch.randn(3, 16, 32), torch.randn(3, 32)
    for block in network.blocks:
        assert torch.equal(block(tokens, told, context.tokens), tokens)
    weights = network.state_dict()
    for name in ("blocks.0.modulation.1", "blocks.1.modulation.1", "modulation.1", "out", "blocks.0.cross.out"):
        assert not weights[f"{name}.weight"].any() and not weights[f"{name}.bias"].any()
    bound = (6 / (32 + 96)) ** 0.5  # Xavier's
    assert 0.9 * bound < weights["blocks.0.attention.qkv.weight"].abs().max() <= bound
    assert weights["time.2.weight"].std() == pytest.approx(0.02, rel=0.1)


def test_each_input_changes_the_output_of_its_sample_only() -> None:
    network = tiny(vector_dim=6, token_dim=7)
    x, t, context = inputs()
    assert context.vector is not None and context.tokens is not None
    base = network(x, t, context)
    first = torch.tensor([1.0, 0.0, 0.0])
    changed = [
        (x + first.view(-1, 1, 1, 1), t, context),
        (x, t + 100 * first, context),
        (x, t, context._replace(vector=context.vector + first[:, None])),
        (x, t, context._replace(tokens=context.tokens + first[:, None, None])),
    ]
    for other in changed:
        found = network(*other)
        assert (found[0] - base[0]).abs().max() > 1e-3
        torch.testing.assert_close(found[1:], base[1:], atol=1e-5, rtol=1e-5)


def test_a_scalar_time_is_everybodys() -> None:
    network = tiny()
    x = inputs()[0]
    assert torch.equal(network(x, torch.tensor(3.0)), network(x, torch.full((3,), 3.0)))


def test_places_are_told_apart() -> None:
    """Latents of which two patches change places do not give the same with these patches changed."""
    network = tiny()
    x, t, _ = inputs(1)
    rolled = network(x.roll(2, dims=3), t).roll(-2, dims=3)
    assert (rolled - network(x, t)).abs().max() > 1e-3
    positions = sine_positions(4, 32)
    assert positions.shape == (16, 32) and len(positions.unique(dim=0)) == 16
    assert torch.equal(positions[1, 16:], positions[0, 16:])  # the next column: only the first half differs


def test_gradients_reach_everything() -> None:
    network = tiny(vector_dim=6, token_dim=7)
    network(*inputs()).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


@pytest.mark.parametrize(
    ("width", "depth", "heads", "millions"),
    [(384, 12, 6, 33), (768, 12, 12, 130), (1024, 24, 16, 458), (1152, 28, 16, 675)],
)
def test_published_sizes(width: int, depth: int, heads: int, millions: int) -> None:
    """Parameters of DiT-S/2, B/2, L/2 and XL/2 in the paper's table, which count 1000 classes and learned variances."""
    with torch.device("meta"):
        network = DiT(4, 8, size=32, patch=2, width=width, depth=depth, heads=heads)
    assert sum(p.numel() for p in network.parameters()) + 1001 * width == pytest.approx(millions * 1e6, rel=0.01)


def test_it_is_built_again_from_its_configuration() -> None:
    network = tiny(vector_dim=6, token_dim=7)
    other = build_network(network_config(network))
    other.load_state_dict(network.state_dict())
    assert torch.equal(other(*inputs()), network(*inputs()))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"patch": 3}, "patch: got 3"),
        ({"heads": 5}, "width: got 32 with 5 heads"),
        ({"width": 30, "heads": 5}, "width: got 30"),
    ],
)
def test_sizes_that_cannot_be_built(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tiny(**changes)


def test_wrong_inputs() -> None:
    x, t, context = inputs()
    told = tiny(vector_dim=6, token_dim=7)
    cases = [
        (tiny(), (x[:, :, :4], t), r"latents: got \(3, 3, 4, 8\), expected \(N, 3, 8, 8\)"),
        (tiny(), (x, t, context), "context: got vector .* expected a last axis of nothing"),
        (told, (x, t), "context: got vector none, expected a last axis of 6"),
        (told, (x, t, context._replace(tokens=torch.zeros(3, 5, 4))), "context: got tokens .* last axis of 7"),
        (tiny(), (x, t, Context(), Residuals((), x)), "control: got a DiT"),
    ]
    for network, arguments, message in cases:
        with pytest.raises(ValueError, match=message):
            network(*arguments)
