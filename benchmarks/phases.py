"""Measuring the phases of a GAN's training step: what the benchmarks of all models share.

Every row is measured in a process of its own, whose peak memory it reports. Units of calibration.py are taken before
and after it by fresh processes: in one that has worked before, the allocator is warm and the unit a tenth shorter.
"""

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from facegen.models.adversarial import AdversarialTraining
from facegen.models.schedule import Phase


def step_phases(regularised: str) -> list[Phase]:
    """G and D alone and with their regularisers in the same step; `regularised` names the generator's."""
    return [
        Phase("G", "generator", True, False, 1),
        Phase(regularised, "generator", True, True, 1),
        Phase("D", "discriminator", True, False, 1),
        Phase("D+R1", "discriminator", True, True, 1),
    ]


def now(device: str) -> float:
    """Seconds, when the device has done what it was told."""
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def median_seconds(work: Callable[[], Any], repeats: int, device: str) -> float:
    """Median of several runs after one that warms up."""
    seconds = []
    for _ in range(repeats + 1):
        start = now(device)
        work()
        seconds.append(now(device) - start)
    return statistics.median(seconds[1:])


def measure_phases(
    model: AdversarialTraining,
    phases: list[Phase],
    real: torch.Tensor,
    labels: torch.Tensor,
    repeats: int,
    device: str,
) -> dict[str, float]:
    """Seconds of every phase, forward, backward and Adam."""
    optimizers = model.configure_optimizers()

    def step(phase: Phase) -> None:
        model.run_phase(phase, optimizers[phase.network == "discriminator"], real, labels, model.draws())
        model.images_seen += model.batch_size

    return {phase.name: median_seconds(lambda p=phase: step(p), repeats, device) for phase in phases}


def peak_gib(device: str) -> float:
    """Peak memory of this process, or of the GPU's allocator."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def own_process(script: str, arguments: list[str]) -> dict[str, float]:
    """Run `script --row ARGUMENTS` and read the JSON in its last line."""
    done = subprocess.run([sys.executable, script, "--row", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def unit(threads: int) -> float:
    """Seconds of one unit, measured by a fresh process."""
    script = str(Path(__file__).with_name("calibration.py"))
    return float(subprocess.check_output([sys.executable, script, str(threads)], text=True))


def row_in_units(script: str, arguments: list[str], threads: int) -> tuple[dict[str, float], float]:
    """A row, and the unit around it."""
    before = unit(threads)
    row = own_process(script, arguments)
    return row, (before + unit(threads)) / 2


def print_row(title: str, row: dict[str, float], one_unit: float, total: tuple[str, ...]) -> None:
    """Seconds and units of every entry, the sum of those in `total`, and the peak."""

    def cell(seconds: float) -> str:
        return f"{seconds:.3f} s" + (f" = {seconds / one_unit:.2f} u" if one_unit else "")

    cells = [f"{name} {cell(seconds)}" for name, seconds in row.items() if name != "peak"]
    whole = sum(row[name] for name in total)
    print(f"{title:34s} {'  '.join(cells)}  sum {cell(whole)}  peak {row['peak']:.2f} GiB", flush=True)
