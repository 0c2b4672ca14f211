"""Distances between sets of features: seconds, memory, and the difference to other programs on the same features.

`python benchmarks/metrics.py [--parts frechet kernel neighbours] [--images 10000] [--repeats 3]`. Each row is measured
in a process of its own with the given number of threads. Features are random, float32, with means of 0.4 and variances
that fall as 1 / direction, about as those of Inception do. `python benchmarks/metrics_features.py` has the extractors.
"""

import argparse
import contextlib
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facegen.metrics.frechet import frechet_distance, frechet_distance_of
from facegen.metrics.gaussian import Gaussian
from facegen.metrics.kernel import kernel_distance, subset_kernel_distance
from facegen.metrics.moments import Moments
from facegen.metrics.neighbours import density_coverage, neighbour_scores

WIDTHS = {"frechet": (768, 1280, 2048), "kernel": (2048,), "neighbours": (2048,)}
WAYS = {
    "frechet": ("facegen", "facegen, real side kept", "facegen, 1000 images", "facegen, the same set again"),
    "kernel": ("facegen, all pairs", "facegen, 100 subsets"),
    "neighbours": ("facegen", "facegen, density and coverage"),
}
OTHERS = {
    "frechet": ("scipy sqrtm", "clean-fid", "torch-fidelity", "torchmetrics"),
    "kernel": ("torch-fidelity, 100 subsets",),
    "neighbours": ("torch-fidelity", "prdc"),
}
THREADS = (1, 2)
_CHUNK = 2000
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def chunks(images: int, width: int, seed: int) -> Iterator[Tensor]:
    """Features by chunks; those of another seed have variances larger by 10 %."""
    scales = torch.arange(1, width + 1) ** -0.5 * (1 + 0.05 * seed)
    turn = torch.linalg.qr(torch.randn(width, width, generator=torch.Generator().manual_seed(99)))[0]
    draws = torch.Generator().manual_seed(seed)
    for start in range(0, images, _CHUNK):
        yield (torch.randn(min(_CHUNK, images - start), width, generator=draws) * scales) @ turn + 0.4


def moments(images: int, width: int, seed: int) -> Moments:
    whole = Moments.zero(width)
    for chunk in chunks(images, width, seed):
        whole = whole.plus(Moments.of(chunk))
    return whole


def frechet(way: str, images: int, width: int) -> Callable[[], float]:
    """A Fréchet distance, ready but for its maths."""
    images = 1000 if "1000" in way else images
    first = moments(images, width, 0)
    second = first if "same" in way else moments(images, width, 1)
    given = (first.mean, first.covariance, second.mean, second.covariance)
    if way == "facegen, real side kept":
        real = Gaussian(*given[:2])
        frechet_distance_of(real, Gaussian(*given[2:]))
        return lambda: float(frechet_distance_of(real, Gaussian(*given[2:])))
    if way.startswith("facegen"):
        return lambda: float(frechet_distance(*given))
    return _other_frechet(way, given)


def _other_frechet(way: str, given: tuple[Tensor, Tensor, Tensor, Tensor]) -> Callable[[], float]:
    mu1, sigma1, mu2, sigma2 = (each.numpy() for each in given)
    if way == "torchmetrics":
        from torchmetrics.image.fid import _compute_fid

        return lambda: float(_compute_fid(*given))
    if way == "clean-fid":
        from cleanfid.fid import frechet_distance as clean_distance

        return lambda: float(clean_distance(mu1, sigma1, mu2, sigma2))
    if way == "torch-fidelity":
        from torch_fidelity.metric_fid import fid_statistics_to_metric

        pair = {"mu": mu1, "sigma": sigma1}, {"mu": mu2, "sigma": sigma2}
        return lambda: fid_statistics_to_metric(*pair, verbose=False)["frechet_inception_distance"]
    from scipy.linalg import sqrtm

    return lambda: float(((mu1 - mu2) ** 2).sum() + np.real(sigma1 + sigma2 - 2 * sqrtm(sigma1 @ sigma2)).trace())


def kernel(way: str, images: int, width: int) -> Callable[[], float]:
    """A kernel distance of all features."""
    real, generated = (torch.cat(list(chunks(images, width, seed))) for seed in (0, 1))
    if way == "facegen, all pairs":
        return lambda: float(kernel_distance(real, generated).value)
    if way == "facegen, 100 subsets":
        return lambda: float(subset_kernel_distance(real, generated).value)
    from torch_fidelity.metric_kid import kid_features_to_metric

    options = {"kid_subsets": 100, "kid_subset_size": 1000, "rng_seed": 2020, "verbose": False}
    return lambda: kid_features_to_metric(real, generated, **options)["kernel_inception_distance_mean"]


def neighbours(way: str, images: int, width: int) -> Callable[[], float]:
    """Scores from nearest neighbours; the value is the precision (of torch-fidelity, prdc and ours with k = 3)."""
    real, generated = (torch.cat(list(chunks(images, width, seed))) for seed in (0, 1))
    if way == "facegen":
        return lambda: float(neighbour_scores(real, generated).precision)
    if way == "facegen, density and coverage":
        return lambda: float(density_coverage(real, generated).coverage)
    if way == "prdc":
        from prdc import compute_prdc

        return lambda: float(compute_prdc(real.numpy(), generated.numpy(), 3)["precision"])
    from torch_fidelity.metric_prc import prc_features_to_metric

    options = {"prc_neighborhood": 3, "prc_batch_size": 2000, "save_cpu_ram": True, "verbose": False}
    return lambda: prc_features_to_metric(generated, real, **options)["precision"]


def measure(part: str, way: str, width: int, images: int, repeats: int) -> dict[str, Any]:
    """One row: the value, its seconds on the wall and on processors, MB of the process before and at its peak."""
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    with contextlib.redirect_stdout(io.StringIO()):  # other programs speak
        answer = {"frechet": frechet, "kernel": kernel, "neighbours": neighbours}[part](way, images, width)
        before, times, value = _megabytes(), [], 0.0
        for _ in range(repeats):
            start, busy = time.perf_counter(), time.process_time()
            value = answer()
            times.append((time.perf_counter() - start, time.process_time() - busy))
    seconds, processor = (statistics.median(each) for each in zip(*times, strict=True))
    return {"value": value, "seconds": seconds, "processor": processor, "before": before, "peak": _megabytes()}


def _megabytes() -> float:
    """Peak resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def rows(arguments: argparse.Namespace) -> Iterator[str]:
    """Lines of the table."""
    yield "| part | features | way | threads | seconds | processor seconds | value | peak MB (before) |"
    yield "|---|---|---|---|---|---|---|---|"
    for part in arguments.parts:
        for width in WIDTHS[part]:
            for way in (*WAYS[part], *OTHERS[part]):
                for threads in arguments.threads:
                    row = _in_process(arguments, part, way, width, threads)
                    yield (
                        f"| {part} | {width} | {way} | {threads} | {row['seconds']:.3g} | {row['processor']:.3g}"
                        f" | {row['value']:.12g} | {row['peak']:.0f} ({row['before']:.0f}) |"
                    )


def _in_process(arguments: argparse.Namespace, part: str, way: str, width: int, threads: int) -> dict[str, Any]:
    repeats = arguments.repeats if part == "frechet" and way in WAYS[part] else 1
    command = [sys.executable, __file__, "--row", part, way, str(width)]
    command += ["--repeats", str(repeats), "--images", str(arguments.images)]
    environment = os.environ | dict.fromkeys(_THREAD_VARIABLES, str(threads))
    return json.loads(subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--threads", nargs="+", type=int, default=THREADS)
    parser.add_argument("--images", type=int, default=10000, help="images of each set")
    parser.add_argument("--repeats", type=int, default=3, help="runs of our Fréchet distances; the median is shown")
    parser.add_argument("--row", nargs=3, metavar=("PART", "WAY", "WIDTH"), help="measure one row in this process")
    arguments = parser.parse_args()
    if arguments.row:
        part, way, width = arguments.row
        print(json.dumps(measure(part, way, int(width), arguments.images, arguments.repeats)))
        return
    for row in rows(arguments):
        print(row, flush=True)


if __name__ == "__main__":
    main()
