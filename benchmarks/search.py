"""Search and near-duplicates among 425,258 vectors of 768 numbers: ours against faiss's and Lance's indexes.

`python benchmarks/search.py --folder DIR [--rows 425258] [--only WORD] [--out FILE.md]`. Needs 5 GB in DIR, and the
package faiss-cpu for its rows. Vectors and planted near-duplicates: `planted_vectors.py`. Each row is measured in a
process of its own, with one thread; "seconds" are processor time of building / of all near-duplicates.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from benchmarks.planted_vectors import Planted, planted_pairs, planted_vectors
from facegen.data import table
from facegen.data.search import NEAR_DUPLICATE_COSINE as THRESHOLD
from facegen.data.search import search, similarity
from facegen.data.vectors import open_index

ROWS, DIM, QUERIES, BEST, SAMPLED = 425_258, 768, 100, 20, 1000
Found = list[str]
Search = Callable[[np.ndarray], np.ndarray]


class Case(NamedTuple):
    """What is measured with: the vectors, queries, and the 20 best rows of each by comparing everything."""

    folder: Path
    planted: Planted
    queries: np.ndarray
    best: np.ndarray


def load(folder: Path) -> Case:
    """What `prepare` wrote."""
    matrix = np.load(folder / "vectors.npy", mmap_mode="r")
    planted = Planted(matrix, np.load(folder / "original.npy"))
    return Case(folder, planted, np.load(folder / "queries.npy"), np.load(folder / "best.npy"))


def prepare(folder: Path, rows: int) -> None:
    """Vectors, a table of them, queries (half of them rows, half at cosine 0.8 from one), and their true answers."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "vectors.npy").exists():
        planted = planted_vectors(rows, DIM)
        np.save(folder / "vectors.npy", planted.matrix)
        np.save(folder / "original.npy", planted.original)
    matrix = np.load(folder / "vectors.npy", mmap_mode="r")
    rng = np.random.default_rng(1)
    queries = np.array(matrix[rng.integers(0, rows, QUERIES)])
    noise = rng.standard_normal((QUERIES // 2, DIM), dtype=np.float32)
    queries[::2] += 0.75 * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    np.save(folder / "queries.npy", queries / np.linalg.norm(queries, axis=1, keepdims=True))
    np.save(folder / "best.npy", search(matrix, queries, BEST).rows)
    column = pa.FixedSizeListArray.from_arrays(pa.array(matrix.reshape(-1)), DIM)
    table.write(folder / "faces.lance", pa.table({"id": [f"{row:08d}" for row in range(rows)], "embedding": column}))


def exact(case: Case) -> Found:
    """Comparing everything; pairs are timed on some of the rows."""
    matrix = np.array(case.planted.matrix)
    start, used = time.perf_counter(), time.process_time()
    for query in case.queries[:10]:
        np.argpartition(matrix @ query, -BEST)
    latency, used = (time.perf_counter() - start) / 10, (time.process_time() - used) / 10
    start = time.process_time()
    np.nonzero(matrix[:SAMPLED] @ matrix.T > THRESHOLD)
    pairs = (time.process_time() - start) * len(matrix) / SAMPLED / 2
    return [_line("comparing everything", "0", latency, used, 1.0, f"{pairs:.0f} (from {SAMPLED} rows)", "1 / 1")]


def pruned(case: Case) -> Found:
    """Exact pairs by the bound x.y <= x'.y' + |x - x'| |y - y'|, x' in the 64 or 128 strongest directions."""
    matrix, lines = np.array(case.planted.matrix), []
    for size in (64, 128):
        start = time.process_time()
        sample = matrix[:: max(1, len(matrix) // 20000)]
        head = np.linalg.svd(sample.T @ sample)[0][:, :size]
        short = matrix @ head
        rest = np.sqrt(np.maximum(0, 1 - (short**2).sum(1)))
        prepared = time.process_time() - start
        start = time.process_time()
        bound = short[:SAMPLED] @ short.T + rest[:SAMPLED, None] * rest
        first, second = np.nonzero(bound > THRESHOLD)
        for begin in range(0, len(first), 4096):
            some = slice(begin, begin + 4096)
            np.einsum("ij,ij->i", matrix[first[some]], matrix[second[some]])
        pairs = prepared + (time.process_time() - start) * len(matrix) / SAMPLED / 2
        share = len(first) / SAMPLED / len(matrix)
        words = f"{pairs:.0f} (from {SAMPLED} rows, {share:.1%} verified)"
        lines.append(_line(f"bound by {size} directions", f"{prepared:.0f}", 0, 0, 1.0, words, "1 / 1"))
    return lines


def ours(case: Case) -> Found:
    """facegen.data.vectors at several numbers of cells read."""
    start, used = time.perf_counter(), time.process_time()
    index = open_index(case.folder / "faces.lance")
    built = f"{time.process_time() - used:.0f} ({time.perf_counter() - start:.0f} on the clock)"
    size = sum(path.stat().st_size for path in case.folder.rglob(".faces.vectors/*/*")) / 1e6
    print(f"index of {len(index.centres)} cells, {size:.0f} MB", file=sys.stderr)
    lines = []
    for probes in (8, 16, 32, 64):
        timing = _timed(case, lambda query, probes=probes: index.search(query, BEST, probes=probes).rows)
        lines.append(_line(f"facegen, {probes} cells", built, *timing, "", ""))
    true, everything = planted_pairs(case.planted, THRESHOLD), _sampled_pairs(case)
    for probes in (1, 2, 4, 6, 8):
        start = time.process_time()
        found = index.pairs(THRESHOLD, probes)
        seconds = time.process_time() - start
        pairs = set(zip(found.first.tolist(), found.second.tolist(), strict=True))
        judged = f"{len(pairs & true) / len(true):.5f} of {len(true)} planted, "
        judged += f"{len(pairs & everything) / len(everything):.5f} of all {len(everything)} of {SAMPLED} rows"
        lines.append(_line(f"facegen, pairs in {probes} cells", built, 0, 0, None, f"{seconds:.0f}", judged))
    right = (
        np.einsum("ij,ij->i", case.planted.matrix[found.first], case.planted.matrix[found.second]) > THRESHOLD - 1e-6
    )
    print(f"{right.mean():.6f} of {len(right)} pairs are above {THRESHOLD}", file=sys.stderr)
    return lines


def _sampled_pairs(case: Case) -> set[tuple[int, int]]:
    """All pairs in which one of the first originals of copies, or some other row, takes part."""
    copies = np.flatnonzero(case.planted.original != np.arange(len(case.planted.original)))
    rows = np.concatenate([copies[: SAMPLED // 2], np.arange(SAMPLED // 2)])
    cosines = similarity(np.asarray(case.planted.matrix), np.asarray(case.planted.matrix[rows]))
    other, place = np.nonzero(cosines > THRESHOLD)
    return {(min(a, b), max(a, b)) for a, b in zip(rows[place].tolist(), other.tolist(), strict=True) if a != b}


def faiss_flat(case: Case) -> Found:
    """faiss's inverted file with whole vectors, as many cells as ours."""
    return _faiss(case, f"IVF{round(1.5 * len(case.planted.matrix) ** 0.5)},Flat", (8, 16, 32, 64))


def faiss_codes(case: Case) -> Found:
    """faiss's inverted file with product codes of 96 bytes, the best 80 compared again."""
    return _faiss(case, f"IVF{round(1.5 * len(case.planted.matrix) ** 0.5)},PQ96x8,RFlat", (16, 32))


def faiss_graph(case: Case) -> Found:
    """faiss's HNSW with 32 neighbours."""
    return _faiss(case, "HNSW32,Flat", (32, 64, 128))


def _faiss(case: Case, kind: str, efforts: tuple[int, ...]) -> Found:
    import faiss  # pyright: ignore[reportMissingImports]

    faiss.omp_set_num_threads(1)
    matrix = np.array(case.planted.matrix)
    start = time.process_time()
    index = faiss.index_factory(DIM, kind, faiss.METRIC_INNER_PRODUCT)
    index.train(matrix[:: max(1, len(matrix) // 50000)])  # pyright: ignore
    index.add(matrix)  # pyright: ignore
    built = f"{time.process_time() - start:.0f}"
    name = "efSearch" if "HNSW" in kind else "nprobe"
    lines = []
    for effort in efforts:
        options = f"{name}={effort}" + (",k_factor_rf=4" if "RFlat" in kind else "")
        faiss.ParameterSpace().set_index_parameters(index, options)
        timing = _timed(case, lambda query: index.search(query, BEST)[1])  # pyright: ignore
        lines.append(_line(f"faiss {kind} of {len(matrix)}, {options}", built, *timing, "", ""))
    if kind.endswith("Flat") and "IVF" in kind and "PQ" not in kind:
        faiss.ParameterSpace().set_index_parameters(index, "nprobe=6")
        start = time.process_time()
        index.range_search(matrix[:SAMPLED], THRESHOLD)  # pyright: ignore
        seconds = (time.process_time() - start) * len(matrix) / SAMPLED
        words = f"{seconds:.0f} (from {SAMPLED} rows)"
        lines.append(_line(f"faiss {kind}, pairs in 6 cells", built, 0, 0, None, words, ""))
    return lines


def lance_flat(case: Case) -> Found:
    return _lance(case, "IVF_FLAT", {}, ((8, None), (32, None)))


def lance_codes(case: Case) -> Found:
    return _lance(case, "IVF_PQ", {"num_sub_vectors": 96}, ((32, 4),))


def lance_bits(case: Case) -> Found:
    return _lance(case, "IVF_RQ", {}, ((32, 4), (32, 10)))


def _lance(case: Case, kind: str, options: dict[str, Any], efforts: tuple[tuple[int, int | None], ...]) -> Found:
    import lance

    dataset = lance.dataset(str(case.folder / "faces.lance"))
    cells = round(1.5 * len(case.planted.matrix) ** 0.5)
    start = time.process_time()
    dataset.create_index("embedding", kind, metric="dot", replace=True, num_partitions=cells, **options)
    built, lines = f"{time.process_time() - start:.0f}", []
    for probes, refine in efforts:
        near = {"column": "embedding", "k": BEST, "nprobes": probes, "refine_factor": refine, "metric": "dot"}

        def rows(query: np.ndarray, near: dict[str, Any] = near) -> np.ndarray:
            return np.array(
                [[int(name) for name in dataset.to_table(["id"], nearest={**near, "q": query[0]})["id"].to_pylist()]]
            )

        lines.append(_line(f"Lance {kind}, {probes} cells, refined {refine}", built, *_timed(case, rows), "", ""))
    return lines


def _timed(case: Case, run: Search) -> tuple[float, float, float]:
    """Seconds of a query on the clock (median) and of the processor, and which share of the 20 best is found."""
    run(case.queries[:1])
    seconds, used, shared = [], time.process_time(), 0
    for query, best in zip(case.queries, case.best, strict=True):
        start = time.perf_counter()
        found = run(query[None])
        seconds.append(time.perf_counter() - start)
        shared += len(np.intersect1d(found, best))
    return float(np.median(seconds)), (time.process_time() - used) / len(seconds), shared / case.best.size


def _line(name: str, built: str, latency: float, used: float, recall: float | None, pairs: str, judged: str) -> str:
    peak = next(int(x.split()[1]) for x in Path("/proc/self/status").read_text().splitlines() if x.startswith("VmHWM"))
    query = f"{1000 * latency:.1f} ({1000 * used:.1f}) | {recall:.4f}" if latency else "|"
    return f"| {name} | {built} | {query} | {pairs} | {judged} | {peak / 1e6:.1f} |"


MEASURES: dict[str, Callable[[Case], Found]] = {
    measure.__name__: measure
    for measure in (ours, exact, pruned, faiss_flat, faiss_codes, lance_flat, lance_codes, lance_bits, faiss_graph)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--only", nargs="+", choices=["prepare", *MEASURES], default=["prepare", *MEASURES])
    parser.add_argument("--inside", help="measure one in this process")
    arguments = parser.parse_args()
    if arguments.inside:
        print(json.dumps(MEASURES[arguments.inside](load(arguments.folder))))
        return
    if "prepare" in arguments.only:
        prepare(arguments.folder, arguments.rows)
    print(
        "| what | built, s | a query, ms (of a processor) | recall@20 | pairs, s | pairs found | peak GB |",
        "|---" * 7 + "|",
        sep="\n",
    )
    for name in arguments.only:
        if name in MEASURES:
            command = [sys.executable, "-m", "benchmarks.search", "--folder", str(arguments.folder), "--inside", name]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
            print(
                *(json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else [f"| {name} failed |"]),
                sep="\n",
                flush=True,
            )


if __name__ == "__main__":
    main()
