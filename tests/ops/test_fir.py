import numpy as np
import pytest
import torch

from facegen import ops
from tests.golden import FIRST_ORDER, assert_close_golden, golden_cases, load_npz


@pytest.mark.parity
@pytest.mark.parametrize("case", golden_cases("ops/setup_filter.json"))
def test_setup_filter_parity(golden, case):
    arrays = load_npz(golden / "ops/setup_filter.npz")
    stored = arrays.get(case["case"].split("/")[0] + "/in")
    for taps in (stored, case["f_in"]):
        if isinstance(taps, str):  # a filter which the file only names
            continue
        f = ops.setup_filter(taps, **case["kwargs"])
        assert f.dtype == torch.float32
        assert list(f.shape) == case["out_shape"]
        assert_close_golden(f, arrays[case["case"] + "/out"], *FIRST_ORDER, name=case["case"])


@pytest.mark.parity
@pytest.mark.parametrize("case", golden_cases("ops/upfirdn2d.json"))
def test_upfirdn2d_parity(golden, case):
    arrays, name = load_npz(golden / "ops/upfirdn2d.npz"), case["case"]
    x = arrays[f"{name}/x"].requires_grad_()
    y = getattr(ops, case["op"])(x, arrays.get(f"filter/{case['filter']}"), **case["kwargs"])
    assert_close_golden(y, arrays[f"{name}/y"], *FIRST_ORDER, name=f"{name}/y")
    (gx,) = torch.autograd.grad((y * arrays[f"{name}/g"]).sum(), x)
    assert_close_golden(gx, arrays[f"{name}/gx"], *FIRST_ORDER, name=f"{name}/gx")


def _upfirdn2d_by_loops(x, f, up, down, padding, flip_filter, gain):
    """The definition, sample by sample, in float64."""
    height, width = x.shape
    left, right, top, bottom = padding
    spread = np.zeros((height * up, width * up))
    spread[::up, ::up] = x
    spread = np.pad(spread, ((top, bottom), (left, right)))
    f = f if flip_filter else f[::-1, ::-1]
    rows, columns = spread.shape[0] - f.shape[0] + 1, spread.shape[1] - f.shape[1] + 1
    full = [[(spread[r : r + f.shape[0], c : c + f.shape[1]] * f).sum() for c in range(columns)] for r in range(rows)]
    return gain * np.array(full)[::down, ::down]


@pytest.mark.parametrize("up, down, flip_filter", [(1, 1, False), (2, 1, True), (1, 2, False), (3, 2, True)])
def test_upfirdn2d_is_its_definition(up, down, flip_filter):
    rng = np.random.default_rng(up * 10 + down)
    x, f = rng.normal(size=(6, 5)), rng.normal(size=(3, 4))
    y = ops.upfirdn2d(
        torch.from_numpy(x)[None, None], torch.from_numpy(f), up, down, (2, 3, 1, 2), flip_filter=flip_filter, gain=1.7
    )
    expected = _upfirdn2d_by_loops(x, f, up, down, (2, 3, 1, 2), flip_filter, 1.7)
    np.testing.assert_allclose(y[0, 0].numpy(), expected, atol=1e-12)


def test_derivatives_of_first_and_second_order():
    x = torch.randn(1, 2, 5, 4, dtype=torch.float64, requires_grad=True)
    f = torch.randn(3, 2, dtype=torch.float64)

    def resample(x):
        return ops.upfirdn2d(x, f, up=2, down=3, padding=(1, 2, 2, -1), gain=2)

    assert torch.autograd.gradcheck(resample, x)
    assert torch.autograd.gradgradcheck(lambda x: resample(x).square(), x)


def test_resampling_keeps_a_constant_image():
    f = ops.setup_filter([1, 3, 3, 1])
    x = torch.ones(1, 1, 12, 12)
    assert torch.allclose(ops.upsample2d(x, f)[..., 4:-4, 4:-4], torch.ones(1))
    assert torch.allclose(ops.downsample2d(x, f)[..., 2:-2, 2:-2], torch.ones(1))


def test_setup_filter_leaves_its_input_alone():
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    ops.setup_filter(taps, separable=True)
    assert taps.tolist() == [1, 3, 3, 1]


def test_errors_name_what_was_got():
    with pytest.raises(ValueError, match="shape"):
        ops.setup_filter(torch.zeros(2, 2, 2))
    with pytest.raises(ValueError, match="up=0"):
        ops.upfirdn2d(torch.zeros(1, 1, 4, 4), None, up=0)
    with pytest.raises(ValueError, match=r"\(N, C, H, W\)"):
        ops.upfirdn2d(torch.zeros(4, 4), None)
