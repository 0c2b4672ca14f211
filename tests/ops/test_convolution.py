from typing import Any

import pytest
import torch

from facegen.ops import conv2d_resample, modulated_conv2d
from tests.golden import FIRST_ORDER, SECOND_ORDER, assert_close_golden, golden_cases, gradients, group, load_npz


def _compare(y, ref, inputs):
    """Value, gradients, and gradients of sum(g_x^2), of a function of the named inputs."""
    assert_close_golden(y, ref["y"], *FIRST_ORDER, name="y")
    first = gradients((y * ref["g"]).sum(), list(inputs.values()), create_graph=True)
    for name, grad in zip(inputs, first, strict=True):
        assert_close_golden(grad, ref[f"g_{name}"], *FIRST_ORDER, name=f"g_{name}")
    sum_gx2 = first[list(inputs).index("x")].square().sum()
    assert_close_golden(sum_gx2, ref["sum_gx2"], *SECOND_ORDER, name="sum_gx2")
    for name, grad in zip(inputs, gradients(sum_gx2, list(inputs.values())), strict=True):
        assert_close_golden(grad, ref[f"gg_{name}"], *SECOND_ORDER, name=f"gg_{name}")


@pytest.mark.parity
@pytest.mark.parametrize("case", golden_cases("ops/conv2d_resample.json"))
def test_conv2d_resample_parity(golden, case):
    arrays = load_npz(golden / "ops/conv2d_resample.npz")
    ref = group(arrays, case["case"] + "/")
    inputs = {name: ref[name].requires_grad_() for name in ("x", "w")}
    kwargs = dict(case["kwargs"])
    f = kwargs.pop("f")
    y = conv2d_resample(inputs["x"], inputs["w"], f=None if f is None else arrays[f"filter/{f}"], **kwargs)
    _compare(y, ref, inputs)


@pytest.mark.parity
@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("case", golden_cases("ops/modulated_conv2d.json"))
def test_modulated_conv2d_parity(golden, case, fused):
    arrays = load_npz(golden / "ops/modulated_conv2d.npz")
    ref = group(arrays, case["case"] + "/")
    names = ["x", "weight", "styles"] + ["noise"] * (case["noise"] is not None)
    inputs = {name: ref[name].requires_grad_() for name in names}
    (resample_filter,) = group(arrays, "filter/").values()
    y = modulated_conv2d(**inputs, resample_filter=resample_filter, fused_modconv=fused, **case["kwargs"])
    _compare(y, ref, inputs)


def _half(demodulate, fused):
    torch.manual_seed(0)
    x, weight, styles = torch.randn(2, 4, 6, 6), torch.randn(3, 4, 3, 3) * 300, torch.randn(2, 4) * 300
    full = modulated_conv2d(x, weight, styles, padding=1, demodulate=demodulate, fused_modconv=fused)
    half = modulated_conv2d(x.half(), weight, styles, padding=1, demodulate=demodulate, fused_modconv=fused)
    return full, half


@pytest.mark.parametrize("fused", [False, True])
def test_half_precision_does_not_overflow_when_demodulated(fused):
    full, half = _half(demodulate=True, fused=fused)
    assert half.dtype == torch.float16
    assert torch.allclose(half.float(), full, atol=1e-2)


def test_samples_do_not_see_each_other():
    torch.manual_seed(0)
    x, weight, styles = torch.randn(3, 4, 8, 8), torch.randn(5, 4, 3, 3), torch.randn(3, 4)
    together = modulated_conv2d(x, weight, styles, padding=1, up=2)
    apart = torch.cat([modulated_conv2d(x[i : i + 1], weight, styles[i : i + 1], padding=1, up=2) for i in range(3)])
    assert torch.allclose(together, apart, atol=1e-5)


@pytest.mark.parametrize("shape", [(8, 32, 8, 6), (3, 16, 7, 5), (20, 16, 4, 4), (1, 24, 16, 3)])
def test_pointwise_convolution_is_a_convolution_to_second_order(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=generator, dtype=torch.float64).to(memory_format=torch.channels_last)
    w = torch.randn(17, shape[1], 1, 1, generator=generator, dtype=torch.float64)
    results = []
    functions: list[Any] = [conv2d_resample, torch.nn.functional.conv2d]
    for convolve in functions:
        inputs = [x.clone().requires_grad_(), w.clone().requires_grad_()]
        y = convolve(*inputs)
        first = torch.autograd.grad(y.pow(3).sum(), inputs, create_graph=True)
        second = torch.autograd.grad(torch.stack([g.square().sum() for g in first]).sum(), inputs)
        results.append([y, *first, *second])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs)
