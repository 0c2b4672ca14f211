"""Pictures per second of the reconstruction network, with which fits start and the callback in the loop looks.

    python benchmarks/morphable_regressor.py                     ResNet-18 at 64, ResNet-50 at 224; 1 and 2 threads
    python benchmarks/morphable_regressor.py --device cuda

Medians over repeats after one more to warm up. `wall` is what a clock says; `cpu` counts processor seconds of all
threads, and is the figure to read on a machine that does other work as well.
"""

import argparse
import statistics
import time
from typing import Any

import torch

from facegen.networks.reconstruction import ReconstructionNetwork, regress

CASES = (("resnet18", 64, 1), ("resnet18", 64, 32), ("resnet50", 224, 1), ("resnet50", 224, 32))


@torch.inference_mode()
def measure(kind: str, size: int, batch: int, threads: int, repeats: int, device: str) -> dict[str, Any]:
    """Pictures per second of one case."""
    torch.set_num_threads(threads)
    network = ReconstructionNetwork(kind, size=size).eval().to(device)
    images = torch.rand(batch, 3, size, size, device=device) * 2 - 1
    walls, cpus = [], []
    for _ in range(repeats + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        regress(network, images)
        if device != "cpu":
            torch.cuda.synchronize()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    wall, cpu = statistics.median(walls[1:]), statistics.median(cpus[1:])
    return {"wall": batch / wall, "cpu": batch / cpu if device == "cpu" else float("nan")}


def main() -> None:
    """Print a line per case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    for kind, size, batch in CASES:
        for threads in options.threads:
            found = measure(kind, size, batch, threads, options.repeats, options.device)
            per_second = f"wall {found['wall']:7.1f} images/s  cpu {found['cpu']:7.1f} images/cpu-s"
            print(f"{kind} {size:3d} px  batch {batch:2d}  threads {threads}  {per_second}")


if __name__ == "__main__":
    main()
