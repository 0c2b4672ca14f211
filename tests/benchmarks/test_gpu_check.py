"""The GPU check runs its own checks on the CPU, and says so where there is no GPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import gpu_check

ROOT = Path(__file__).resolve().parents[2]


def test_ends_well_without_gpu() -> None:
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu_check.py")]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert finished.returncode == 0 and "no GPU here" in finished.stdout, finished.stderr


CHECKS = {name: check for name, check in gpu_check.checks(torch.device("cpu")) if "16-mixed" not in name}


@pytest.mark.parametrize("name", CHECKS)
def test_check_passes_on_the_cpu(name: str) -> None:
    row = gpu_check.measure(name, CHECKS[name])
    assert row.passed, row.measured


def test_difference_and_error_are_failures() -> None:
    calls: list[float] = []

    def drifting(device: torch.device) -> list[torch.Tensor]:
        calls.append(1.0)
        return [torch.ones(2) * len(calls)]

    assert not gpu_check.against_cpu(drifting, 0.5, torch.device("cpu"))[0]
    row = gpu_check.measure("x", lambda: (_ for _ in ()).throw(RuntimeError("kernel\nmissing")))
    assert not row.passed and row.measured == "RuntimeError: kernel missing"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_everything_passes_on_the_gpu() -> None:
    for name, check in gpu_check.checks(torch.device("cuda")):
        row = gpu_check.measure(name, check)
        assert row.passed, f"{name}: {row.measured}"
