import pytest
import torch
from torch import nn

from facegen.networks import stylegan2
from tests.golden import FIRST_ORDER, SECOND_ORDER, assert_close_golden, golden_cases, gradients, group, load_npz


def _state(ref):
    """The stored weights among the arrays of a case."""
    return {
        key: value for key, value in ref.items() if key not in ("x", "y", "g") and not key.startswith(("g_", "gg_"))
    }


def _build(case, ref):
    if "module" not in case:
        return getattr(stylegan2, case["case"]), {}
    if "group_size" in case:
        module: nn.Module = stylegan2.MinibatchStdLayer(case["group_size"], case["num_channels"])
    else:
        module = getattr(stylegan2, case["module"])(*case["args"], **case["kwargs"])
    module.load_state_dict(_state(ref), strict=True)
    for name in ("weight_gain", "bias_gain", "act_gain"):
        if name in case:
            assert getattr(module, name) == pytest.approx(case[name], rel=1e-6)
    return module, {"gain": case["call_gain"]} if "call_gain" in case else {}


@pytest.mark.parity
@pytest.mark.parametrize("case", golden_cases("ops/layers.json"))
def test_layer_parity(golden, case):
    ref = group(load_npz(golden / "ops/layers.npz"), case["case"] + "/")
    layer, call = _build(case, ref)
    inputs = {"x": ref["x"].requires_grad_()}
    if isinstance(layer, nn.Module):
        inputs |= dict(layer.named_parameters())
    y = layer(inputs["x"], **call)
    assert_close_golden(y, ref["y"], *FIRST_ORDER, name="y")
    first = gradients((y * ref["g"]).sum(), list(inputs.values()), create_graph=True)
    for name, grad in zip(inputs, first, strict=True):
        assert_close_golden(grad, ref[f"g_{name}"], *FIRST_ORDER, name=f"g_{name}")
    second = gradients(first[0].square().sum(), list(inputs.values()))
    for name, grad in zip(inputs, second, strict=True):
        if f"gg_{name}" in ref:
            assert_close_golden(grad, ref[f"gg_{name}"], *SECOND_ORDER, name=f"gg_{name}")


def test_minibatch_groups_are_strided():
    x = torch.zeros(4, 1, 1, 1)
    x[0], x[2] = 1, -1  # samples 0 and 2 differ, 1 and 3 do not
    statistic = stylegan2.MinibatchStdLayer(group_size=2)(x)[:, 1].flatten()
    assert torch.allclose(statistic, torch.tensor([1.0, 0.0, 1.0, 0.0]), atol=1e-3)


def test_minibatch_std_names_a_batch_it_cannot_divide():
    with pytest.raises(ValueError, match="batch of 5"):
        stylegan2.MinibatchStdLayer(group_size=4)(torch.zeros(5, 1, 2, 2))
