"""Every published dataset through the command line, and the published counts on sources of full size, names only.

`python benchmarks/datasets.py` makes the samples of the tests, and sources of as many empty images as are published, in
a temporary folder, and prints two Markdown tables. The counts need the reference numbers (FACEGEN_GOLDEN).
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from facegen.cli import compose
from facegen.cli.commands import commands
from facegen.data import Recipe
from facegen.data.layouts.sfhq import PARTS
from facegen.data.rebalance import with_mirrors
from tests.data.samples.all import PLACES, RECIPES, make_all, places
from tests.data.test_full_size import GOLDEN3D, cameras, names_only
from tests.models.tiny import overrides


def facegen(*words: str) -> tuple[str, str]:
    """How a command ended, with its seconds, and what it printed."""
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-m", "facegen", *words], capture_output=True, text=True)
    how = "ok" if done.returncode == 0 else f"status {done.returncode}"
    return f"{how} ({time.monotonic() - started:.1f} s)", done.stdout + done.stderr


def commands_on_samples(root: Path) -> Iterator[str]:
    """A row for each dataset and recipe: index and validate its sources, then statistics and one step of training."""
    datasets = make_all(root / "samples")
    yield "| dataset | index | validate |\n|---|---|---|"
    for name, parts in PLACES.items():
        for folder, layout in parts:
            words = (f"root={datasets[name] / folder}", f"layout={layout}")
            index, said = facegen("data", "index", *words)
            validate, _ = facegen("data", "validate", *words, f"out={root / 'report.json'}", "workers=0")
            problems = ", problems" if "problem" in said else ""
            yield f"| {layout} {folder} | {index}{problems} | {validate} |"
    yield "\n| recipe | statistics | one training step |\n|---|---|---|"
    for name in RECIPES:
        stats, _ = facegen("data", "stats", f"data={name}", *places(datasets), f"out={root / 'stats' / name}")
        words = [word for word in overrides(root, root / "runs") if not word.startswith(("data", "total_kimg"))]
        train, _ = facegen("train", *words, f"data={name}", "total_kimg=0.004", f"name={name}", *places(datasets))
        yield f"| {name} | {stats} | {train} |"


def full_size(root: Path) -> dict[str, Path]:
    """Sources of as many empty images as are published; poses of FFHQ as they are, of LPFF synthetic."""
    with np.load(GOLDEN3D / "07_ffhq_kde.npz") as arrays:
        ffhq = with_mirrors(np.stack([arrays["theta_even_f64"], arrays["phi_even_f64"]], axis=1))
    with np.load(GOLDEN3D / "08_rebalance.npz") as arrays:
        lpff = np.stack([arrays["lpff_theta_even"], arrays["lpff_phi_even"]], axis=1)
    names = [f"{row // 1000:05d}/img{row:08d}.png" for row in range(len(ffhq))]
    labels: list[Any] = [list(pair) for pair in zip(names, cameras(ffhq), strict=True)]
    names_only(root / "ffhq_eg3d" / "ffhq_eg3d.zip", names, labels)
    faces = [f"{row:07d}@N00_{row}_00" for row in range(len(lpff))]
    for crop in ("eg3d", "stylegan"):
        names_only(root / "lpff" / "crop" / f"{crop}.zip", [f"{name}.png" for name in faces])
    content = dict(zip(faces, cameras(lpff), strict=True))
    (root / "lpff" / "camera_parameters.json").write_text(json.dumps(content))
    touch(root / "ffhq/images1024x1024", (f"{n // 1000:02d}000/{n:05d}.png" for n in range(70_000)))
    touch(root / "celebahq", (f"{n}.jpg" for n in range(30_000)))
    touch(root / "mm_celebahq/image", (f"{n}.jpg" for n in range(30_000)))
    (root / "mm_celebahq/text").mkdir()
    touch(root / "ffhq-uv/uv-maps", (f"{n:06d}.png" for n in range(54_165)))
    for part in PARTS:
        home = root / "sfhq" / f"SFHQ_part{part.number}"
        touch(home / "images", (f"SFHQ_pt{part.number}_{n:08d}.jpg" for n in range(part.images)))
        touch(home / "landmarks", iter([f"SFHQ_pt{part.number}_00000000.npz"]))
    where = {name: root / name for name in ("ffhq", "celebahq", "lpff", "sfhq", "mm_celebahq")}
    return {**where, "ffhq_eg3d": root / "ffhq_eg3d" / "ffhq_eg3d.zip", "ffhq_uv": root / "ffhq-uv"}


def touch(folder: Path, names: Iterator[str]) -> None:
    """Empty files."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def counts(root: Path) -> Iterator[str]:
    """A row for each recipe: faces, images with mirrors, items of an epoch, and how long it took to find out."""
    datasets = full_size(root / "full")
    yield "| recipe | faces | with mirrors | items in an epoch | seconds |\n|---|---|---|---|---|"
    for name in RECIPES:
        settings: Any = compose.checked(commands()["train"], [f"data={name}", "resolution=512", *places(datasets)])
        started = time.monotonic()
        recipe = Recipe({key: dict(spec) for key, spec in settings.data.sources.items()}, 512,
                        mirror=settings.data.mirror, rebalance=plain(settings.data.rebalance))  # fmt: skip
        seconds = time.monotonic() - started
        views = recipe.num_faces + int(recipe.mirrored.sum())
        yield f"| {name} | {recipe.num_faces:,} | {views:,} | {recipe.num_items:,} | {seconds:.1f} |"


def plain(value: Any) -> Any:
    """A setting without Hydra's types."""
    from omegaconf import OmegaConf

    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def main() -> None:
    """Print both tables."""
    with tempfile.TemporaryDirectory(prefix="facegen-datasets-") as folder:
        for row in commands_on_samples(Path(folder)):
            print(row, flush=True)
        print()
        for row in counts(Path(folder)):
            print(row, flush=True)


if __name__ == "__main__":
    main()
