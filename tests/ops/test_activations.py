import pytest
import torch

from facegen.ops import bias_act
from tests.golden import FIRST_ORDER, SECOND_ORDER, assert_close_golden, golden_cases, gradients, group, load_npz


@pytest.mark.parity
@pytest.mark.parametrize("case", golden_cases("ops/bias_act.json"))
def test_bias_act_parity(golden, case):
    ref = group(load_npz(golden / "ops/bias_act.npz"), case["case"] + "/")
    x = ref["x"].requires_grad_()
    b = ref["b"].requires_grad_() if case["bias"] else None
    y = bias_act(x, b, dim=case["dim"], act=case["act"], **case["kwargs"])
    gx, *gb = gradients((y * ref["g"]).sum(), [x] if b is None else [x, b], create_graph=True)
    (ggx,) = gradients(gx.square().sum(), [x])
    assert_close_golden(y, ref["y"], *FIRST_ORDER, name="y")
    assert_close_golden(gx, ref["gx"], *FIRST_ORDER, name="gx")
    for grad in gb:
        assert_close_golden(grad, ref["gb"], *FIRST_ORDER, name="gb")
    assert_close_golden(ggx, ref["ggx"], *SECOND_ORDER, name="ggx")


@pytest.mark.parity
@pytest.mark.parametrize("case", golden_cases("ops/bias_act.json"))
def test_default_gain_and_slope_are_the_published_ones(case):
    x = torch.linspace(-2, 2, 9)
    spelled_out = bias_act(x, act=case["act"], dim=0, gain=case["def_gain"], alpha=case["def_alpha"])
    assert torch.allclose(bias_act(x, act=case["act"], dim=0), spelled_out)


def test_errors_name_what_was_got():
    with pytest.raises(ValueError, match="'gelu', expected one of"):
        bias_act(torch.zeros(1, 2), act="gelu")
    with pytest.raises(ValueError, match=r"got a bias of shape \(3,\), expected \(2,\)"):
        bias_act(torch.zeros(1, 2), torch.zeros(3))
