"""Seconds per EG3D training step by phase with peak memory, and images per second of pure rendering.

    python benchmarks/eg3d.py                        the published timing's configuration, 1 and 2 threads; the GPU
    python benchmarks/eg3d.py --threads 1 --repeats 9

A step is forward, backward and Adam. G+reg and D+R1 have the main loss and the regulariser in one step. `u` are units
of benchmarks/calibration.py. How it is measured: benchmarks/phases.py. Rendering: 48 + 48 samples on a ray, features of
planes that are there already, before super-resolution.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.phases import (
    measure_phases,
    median_seconds,
    own_process,
    peak_gib,
    print_row,
    row_in_units,
    step_phases,
)
from facegen.geometry import cameras
from facegen.models import EG3D

PHASES = step_phases("G+reg")
TOTAL = tuple(phase.name for phase in PHASES)
CONFIGURATIONS: dict[int, dict[str, Any]] = {
    128: {"batch": 2, "base": 4096, "width": 64, "module": "SuperresolutionHybrid2X", "side": 32, "samples": 24},
    512: {"batch": 8, "base": 32768, "width": 512, "module": "SuperresolutionHybrid8XDC", "side": 64, "samples": 48},
}


def build(size: int, precision: str) -> EG3D:
    """The configuration of the published timing at 128 pixels, that of eg3d_ffhq512 at 512."""
    chosen = CONFIGURATIONS[size]
    half = 0 if precision == "32-true" else 4
    widths = {"channel_base": chosen["base"], "channel_max": chosen["width"], "conv_clamp": None}
    return EG3D(
        size,
        batch_size=chosen["batch"],
        generator={"mapping_kwargs": {"num_layers": 2}, "num_fp16_res": 0, "sr_num_fp16_res": half, **widths},
        discriminator={**widths, "num_fp16_res": half, "conv_clamp": 256 if half else None},
        rendering={
            "superresolution_module": chosen["module"],
            "depth_resolution": chosen["samples"],
            "depth_resolution_importance": chosen["samples"],
        },
        neural_rendering_resolution_initial=chosen["side"],
        blur_init_sigma=0.0,
        precision=precision,  # type: ignore[arg-type]
    ).train()


def poses(count: int, device: str) -> torch.Tensor:
    """Cameras (N, 25) about the frontal one."""
    h, v = (torch.pi / 2 + 0.3 * torch.randn(2, count)).unbind()
    return cameras.label(cameras.look_at(h, v), cameras.pinhole_intrinsics()).to(device)


def measure_training(size: int, threads: int, repeats: int, device: str, precision: str) -> dict[str, float]:
    """Medians of the generator's forward pass and of every phase in this process."""
    torch.manual_seed(0)
    torch.set_num_threads(threads)
    model = build(size, precision).to(device)
    model._label_pool = poses(64, device)
    batch = model.batch_size
    real = torch.rand(batch, 3, size, size, device=device) * 2 - 1
    row = measure_phases(model, PHASES, real, poses(batch, device), repeats, device)
    z, c = torch.randn(batch, model.generator.z_dim, device=device), poses(batch, device)
    with torch.no_grad():
        forward = median_seconds(lambda: model.generator(z, c, noise_mode="random"), repeats, device)
    return {"forward": forward, **row, "peak": peak_gib(device)}


def measure_rendering(side: int, threads: int, repeats: int, device: str) -> dict[str, float]:
    """Seconds for one rendering."""
    torch.manual_seed(0)
    torch.set_num_threads(threads)
    model = build(128, "32-true")
    generator = model.generator.to(device).eval()
    generator.rendering_kwargs.update(depth_resolution=48, depth_resolution_importance=48)
    c = poses(1, device)
    with torch.no_grad():
        planes = generator.planes(generator.mapping(torch.randn(1, 512, device=device), c))
        seconds = median_seconds(lambda: generator.render(planes, c, side), repeats, device)
    return {"render": seconds, "peak": peak_gib(device)}


def main() -> None:
    """Print one line per configuration."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--row", nargs=5, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.row:
        kind, side, threads, device, precision = arguments.row
        numbers = int(side), int(threads), arguments.repeats, device
        print(json.dumps(measure_training(*numbers, precision) if kind == "train" else measure_rendering(*numbers)))
        return
    print(f"torch {torch.__version__}, float32 unless said otherwise")
    repeats = ["--repeats", str(arguments.repeats)]
    for threads in arguments.threads:
        row, unit = row_in_units(__file__, ["train", "128", str(threads), "cpu", "32-true", *repeats], threads)
        print_row(f"128 px, batch 2, CPU, {threads} threads", row, unit, TOTAL)
    for threads in arguments.threads:
        _print_rendering("cpu", threads, repeats)
    if not torch.cuda.is_available():
        print("no GPU here: bf16 and fp16 were not measured")
        return
    for size, batch in ((size, chosen["batch"]) for size, chosen in CONFIGURATIONS.items()):
        for precision in ("32-true", "bf16-mixed", "16-mixed"):
            row = own_process(__file__, ["train", str(size), "1", "cuda", precision, *repeats])
            print_row(f"{size} px, batch {batch}, GPU, {precision}", row, 0.0, TOTAL)
    _print_rendering("cuda", 1, repeats)


def _print_rendering(device: str, threads: int, repeats: list[str]) -> None:
    for side in (64, 128):
        row = own_process(__file__, ["render", str(side), str(threads), device, "32-true", *repeats])
        where = "GPU" if device == "cuda" else f"CPU, {threads} threads"
        print(f"rendering at {side}, {where}: {1 / row['render']:.2f} images/s, peak {row['peak']:.2f} GiB", flush=True)


if __name__ == "__main__":
    main()
