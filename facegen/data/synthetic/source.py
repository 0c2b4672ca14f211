"""The synthetic source: faces with known camera, shape, expression, colours, light, parts and landmarks.

A folder of `images/`, `dataset.json` in EG3D's form, the table `faces.lance`, the model `head.npz` that the
coefficients belong to, `manifest.json`, and `.masks/` (hidden, so that masks are not taken for faces).
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from facegen.checkpoint import atomic_write, cache_folder
from facegen.data.poses import POSES, PoseName
from facegen.data.processes import spawn_pool
from facegen.data.synthetic.faces import BLOCK, RESOLUTIONS, Settings, make_block, part_path
from facegen.data.synthetic.truth import finish
from facegen.morphable.procedural import PARTS, ProceduralHead, load_head, save_head, source_fingerprint

VERSION = 1  # of the drawing and rendering of faces; the head's own code is hashed
MANIFEST = "manifest.json"


def synthesize(
    root: str | Path,
    num_images: int = 10_000,
    resolution: int = 128,
    poses: PoseName = "ffhq",
    seed: int = 0,
    workers: int | None = None,
    detail: float = 1.0,
) -> Path:
    """Make a synthetic source in the folder `root` and return its path.

    Face n depends on seed, resolution, poses and n only. A finished source is returned as it is, an interrupted one is
    continued. `workers`: processes, by default one per CPU; 0 renders in this one.
    Raises ValueError for arguments out of range, and for a folder that holds something else.
    """
    settings = Settings(_whole("seed", seed, 0, 2**63), _whole("resolution", resolution, *RESOLUTIONS), poses, detail)
    _whole("num_images", num_images, 1, 100_000_000)
    if poses not in POSES:
        raise ValueError(f"poses: got {poses!r}, expected one of: {', '.join(POSES)}")
    path = Path(root).expanduser().absolute()
    path.mkdir(parents=True, exist_ok=True)
    with _locked(path):
        if not _is_finished(path, settings, num_images):
            _make(path, settings, num_images, workers)
    return path


def version() -> str:
    """What the pixels of all faces depend on, beside the settings."""
    return f"v{VERSION}-{source_fingerprint()[:8]}"


def _whole(name: str, value: int, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"{name}: got {value!r}, expected a whole number from {low} to {high}")
    return value


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """One process at a time makes a source; others wait for it (the ranks of a training run, for example)."""
    with (root / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_finished(root: Path, settings: Settings, num_images: int) -> bool:
    """Whether the folder holds exactly this source. Raises ValueError where it holds another, or other files."""
    path = root / MANIFEST
    if not path.exists():
        if strange := sorted(entry.name for entry in root.iterdir() if entry.name != ".lock"):
            raise ValueError(f"{root} holds {strange[0]} and no {MANIFEST}; expected an empty or a new folder")
        return False
    try:
        manifest = json.loads(path.read_text())
        found, complete = {**manifest, **manifest["settings"]}, bool(manifest["complete"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} cannot be read ({error!r}); delete the folder to make it again") from error
    for name, value in {"version": version(), "num_images": num_images, **settings._asdict()}.items():
        if found.get(name) != value:
            got = f"synthetic faces of {name}={found.get(name)}, asked for {value}"
            raise ValueError(f"{root} holds {got}; choose another folder, or delete this one")
    return complete


def _make(root: Path, settings: Settings, num_images: int, workers: int | None) -> None:
    head = load_head(cache_folder(), settings.detail)
    _write_manifest(root, settings, num_images, head, complete=False)
    if not (root / "head.npz").exists():
        save_head(head, root / "head.npz")
    (root / ".parts").mkdir(exist_ok=True)
    _make_blocks(root, settings, num_images, workers)
    finish(root, num_images)
    _write_manifest(root, settings, num_images, head, complete=True)
    shutil.rmtree(root / ".parts")


def _write_manifest(root: Path, settings: Settings, num_images: int, head: ProceduralHead, complete: bool) -> None:
    modes = {name: getattr(head, name).names for name in ("identity", "expression", "albedo")}
    content: dict[str, Any] = {"version": version(), "settings": settings._asdict(), "num_images": num_images}
    content |= {"complete": complete, "mask_parts": PARTS, "coefficients": modes}
    with atomic_write(root / MANIFEST) as temporary:
        temporary.write_text(json.dumps(content, indent=1))


def _make_blocks(root: Path, settings: Settings, num_images: int, workers: int | None) -> None:
    """Render the blocks that are not there yet, with a progress bar in images."""
    blocks = range(-(-num_images // BLOCK))
    todo = [block for block in blocks if not part_path(root, block).exists()]
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    processes = min(cpus if workers is None else workers, len(todo))
    done = num_images - sum(min(BLOCK, num_images - block * BLOCK) for block in todo)
    with tqdm(total=num_images, initial=done, desc="synthetic faces", unit="image", delay=1) as bar:
        if processes < 2:
            for block in todo:
                bar.update(make_block(root, settings, block, num_images))
            return
        with spawn_pool(processes) as pool:
            try:
                for future in as_completed(
                    pool.submit(make_block, root, settings, block, num_images) for block in todo
                ):
                    bar.update(future.result())
            except BrokenProcessPool as error:
                raise OSError(f"a process that made {root} was killed (memory?); run it again to go on") from error
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
