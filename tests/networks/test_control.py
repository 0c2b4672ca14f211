"""Control branches: nothing at the start, diffusers' numbers afterwards, and pictures of the right size."""

import pytest
import torch

from facegen.checkpoint import build_network, network_config
from facegen.networks.diffusion.context import Context
from facegen.networks.diffusion.control import ControlBranch, combined, control_residuals, hint_features
from facegen.networks.diffusion.unet import UNet

KINDS = {
    "plain": {},
    "vector": {"vector_dim": 5},
    "tokens": {"token_dim": 6},
    "both": {"vector_dim": 5, "token_dim": 6},
}
TINY = {"in_channels": 3, "size": 8, "channels": (16, 32), "blocks": 1, "head_channels": 8, "norm_groups": 8}
TIMES = torch.tensor([3, 700])


def scramble(network, seed=0, std=0.1):
    torch.manual_seed(seed)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=std)
    return network


@pytest.fixture(params=KINDS)
def unet(request):
    return scramble(UNet(**TINY, **KINDS[request.param]))


@pytest.fixture
def branch(unet):
    made = ControlBranch(unet.init_kwargs, hint_widths=(4, 6, 8))
    made.copy_from(unet)
    return made


def inputs(unet, channels=3):
    torch.manual_seed(1)
    x, hint = torch.randn(2, 3, 8, 12), torch.rand(2, channels, 32, 48)
    vector = torch.randn(2, 5) if unet.init_kwargs["vector_dim"] else None
    tokens = torch.randn(2, 4, 6) if unet.token_dim else None
    return x, Context(vector, tokens), hint


def test_a_new_branch_changes_nothing(unet, branch):
    x, context, hint = inputs(unet)
    with torch.no_grad():
        residuals = branch(x, TIMES, context, hint)
        assert not any(each.any() for each in (*residuals.down, residuals.mid))
        assert torch.equal(unet(x, TIMES, context, residuals), unet(x, TIMES, context))


def test_residuals_fit_the_skip_connections(unet, branch):
    x, context, hint = inputs(unet)
    residuals = branch(x, TIMES, context, hint)
    assert len(residuals.down) + 1 == branch.num_outputs
    assert [tuple(each.shape) for each in residuals.down] == [
        (2, 16, 8, 12),
        (2, 16, 8, 12),
        (2, 16, 4, 6),
        (2, 32, 4, 6),
    ]
    assert residuals.mid.shape == (2, 32, 4, 6)


def test_the_copy_computes_what_the_unet_does(unet, branch):
    """With identity convolutions and a hint of nothing, the outputs are the UNet's own features."""
    x, context, hint = inputs(unet)
    for convolution in [*branch.model.controlnet_down_blocks, branch.model.controlnet_mid_block]:
        torch.nn.init.dirac_(convolution.weight)
    seen = []
    hook = unet.model.mid_block.register_forward_hook(lambda *call: seen.append(call[2]))
    with torch.no_grad():
        residuals = branch(x, TIMES, context, hint)
        unet(x, TIMES, context)
    hook.remove()
    assert torch.allclose(residuals.mid, seen[0], atol=1e-5)
    assert torch.allclose(residuals.down[0], unet.model.conv_in(x), atol=1e-6)


@pytest.mark.parametrize("kind", ["tokens", "both"])
def test_diffusers_own_forward_agrees(kind):
    unet = scramble(UNet(**TINY, **KINDS[kind]))
    branch = scramble(ControlBranch(unet.init_kwargs, hint_widths=(4, 6, 8)))
    x, context, hint = inputs(unet)
    with torch.no_grad():
        vector = None if branch.vector_projection is None else branch.vector_projection(context.vector)
        expected = branch.model(x, TIMES, context.tokens, hint, 0.7, vector, return_dict=False)
        residuals = branch(x, TIMES, context, hint, 0.7)
    for got, want in zip((*residuals.down, residuals.mid), (*expected[0], expected[1]), strict=True):
        assert torch.equal(got, want)


def test_names_of_parameters_are_diffusers(unet, branch):
    ours = {name for name, _ in branch.model.named_parameters()}
    encoder = {
        name for name, _ in unet.model.named_parameters() if not name.startswith(("up_blocks", "conv_norm", "conv_out"))
    }
    assert encoder <= ours
    more = {name.split(".")[0] for name in ours - encoder}
    assert more == {"controlnet_cond_embedding", "controlnet_down_blocks", "controlnet_mid_block"}


@pytest.mark.parametrize("widths", [(4,), (4, 6), (4, 6, 8, 8)])
def test_hints_of_other_factors_and_channels(widths):
    unet = scramble(UNet(**TINY))
    branch = scramble(ControlBranch(unet.init_kwargs, hint_channels=19, hint_widths=widths))
    factor = 2 ** (len(widths) - 1)
    x, context, _ = inputs(unet)
    assert branch(x, TIMES, context, torch.rand(2, 19, 8 * factor, 12 * factor)).mid.any()


def test_scales(unet, branch):
    scramble(branch)
    x, context, hint = inputs(unet)
    with torch.no_grad():
        whole = branch(x, TIMES, context, hint)
        each = branch(x, TIMES, context, hint, [0.0, 2.0, 1.0, 1.0, 0.5])
        features = hint_features({"parts": branch}, {"parts": hint})
        named = control_residuals({"parts": branch}, x, TIMES, context, features, {"parts": 0.0, "render": 3.0})
    assert named is not None and not named.mid.any()
    assert not each.down[0].any() and torch.equal(each.down[1], 2 * whole.down[1])
    assert torch.equal(each.mid, 0.5 * whole.mid)
    with pytest.raises(ValueError, match="control scales: got 3, expected one number or 5"):
        branch(x, TIMES, context, hint, [1.0, 1.0, 1.0])


def test_only_mid(unet):
    branch = scramble(ControlBranch(unet.init_kwargs, hint_widths=(4, 6, 8), only_mid=True))
    x, context, hint = inputs(unet)
    residuals = branch(x, TIMES, context, hint)
    assert residuals.mid.any() and not any(each.any() for each in residuals.down)


def test_several_branches_add(unet):
    controls = {
        name: scramble(ControlBranch(unet.init_kwargs, hint_widths=(4, 6, 8)), n) for n, name in enumerate("ab")
    }
    x, context, hint = inputs(unet)
    with torch.no_grad():
        features = hint_features(controls, {"a": hint, "b": 1 - hint})
        both = control_residuals(controls, x, TIMES, context, features, {"b": 0.5})
        parts = [controls["a"](x, TIMES, context, hint), controls["b"](x, TIMES, context, 1 - hint, 0.5)]
    assert both is not None
    assert torch.allclose(both.mid, parts[0].mid + parts[1].mid)
    for together, one, other in zip(both.down, parts[0].down, parts[1].down, strict=True):
        assert torch.allclose(together, one + other)
    assert combined([]) is None and control_residuals(controls, x, TIMES, context, {}) is None


def test_hints_that_do_not_fit(unet, branch):
    x, context, hint = inputs(unet)
    with pytest.raises(ValueError, match=r"hint: got 2 of 64x48 pixels, expected 2 of 48x32"):
        branch(x, TIMES, context, torch.rand(2, 3, 48, 64))
    with pytest.raises(ValueError, match=r"expected \(N, 3, H, W\) with sides divisible by 4"):
        branch(x, TIMES, context, torch.rand(2, 1, 32, 48))
    with pytest.raises(ValueError, match="sides divisible by 4"):
        branch(x, TIMES, context, torch.rand(2, 3, 30, 48))
    with pytest.raises(ValueError, match="hints: got depth, expected some of: parts"):
        hint_features({"parts": branch}, {"depth": hint})
    with pytest.raises(ValueError, match="expected pictures from 0 to 1"):
        hint_features({"parts": branch}, {"parts": 2 * hint - 1})


def test_the_encoder_of_another_unet(branch):
    with pytest.raises(ValueError, match="control: got a UNet"):
        branch.copy_from(UNet(**{**TINY, "channels": (32, 32)}))


def test_a_branch_is_built_again_from_its_configuration(branch):
    scramble(branch)
    again = build_network(network_config(branch))
    again.load_state_dict(branch.state_dict())
    assert isinstance(again, ControlBranch) and again.init_kwargs == branch.init_kwargs
