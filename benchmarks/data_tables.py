"""Filtering and statistics of a table of 425,258 faces, as many as SFHQ has: seconds and memory.

`python benchmarks/data_tables.py [--rows 425258] [--vectors] [--folder DIR] [--out FILE.md]`. Makes a zip of that many
empty entries, named as in SFHQ, with a table beside it whose numbers are random: poses, quality, and with `--vectors`
257 coefficients and 768 CLIP features a face. Each row is measured in a process of its own, after its imports.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from facegen.data import Recipe, open_source, table
from facegen.data.parts import parts
from facegen.data.poses import PHI_DEGREES, THETA_DEGREES
from facegen.data.stamps import INDEX_COLUMNS, with_stamp
from facegen.data.statistics import statistics

ROWS, PARTS = 425_258, (89_785, 91_361, 118_358, 125_754)
CONDITION = "yaw_degrees > 40 AND quality > 0.8"
EXCLUDED = 10_000
VECTORS = {"coefficients": 257, "clip": 768}


def make_source(root: Path, count: int, vectors: bool) -> None:
    """The zip and its table."""
    rng = np.random.default_rng(0)
    part = np.searchsorted(np.cumsum(PARTS), np.arange(count), side="right") + 1
    with zipfile.ZipFile(root, "w") as archive:
        for row in range(count):
            archive.writestr(zipfile.ZipInfo(f"SFHQ_pt{part[row]}_{row:08d}.jpg"), b"")
    source = open_source(root, use_table=False)
    theta, phi = (rng.normal(*spread, count) for spread in (THETA_DEGREES, PHI_DEGREES))
    columns: dict[str, Any] = {
        "theta": np.radians(theta),
        "phi": np.radians(phi),
        "yaw_degrees": (theta - 90).astype(np.float32),
        "pitch_degrees": (90 - phi).astype(np.float32),
        "quality": rng.random(count, dtype=np.float32),
    }
    fixed = {"width": 1024, "height": 1024, "mode": "RGB", "bits": 8, "orientation": 1}
    rows = source.rows.set_column(1, "uri", pa.array([root.name] * count))
    for name, value in fixed.items():
        rows = rows.append_column(name, pa.repeat(pa.scalar(value, INDEX_COLUMNS[name]), count))
    for name, values in columns.items():
        rows = rows.append_column(name, pa.array(values))
    for name, width in VECTORS.items() if vectors else ():
        numbers = rng.standard_normal(count * width, dtype=np.float32)
        rows = rows.append_column(name, pa.FixedSizeListArray.from_arrays(pa.array(numbers), width))
    table.write(table.table_path(root), with_stamp(rows, source.stamp, list(columns), whole=True))


def recipe(root: Path, **settings: Any) -> Recipe:
    """The source with a condition, an exclusion list and mirrors."""
    excluded = [f"SFHQ_pt1_{row:08d}" for row in range(0, 2 * EXCLUDED, 2)]
    return Recipe({"root": root, "exclude": excluded, **settings}, resolution=1024, mirror=True)


def measures(root: Path) -> dict[str, Callable[[], Callable[[], Any]]]:
    """What is measured, by name. Each prepares, and returns what the clock counts."""

    def numbers() -> Callable[[], Any]:
        whole, sources = parts(recipe(root), "all")
        return lambda: statistics(whole, sources)

    def density() -> Callable[[], Any]:
        whole, _ = parts(recipe(root), "all")
        return whole.density

    place = table.table_path(root)
    scalar = [field.name for field in table.schema(place) if not pa.types.is_nested(field.type)]
    return {
        f"ids of the faces with `{CONDITION}`": lambda: lambda: table.matching(place, CONDITION),
        "every scalar column into memory": lambda: lambda: table.read(place, scalar),
        "a recipe of all, opened without a table": lambda: lambda: open_source(root, use_table=False),
        "a recipe of all, opened with its table": lambda: lambda: recipe(root),
        "the same with that condition": lambda: lambda: recipe(root, where=CONDITION),
        "a recipe of all, balanced by the density of poses": lambda: lambda: _balanced(root),
        "statistics of a recipe and of its source": numbers,
        "map of its density (32,761 places)": density,
    }


def _balanced(root: Path) -> Recipe:
    return Recipe(root, resolution=1024, mirror=True, rebalance="lpff")


def measure(root: Path, name: str) -> dict[str, float]:
    """Seconds of one row, of the clock and of this process, and peak memory in MB, with that before it."""
    run = measures(root)[name]()
    before, start, used = _megabytes(), time.perf_counter(), time.process_time()
    run()
    seconds = {"seconds": time.perf_counter() - start, "processor": time.process_time() - used}
    return {**seconds, "before": before, "peak": _megabytes()}


def _megabytes() -> float:
    """Peak resident memory of this process so far; `getrusage` would count that of the process that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024 / 1e6


def conditions() -> str:
    """Where and when this was measured."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout
    machine = f"{os.cpu_count()} CPUs, load of other jobs {os.getloadavg()[0]:.1f}"
    return f"{date.today()}, facegen {commit.strip() or 'unknown'}, {machine}, Python {platform.python_version()}"


def write_rows(root: Path, arguments: argparse.Namespace) -> list[str]:
    """Measure everything; the lines of the table."""
    make_source(root, arguments.rows, arguments.vectors)
    size = sum(file.stat().st_size for file in table.table_path(root).rglob("*") if file.is_file()) / 1e6
    held = "with 257 coefficients and 768 CLIP features a face" if arguments.vectors else "without vectors"
    lines = [f"{arguments.rows:,} faces, {held}: a table of {size:,.0f} MB. {conditions()}.", ""]
    lines += ["| what | seconds | of a processor | peak MB (before) |", "|---|---|---|---|"]
    print(*lines, sep="\n", flush=True)
    for name in measures(root):
        command = [sys.executable, __file__, "--folder", str(root.parent), "--row", name]
        seconds: list[dict[str, float]] = []
        for _ in range(arguments.repeats):
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            seconds.append(json.loads(done.stdout.splitlines()[-1]))
        best = sorted(seconds, key=lambda row: row["seconds"])[len(seconds) // 2]
        lines.append(
            f"| {name} | {best['seconds']:.3g} | {best['processor']:.3g} | {best['peak']:.0f} ({best['before']:.0f}) |"
        )
        print(lines[-1], flush=True)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--vectors", action="store_true", help="with 257 coefficients and 768 features a face: 1.8 GB")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each row; the median is shown")
    parser.add_argument("--folder", type=Path, help="where to make the table; a temporary folder by default")
    parser.add_argument("--out", type=Path, help="also write the table to this file")
    parser.add_argument("--row", help="measure one row in this process")
    arguments = parser.parse_args()
    if arguments.row:
        print(json.dumps(measure(arguments.folder / "sfhq.zip", arguments.row)))
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        lines = write_rows(Path(folder) / "sfhq.zip", arguments)
    if arguments.out:
        arguments.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
