"""Generators in memory: one for all visitors who look at it, used by one at a time."""

import threading
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from facegen.checkpoint import checkpoint_files
from facegen.importers.loading import load_generator
from facegen.networks.diffusion import is_diffusion
from facegen.networks.eg3d import is_3d

Kind = Literal["image", "3d", "diffusion"]
_AT_ONCE = 3  # in memory


class Loaded(NamedTuple):
    """A generator, where it came from, and the lock under which it works."""

    network: Any
    path: Path
    lock: threading.Lock

    @property
    def kind(self) -> Kind:
        """What can be asked of it."""
        return "diffusion" if is_diffusion(self.network) else "3d" if is_3d(self.network) else "image"

    @property
    def has_camera(self) -> bool:
        """Whether it is told, or looked at by, a camera."""
        return self.kind == "3d" or (self.kind == "diffusion" and self.network.label_name == "camera")

    @property
    def classes(self) -> int:
        """How many classes its labels have; 0 where they are no classes."""
        labels = self.kind == "image" or (self.kind == "diffusion" and self.network.label_name == "class")
        return self.network.c_dim if labels else 0

    @property
    def layers(self) -> int:
        """How many layers have a style; 0 for diffusion models."""
        return 0 if self.kind == "diffusion" else self.network.num_ws

    @property
    def conditions(self) -> dict[str, str]:
        """What a diffusion model can be told, and of which kind it is."""
        conditioner = self.network.conditioner if self.kind == "diffusion" else None
        return {} if conditioner is None else {name: given["kind"] for name, given in conditioner.inputs.items()}

    @property
    def controls(self) -> tuple[str, ...]:
        """The pictures that control it."""
        return self.network.control_names if self.kind == "diffusion" else ()


def loaded(path: Path) -> Loaded:
    """A generator as it is on the disk now. Raises ValueError for what holds none."""
    if not path.exists():
        raise ValueError(f"{path.name} is no longer there")
    newest = (checkpoint_files(path) or [path])[-1] if path.is_dir() else path
    return _loaded(path, newest, newest.stat().st_mtime_ns)


@lru_cache(maxsize=_AT_ONCE)
def _loaded(path: Path, newest: Path, changed: int) -> Loaded:
    return Loaded(load_generator(str(path), "auto"), path, threading.Lock())
