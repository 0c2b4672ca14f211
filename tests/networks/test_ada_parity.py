"""The augmentation against the reference implementation: percentiles, stored draws, gradients, the rule for p."""

import re
from typing import Any

import pytest
import torch
from torch import Tensor

from facegen.networks.ada import AdaController, AugmentPipe
from tests.golden import assert_close_golden, golden_root, group, load_json, load_npz

pytestmark = pytest.mark.parity
TOLERANCE = (2e-5, 0.0)


def _cases(kind):
    """The records of augment.json that describe a `set`, `single` or `random` run which the reference finished."""
    path = golden_root() / "ada/augment.json"
    records = load_json(path)["cases"] if path.exists() else []
    return [
        pytest.param(case, id="-".join(str(value) for value in list(case.values())[:2]))
        for case in records
        if kind in case and "error" not in case
    ]


@pytest.fixture(scope="module")
def arrays(golden):
    return load_npz(golden / "ada/augment.npz")


@pytest.fixture(scope="module")
def description(golden):
    return load_json(golden / "ada/augment.json")


def _percentile_arrays(arrays: dict[str, Tensor], prefix: str, percentile: float) -> dict[str, Tensor]:
    """Arrays under `<prefix>pct<P>`, whichever way P was written."""
    found = {}
    for key, value in group(arrays, prefix + "pct").items():
        match = re.fullmatch(r"([\d.]+?)(?:/(.+))?", key)
        if match and float(match[1]) == percentile:
            found[match[2] or "y"] = value
    return found


def test_filters(arrays):
    pipe = AugmentPipe()
    assert_close_golden(pipe.Hz_geom, arrays["Hz_geom"], 1e-5, 1e-6, "Hz_geom")
    assert_close_golden(pipe.Hz_fbank, arrays["Hz_fbank"], 1e-5, 1e-6, "Hz_fbank")
    assert set(pipe.state_dict()) == {"p", "Hz_geom", "Hz_fbank"}


@pytest.mark.parametrize("case", _cases("debug_percentile"))
def test_percentiles(arrays, description, case, monkeypatch):
    if "set" in case:
        ref = _percentile_arrays(arrays, case["set"] + "/", case["debug_percentile"])
        pipe, x = AugmentPipe(**description["sets"][case["set"]]), arrays["x"]
    else:
        prefix = f"single/{case['single']}/"
        ref = _percentile_arrays(arrays, prefix, case["debug_percentile"])
        arguments: dict[str, Any] = {case["single"]: 1}
        pipe, x = AugmentPipe(**arguments), arrays["single/x"]
        if prefix + "pixels" in arrays:
            monkeypatch.setattr(torch, "randn", lambda *size, **kwargs: arrays[prefix + "pixels"])
    x = x.clone().requires_grad_()
    y = pipe(x, debug_percentile=case["debug_percentile"])
    assert_close_golden(y, ref["y"], *TOLERANCE, name="y")
    if "gx" in ref:
        (gx,) = torch.autograd.grad((y * arrays["g"]).sum(), x)
        assert_close_golden(gx, ref["gx"], *TOLERANCE, name="gx")


@pytest.mark.parametrize("kind", ["rect", "gray"])
def test_other_shapes(arrays, description, kind):
    recorded = [key for key in arrays if re.fullmatch(rf"{kind}/pct[\d.]+/y", key)]
    assert recorded
    for key in recorded:
        percentile = float(key.split("/")[1].removeprefix("pct"))
        y = AugmentPipe(**description["sets"]["bgc"])(arrays[f"{kind}/x"], debug_percentile=percentile)
        assert_close_golden(y, arrays[key], *TOLERANCE, name=key)


def test_six_channels_share_geometry_and_color(golden, description):
    arrays = load_npz(golden / "eg3d/augment6.npz")
    pipe = AugmentPipe(**description["sets"]["bgc"])
    for key, ref in group(arrays, "pct").items():
        y = pipe(arrays["x"], debug_percentile=float(key.removesuffix("/y")))
        assert_close_golden(y, ref, *TOLERANCE, name=f"pct{key}")


class _Injected:
    """Stands for torch.rand and torch.randn: hands out the stored draws in their order."""

    def __init__(self, draws: dict[str, Tensor], order: list[str]) -> None:
        self.queue = []
        for entry in order:
            match = re.fullmatch(r"(\S+): (rand|randn)\[(.*)\]", entry)
            assert match
            self.queue.append((match[2], draws[match[1]]))

    def take(self, kind: str, *size, **_kwargs) -> Tensor:
        shape = size[0] if len(size) == 1 else size
        expected, value = self.queue.pop(0)
        assert (kind, tuple(shape)) == (expected, tuple(value.shape))
        return value

    def rand(self, *size, **kwargs) -> Tensor:
        return self.take("rand", *size, **kwargs)

    def randn(self, *size, **kwargs) -> Tensor:
        return self.take("randn", *size, **kwargs)


def _random_run(arrays, description, case):
    pipe = AugmentPipe(**description["sets"][case["random"]])
    pipe.p.fill_(case["p"])
    prefix = f"random/{case['random']}_p{case['p']:g}/"
    return pipe, _Injected(group(arrays, prefix + "draw/"), case["draw_order"]), arrays[prefix + "y"]


@pytest.mark.parametrize("case", _cases("random"))
def test_stored_draws(arrays, description, case):
    pipe, injected, ref = _random_run(arrays, description, case)
    y = pipe(arrays["x"], rand=injected.rand, randn=injected.randn)
    assert_close_golden(y, ref, *TOLERANCE, name="y")
    assert not injected.queue


@pytest.mark.parametrize("case", _cases("random"))
def test_stored_draws_in_place_of_torch(arrays, description, case, monkeypatch):
    pipe, injected, ref = _random_run(arrays, description, case)
    monkeypatch.setattr(torch, "rand", injected.rand)
    monkeypatch.setattr(torch, "randn", injected.randn)
    assert_close_golden(pipe(arrays["x"]), ref, *TOLERANCE, name="y")


@pytest.mark.parametrize("case", _cases("random"))
def test_manual_seed(arrays, description, case):
    pipe, _, ref = _random_run(arrays, description, case)
    torch.manual_seed(case["manual_seed"])
    assert_close_golden(pipe(arrays["x"]), ref, *TOLERANCE, name="y")


def _logits_with_mean_sign(mean: float, count: int) -> Tensor:
    """Random magnitudes whose signs have exactly this mean; zeros fill up."""
    total = round(mean * count)
    assert abs(total / count - mean) < 1e-9
    logits = torch.zeros(count)
    logits[: abs(total)] = (torch.rand(abs(total)) + 0.1) * (1 if total > 0 else -1)
    return logits[torch.randperm(count)]


def test_trajectories_of_p(golden):
    for table in load_json(golden / "ada/heuristic.json")["tables"]:
        interval, batch_size = table["ada_interval"], table["batch_size"]
        controller = AdaController(table["ada_target"], table["ada_kimg"], interval)
        pipe = AugmentPipe()
        pipe.p.fill_(table["p_init"])
        for row in table["rows"]:
            logits = _logits_with_mean_sign(row["mean_sign"], batch_size * interval)
            for index, part in enumerate(logits.chunk(interval)):
                controller.observe(part[:, None])
                adjusted = controller.step(pipe.p, batch_size)
                assert adjusted == (index == interval - 1)
            assert_close_golden(pipe.p, torch.tensor(row["p"]), 0, 1e-6, f"batch {row['batch_idx']}")
