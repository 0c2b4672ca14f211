"""Seconds per StyleGAN2 training step by phase, with peak memory.

    python benchmarks/stylegan2.py                   64 and 256 pixels, 1 and 2 threads; the GPU where there is one
    python benchmarks/stylegan2.py --sizes 64 --threads 1 --repeats 9

A step is forward, backward and Adam. G+PL and D+R1 have the main loss and the regulariser in one step. Seconds are
medians; `u` are units of benchmarks/calibration.py. How it is measured: benchmarks/phases.py.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.phases import measure_phases, own_process, peak_gib, print_row, row_in_units, step_phases
from facegen.models import StyleGAN2

PHASES = step_phases("G+PL")
TOTAL = tuple(phase.name for phase in PHASES)
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
    real = torch.rand(model.batch_size, 3, size, size, device=device) * 2 - 1
    labels = torch.zeros(model.batch_size, 0, device=device)
    phases = [phase for phase in PHASES if not (compiled and phase.regularise)]  # no second derivatives when compiled
    row = measure_phases(model, phases, real, labels, repeats, device)
    return {**row, "peak": peak_gib(device)}


def main() -> None:
    """Print one line per configuration."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=[64, 256], choices=sorted(CONFIGURATIONS))
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--row", nargs=5, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.row:
        side, threads, device, precision, compiled = arguments.row
        row = measure(int(side), int(threads), arguments.repeats, device, precision, compiled == "1")
        print(json.dumps(row))
        return
    print(f"torch {torch.__version__}, float32 unless said otherwise")
    repeats = ["--repeats", str(arguments.repeats)]
    for size in arguments.sizes:
        for threads in arguments.threads:
            words = [str(size), str(threads), "cpu", "32-true", "0", *repeats]
            row, unit = row_in_units(__file__, words, threads)
            print_row(f"{size} px, batch {CONFIGURATIONS[size]['batch']}, CPU, {threads} threads", row, unit, TOTAL)
        if not torch.cuda.is_available():
            continue
        for precision in ("32-true", "bf16-mixed", "16-mixed"):
            for compiled in (False, True):
                row = own_process(__file__, [str(size), "1", "cuda", precision, str(int(compiled)), *repeats])
                title = f"{size} px, GPU, {precision}{', compiled' if compiled else ''}"
                print_row(title, row, 0.0, tuple(name for name in row if name != "peak"))
    if not torch.cuda.is_available():
        print("no GPU here: bf16, fp16 and compilation were not measured")


if __name__ == "__main__":
    main()
