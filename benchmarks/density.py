"""Density of all poses of FFHQ, and of FFHQ with LPFF: seconds, memory, and the error against reference numbers.

`python benchmarks/density.py [--golden ../shared/golden3d] [--repeats 5] [--points 200]`. Each row is measured in a
process of its own with the given number of threads. The published way, one point at a time, and scipy's sums over
all pairs are timed on `--points` poses and extrapolated to all of them: the cost of a pose does not depend on the pose.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from facegen.data.density import PoseDensity, with_mirrors

POPULATIONS = ("FFHQ", "FFHQ+LPFF")
WAYS = ("grid", "pairs", "scipy", "one at a time")
THREADS = (1, 2)
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def population(golden: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Directions with mirrors (N, 2), and the reference densities of the even ones."""
    with np.load(golden / "07_ffhq_kde.npz", allow_pickle=False) as arrays:
        ffhq = with_mirrors(np.stack([arrays["theta_even_f64"], arrays["phi_even_f64"]], axis=1))
        if name == "FFHQ":
            return ffhq, arrays["density_at_even_points"]
    with np.load(golden / "08_rebalance.npz", allow_pickle=False) as arrays:
        more = with_mirrors(np.stack([arrays["lpff_theta_even"], arrays["lpff_phi_even"]], axis=1))
        return np.concatenate([ffhq, more]), arrays["full_density_even"]


def densities(way: str, points: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The function from poses to densities, ready except for what is made on its first call."""
    if way in ("grid", "pairs"):
        method = "grid" if way == "grid" else "direct"
        return lambda query: PoseDensity(points).density(query, method)
    from scipy.stats import gaussian_kde

    kernels = gaussian_kde(points.T)
    if way == "scipy":
        return lambda query: kernels(query.T)
    return lambda query: np.array([kernels(pose)[0] for pose in query])


def measure(golden: Path, name: str, way: str, repeats: int, num_points: int) -> dict[str, Any]:
    """One row: seconds for all poses, largest relative error, MB of the process before and at its peak."""
    points, reference = population(golden, name)
    answer, before = densities(way, points), _megabytes()
    every = 1 if way == "grid" else len(reference) // num_points
    query = points if way == "grid" else points[::2][::every][:num_points]
    found, seconds = np.empty(0), []
    for _ in range(repeats):
        start = time.perf_counter()
        found = answer(query)
        seconds.append(time.perf_counter() - start)
    expected = reference if way == "grid" else reference[::every][:num_points]
    error = np.abs(found[:: 2 if way == "grid" else 1] / expected - 1).max()
    return {
        "poses": len(points),
        "evaluated": len(query),
        "seconds": statistics.median(seconds) * len(points) / len(query),
        "error": float(error),
        "before": before,
        "peak": _megabytes(),
    }


def _megabytes() -> float:
    """Peak resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def rows(arguments: argparse.Namespace) -> Iterator[str]:
    """Lines of the table."""
    yield "| population | poses | way | threads | seconds | largest relative error | peak MB (before) |"
    yield "|---|---|---|---|---|---|---|"
    for name in POPULATIONS:
        for way in WAYS:
            for threads in THREADS if way == "grid" else THREADS[:1]:
                row = _in_process(arguments, name, way, threads)
                partly = "" if row["evaluated"] == row["poses"] else f" (extrapolated from {row['evaluated']} poses)"
                yield (
                    f"| {name} | {row['poses']} | {way} | {threads} | {row['seconds']:.3g}{partly}"
                    f" | {row['error']:.1e} | {row['peak']:.0f} ({row['before']:.0f}) |"
                )


def _in_process(arguments: argparse.Namespace, name: str, way: str, threads: int) -> dict[str, Any]:
    repeats = arguments.repeats if way == "grid" else 1
    command = [sys.executable, __file__, "--golden", str(arguments.golden), "--row", name, way]
    command += ["--repeats", str(repeats), "--points", str(arguments.points)]
    environment = os.environ | dict.fromkeys(_THREAD_VARIABLES, str(threads))
    return json.loads(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--golden", type=Path, default=Path("../shared/golden3d"), help="folder of files 07 and 08")
    parser.add_argument("--repeats", type=int, default=5, help="runs of the fast way; the median is shown")
    parser.add_argument("--points", type=int, default=200, help="poses from which slow ways are extrapolated")
    parser.add_argument("--row", nargs=2, metavar=("POPULATION", "WAY"), help="measure one row in this process")
    arguments = parser.parse_args()
    if arguments.row:
        name, way = arguments.row
        print(json.dumps(measure(arguments.golden, name, way, arguments.repeats, arguments.points)))
        return
    for row in rows(arguments):
        print(row, flush=True)


if __name__ == "__main__":
    main()
