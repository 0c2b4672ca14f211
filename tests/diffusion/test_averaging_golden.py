"""Averages of weights against the reference's numbers."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from facegen.diffusion.averaging import exponent, posthoc_coefficients, power_decay, warmup_decay
from facegen.models.schedule import update_ema
from tests.golden import golden_root

ROOT = golden_root().parent / "golden_diffusion"
pytestmark = [
    pytest.mark.parity,
    pytest.mark.skipif(not ROOT.exists(), reason=f"reference numbers not found: {ROOT}; set FACEGEN_GOLDEN"),
]


def test_warmup_follows_lit_ema() -> None:
    """README: 24 updates, atol 2e-6."""
    found = load_file(ROOT / "lit_ema.safetensors")
    decay, start, params, shadows = (found.pop(name) for name in ("decay", "p.0", "params", "shadow"))
    assert not found
    average, network = torch.nn.Module(), torch.nn.Module()
    average.weight, network.weight = (torch.nn.Parameter(start.clone()) for _ in range(2))
    for update, (values, shadow) in enumerate(zip(params, shadows, strict=True), 1):
        network.weight.data.copy_(values)
        update_ema(average, network, warmup_decay(update, float(decay)))
        torch.testing.assert_close(average.weight.data, shadow, rtol=0, atol=2e-6)


def test_power_functions_follow_edm2() -> None:
    """README: rtol 1e-9 in float64."""
    found = json.loads((ROOT / "phema.json").read_text())
    assert set(found) == {"stds", "exp", "batch", "cur_nimg", "beta", "posthoc"}
    np.testing.assert_allclose([exponent(std) for std in found["stds"]], found["exp"], rtol=1e-9)
    decays = [[power_decay(std, found["batch"], seen) for std in found["stds"]] for seen in found["cur_nimg"]]
    np.testing.assert_allclose(decays, found["beta"], rtol=1e-9)
    stored = found["posthoc"]
    assert set(stored) == {"in_ofs", "in_std", "out_ofs", "out_std", "coefficients_in_by_out"}
    mine = posthoc_coefficients(stored["in_ofs"], stored["in_std"], stored["out_ofs"], stored["out_std"])
    expected = np.array(stored["coefficients_in_by_out"])
    for column in range(expected.shape[1]):  # what is 1e-20 beside 1 is the solver's rounding
        limit = 1e-9 * np.abs(expected[:, column]).max()
        np.testing.assert_allclose(mine[:, column], expected[:, column], rtol=1e-9, atol=limit)
