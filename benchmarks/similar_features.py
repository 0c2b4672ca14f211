"""Seconds of exact search and of near-duplicate pairs among features of SFHQ's size.

python -m benchmarks.similar_features [rows] [dim]
"""

import resource
import sys
import time

import numpy as np

from facegen.data.search import search, similar_pairs


def main(rows: int = 20_000, dim: int = 768) -> None:
    """Random features with a hundred planted pairs; prints what was found and how long it took."""
    rng = np.random.default_rng(0)
    features = rng.standard_normal((rows, dim), dtype=np.float32)
    features[-100:] = features[:100] + 0.1 * rng.standard_normal((100, dim), dtype=np.float32)
    start = time.perf_counter()
    best = search(features, features[:4], 27)
    middle = time.perf_counter()
    pairs = similar_pairs(features)
    seconds = time.perf_counter() - middle
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{rows} x {dim}: search of 4 texts {middle - start:.2f} s; first rows {best.rows[:, 0].tolist()}")
    print(f"{len(pairs.first)} pairs over 0.92 (100 planted) in {seconds:.1f} s; peak memory {memory:.2f} GiB")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
