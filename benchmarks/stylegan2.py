"""Seconds per StyleGAN2 training step by phase, with peak memory.

    python benchmarks/stylegan2.py                   64 and 256 pixels, 1 and 2 threads; the GPU where there is one
    python benchmarks/stylegan2.py --sizes 64 --threads 1 --repeats 9

A step is forward, backward and Adam. G+PL and D+R1 have the main loss and the regulariser in one step. Seconds are
medians; `u` are units of benchmarks/calibration.py, taken before and after every row in a process of their own (in a
process that has worked before, the allocator is warm and the unit a tenth shorter). Peak memory is that of the process,
of which every row has its own.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from facegen.models import StyleGAN2
from facegen.models.adversarial import Phase

PHASES = [
    Phase("G", "generator", True, False, 1),
    Phase("G+PL", "generator", True, True, 1),
    Phase("D", "discriminator", True, False, 1),
    Phase("D+R1", "discriminator", True, True, 1),
]
CONFIGURATIONS: dict[int, dict[str, int]] = {
    64: {"channel_base": 8192, "channel_max": 256, "batch": 8},
    256: {"channel_base": 16384, "channel_max": 512, "batch": 4},
}


def build(size: int, precision: str) -> StyleGAN2:
    """The configuration of the published timing at 64 pixels, that of paper256 at 256."""
    chosen = CONFIGURATIONS[size]
    half = 0 if precision == "32-true" else 4
    networks: dict[str, Any] = {k: chosen[k] for k in ("channel_base", "channel_max")}
    networks |= {"num_fp16_res": half, "conv_clamp": 256 if half else None}
    return StyleGAN2(
        size,
        batch_size=chosen["batch"],
        generator={"mapping_kwargs": {"num_layers": 8}, "synthesis_kwargs": networks},
        discriminator=networks,
        r1_interval=None,
        pl_interval=None,
        augment="none",
        precision=precision,  # type: ignore[arg-type]
    ).train()


def measure(size: int, threads: int, repeats: int, device: str, precision: str, compiled: bool) -> dict[str, float]:
    """Medians of every phase in this process."""
    torch.manual_seed(0)
    torch.set_num_threads(threads)
    model = build(size, precision).to(device)
    if compiled:
        model.generator.synthesis.compile()
        model.discriminator.compile()
    optimizers = model.configure_optimizers()
    real = torch.rand(model.batch_size, 3, size, size, device=device) * 2 - 1
    labels = torch.zeros(model.batch_size, 0, device=device)
    row: dict[str, float] = {}
    for phase in PHASES:
        if compiled and phase.regularise:
            continue  # second derivatives do not go through compiled graphs
        seconds = []
        for _ in range(repeats + 1):
            start = _now(device)
            model.run_phase(phase, optimizers[phase.network == "discriminator"], real, labels, model.draws())
            model.images_seen += model.batch_size
            seconds.append(_now(device) - start)
        row[phase.name] = statistics.median(seconds[1:])
    on_gpu = device == "cuda"
    row["peak"] = torch.cuda.max_memory_allocated() / 2**30 if on_gpu else _peak_rss()
    return row


def _now(device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def _peak_rss() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _own_process(arguments: list[str]) -> dict[str, float]:
    done = subprocess.run([sys.executable, __file__, "--row", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def _unit(threads: int) -> float:
    """Seconds of one unit, measured by a fresh process."""
    script = str(Path(__file__).with_name("calibration.py"))
    return float(subprocess.check_output([sys.executable, script, str(threads)], text=True))


def _print(title: str, row: dict[str, float], unit: float) -> None:
    def cell(seconds: float) -> str:
        return f"{seconds:.3f} s" + (f" = {seconds / unit:.2f} u" if unit else "")

    phases = {name: seconds for name, seconds in row.items() if name != "peak"}
    cells = [f"{name} {cell(seconds)}" for name, seconds in phases.items()]
    print(f"{title:34s} {'  '.join(cells)}  sum {cell(sum(phases.values()))}  peak {row['peak']:.2f} GiB", flush=True)


def main() -> None:
    """Print one line per configuration."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=[64, 256], choices=sorted(CONFIGURATIONS))
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--row", nargs=5, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.row:
        size, threads, device, precision, compiled = arguments.row
        row = measure(int(size), int(threads), arguments.repeats, device, precision, compiled == "1")
        print(json.dumps(row))
        return
    print(f"torch {torch.__version__}, float32 unless said otherwise")
    repeats = ["--repeats", str(arguments.repeats)]
    for size in arguments.sizes:
        for threads in arguments.threads:
            unit = _unit(threads)
            row = _own_process([str(size), str(threads), "cpu", "32-true", "0", *repeats])
            unit = (unit + _unit(threads)) / 2
            _print(f"{size} px, batch {CONFIGURATIONS[size]['batch']}, CPU, {threads} threads", row, unit)
        if not torch.cuda.is_available():
            continue
        for precision in ("32-true", "bf16-mixed", "16-mixed"):
            for compiled in (False, True):
                row = _own_process([str(size), "1", "cuda", precision, str(int(compiled)), *repeats])
                _print(f"{size} px, GPU, {precision}{', compiled' if compiled else ''}", row, 0.0)
    if not torch.cuda.is_available():
        print("no GPU here: bf16, fp16 and compilation were not measured")


if __name__ == "__main__":
    main()
