"""Images per second of the data loader alone: PNG at 256 and 1024 pixels, compressed and not, folder and zip.

`python benchmarks/loader.py [--seconds 4] [--out FILE.md]`. The images are made in a temporary folder, with the
statistics of photographs (noise of 1/f amplitude), so that PNG compresses them about as well as faces.
"""

import argparse
import os
import platform
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
import torch
from PIL import Image
from tqdm import tqdm

from facegen.data import FaceDataModule, Recipe

COUNTS = {256: 400, 1024: 60}
LEVELS = (6, 0)
WORKERS = (1, 2)
BATCH_SIZE = 16


def photograph(size: int, generator: np.random.Generator) -> np.ndarray:
    """Random image whose octaves have equal energy, as those of photographs have, with a little sensor noise."""
    total = np.zeros((size, size, 3))
    side = 2
    while side < size:
        octave = generator.normal(size=(side, side, 3)).astype(np.float32)
        planes = [Image.fromarray(octave[..., c]).resize((size, size), Image.Resampling.BICUBIC) for c in range(3)]
        total += np.stack([np.asarray(plane) for plane in planes], axis=-1)
        side *= 2
    values = 128 + 18 * total * (2 / side) ** 0.05 + generator.normal(size=total.shape)
    return values.clip(0, 255).astype(np.uint8)


def make_sources(base: Path) -> Iterator[tuple[int, int, str, Path]]:
    """(size, PNG level, layout, root) of every source."""
    for size, count in COUNTS.items():
        generator = np.random.default_rng(0)
        images = [photograph(size, generator) for _ in tqdm(range(count), f"making {size}", leave=False)]
        for level in LEVELS:
            root = base / f"{size}-{level}"
            root.mkdir()
            for number, image in enumerate(images):
                Image.fromarray(image).save(root / f"{number:05d}.png", compress_level=level)
            packed = root.with_suffix(".zip")
            with zipfile.ZipFile(packed, "w") as archive:
                for path in sorted(root.iterdir()):
                    archive.write(path, path.name)
            yield size, level, "folder", root
            yield size, level, "zip", packed


class Speed(NamedTuple):
    """Images per second of the running loader, processor time of its workers per image, seconds to the first batch."""

    images: float
    cpu_ms: float
    first: float


def rate(data: FaceDataModule, seconds: float) -> Speed:
    """Measure a loader while it runs; the processor time is what a busy machine leaves unchanged."""
    start = time.perf_counter()
    batches = iter(data.train_dataloader())
    next(batches)
    first = time.perf_counter() - start
    for _ in range(8 * max(1, data.workers)):  # the batches that were ready before the clock starts
        next(batches)
    start, used, images = time.perf_counter(), workers_time(), 0
    while time.perf_counter() - start < seconds:
        images += len(next(batches).ids)
    return Speed(images / (time.perf_counter() - start), (workers_time() - used) / images * 1000, first)


def workers_time() -> float:
    """Processor seconds that the child processes have used."""
    times = [child.cpu_times() for child in psutil.Process().children()]
    return sum(used.user + used.system for used in times)


def rows(seconds: float) -> Iterator[str]:
    """Lines of the table."""
    yield "| pixels | PNG level | kB an image | layout | workers | images/s | CPU ms an image | first batch, s |"
    yield "|---|---|---|---|---|---|---|---|"
    with tempfile.TemporaryDirectory() as base:
        for size, level, layout, root in make_sources(Path(base)):
            recipe = Recipe(root)
            kilobytes = float(np.mean(recipe.rows["size"].to_numpy())) / 1000
            for workers in WORKERS:
                speed = rate(FaceDataModule(recipe, BATCH_SIZE, workers, cache=False), seconds)
                yield line(f"{size} | {level} | {kilobytes:.0f} | {layout} | {workers}", speed)
        recipe = Recipe(Path(base) / "256-6", 64)
        for cache in (False, True):
            name = "folder, to 64 pixels, " + ("cached" if cache else "not cached")
            speed = rate(FaceDataModule(recipe, BATCH_SIZE, 2, cache=cache), seconds)
            yield line(f"256 | 6 | | {name} | 2", speed)


def line(cells: str, speed: Speed) -> str:
    """A row of the table."""
    return f"| {cells} | {speed.images:.0f} | {speed.cpu_ms:.2f} | {speed.first:.2f} |"


def conditions() -> str:
    """Where and when this was measured."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout
    processor = next((x.split(":")[1].strip() for x in _cpuinfo() if x.startswith("model name")), platform.processor())
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    machine = f"{processor}, {os.cpu_count()} CPUs, load of other jobs {os.getloadavg()[0]:.1f}"
    return f"{date.today()}, {machine}, {versions}, commit {commit.strip() or 'unknown'}"


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of each measurement")
    parser.add_argument("--out", type=Path, help="also write the table to this file")
    arguments = parser.parse_args()
    lines = [f"Loader alone, batches of {BATCH_SIZE}: {conditions()}", ""]
    print(*lines, sep="\n")
    for row in rows(arguments.seconds):
        print(row, flush=True)
        lines.append(row)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
