"""Reading reference numbers and comparing with them: the helpers of every parity test."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

CHECKOUT = Path(__file__).resolve().parents[1]

# (relative, absolute) tolerances of the reference's README, section 2: d <= relative * max|reference| + absolute
FIRST_ORDER = (1e-5, 1e-6)
SECOND_ORDER = (5e-5, 1e-5)
NETWORK = (2e-5, 1e-6)


def golden_root() -> Path:
    """Folder of the reference numbers: `$FACEGEN_GOLDEN/golden`, by default beside the checkout."""
    return Path(os.environ.get("FACEGEN_GOLDEN", CHECKOUT.parent / "shared")) / "golden"


def missing_reason() -> str:
    return (
        f"reference numbers not found: {golden_root()} does not exist; set FACEGEN_GOLDEN to the folder above golden/"
    )


def load_json(path: Path) -> Any:
    return json.loads(path.read_text())


def load_npz(path: Path) -> dict[str, Tensor]:
    """All arrays of an npz file as tensors."""
    with np.load(path, allow_pickle=False) as arrays:
        return {name: torch.from_numpy(arrays[name].copy(order="C")) for name in arrays.files}


def _no_reference() -> list[Any]:
    return [pytest.param(None, id="absent", marks=pytest.mark.skip(reason=missing_reason()))]


def golden_cases(relative: str) -> list[Any]:
    """Parameters for `parametrize`: the case records of a JSON list, named by their `case`."""
    path = golden_root() / relative
    if not path.exists():
        return _no_reference()
    return [pytest.param(case, id=case["case"]) for case in load_json(path)]


def golden_stems(pattern: str, suffix: str) -> list[Any]:
    """Parameters for `parametrize`: names of the files matching `pattern`, without `suffix`."""
    if not golden_root().exists():
        return _no_reference()
    return [path.name.removesuffix(suffix) for path in sorted(golden_root().glob(pattern))]


def group(arrays: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The arrays whose key starts with `prefix`, without it."""
    return {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}


def assert_close_golden(yours: Tensor, ref: Tensor, rel: float, abs: float, name: str) -> None:
    """Fail unless max|yours - ref| <= rel * max|ref| + abs; shapes must agree and values be finite."""
    assert tuple(yours.shape) == tuple(ref.shape), (
        f"{name}: got shape {tuple(yours.shape)}, expected {tuple(ref.shape)}"
    )
    if ref.numel() == 0:
        return
    assert torch.isfinite(yours).all(), f"{name}: not finite"
    difference = (yours.detach().double() - ref.double()).abs().max().item()
    limit = rel * ref.double().abs().max().item() + abs
    assert difference <= limit, f"{name}: differs by {difference:.3g}, allowed {limit:.3g}"


def assert_norm_close(yours: float, ref: float | None, largest: float, name: str) -> None:
    """Compare the norm of a parameter's gradient; `largest` is the largest norm of that phase."""
    ref = ref or 0.0  # null: autograd returns no gradient, a zero gradient is equally right
    limit = 2e-3 * ref + 1e-4 * largest
    assert abs(yours - ref) <= limit, f"{name}: norm {yours:.6g}, expected {ref:.6g}, allowed difference {limit:.3g}"


def assert_phase_gradients(
    network: torch.nn.Module, phase: str, norms: dict[str, float | None], arrays: dict[str, Tensor]
) -> None:
    """Compare gradients that a phase of training left in a network: all norms, and the arrays `<phase>/grad/*`."""
    largest = max(norm or 0.0 for norm in norms.values())
    parameters = dict(network.named_parameters())
    assert norms.keys() <= parameters.keys()
    for key, norm in norms.items():
        gradient = parameters[key].grad
        gradient = torch.zeros_like(parameters[key]) if gradient is None else gradient
        assert_norm_close(float(gradient.double().norm()), norm, largest, name=f"{phase}/{key}")
        if (expected := arrays.get(f"{phase}/grad/{key}")) is not None:
            assert_close_golden(gradient, expected, 1e-3, 1e-4 * largest, name=f"{phase}/grad/{key}")


def gradients(output: Tensor, inputs: list[Tensor], create_graph: bool = False) -> list[Tensor]:
    """Gradients of a scalar, zero where it does not depend on an input."""
    if not output.requires_grad:
        return [torch.zeros_like(x) for x in inputs]
    found = torch.autograd.grad(output, inputs, create_graph=create_graph, allow_unused=True)
    return [torch.zeros_like(x) if grad is None else grad for x, grad in zip(inputs, found, strict=True)]
