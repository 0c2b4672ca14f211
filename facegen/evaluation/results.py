"""A result: one figure, and everything that it takes to know what it means."""

import dataclasses
import json
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from facegen import __version__
from facegen.checkpoint import atomic_write


@dataclass(frozen=True)
class Result:
    """One figure of one generator.

    metric and name: what was measured, and of what (`fid3d`, `avg->ffhq`). value: None for too few pictures.
    interval: 95 percent, or None. protocol: plain values without which two figures must not be compared. counts:
    pictures on both sides. fingerprints: of the recipes by name. time: started, seconds, device.
    """

    metric: str
    name: str
    value: float | None
    interval: tuple[float, float] | None = None
    standard_error: float | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    protocol: dict[str, Any] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    seed: int = 0
    fingerprints: dict[str, str] = field(default_factory=dict)
    checkpoint: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str | None] = field(default_factory=dict)
    time: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def json(self) -> str:
        """One line."""
        values = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        return json.dumps(values, default=dict)

    @property
    def key(self) -> str:
        """Equal for figures of which the later replaces the earlier."""
        return json.dumps([self.metric, self.name, self.protocol, self.seed, self.fingerprints], sort_keys=True)


def of_json(line: str) -> Result:
    """A result from its line. Raises ValueError for anything else."""
    try:
        values = json.loads(line)
        interval = values.get("interval")
        return Result(
            **{**values, "interval": interval and tuple(interval), "warnings": tuple(values.get("warnings", ()))}
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"got {line[:60]!r}, expected a JSON line of a result ({error})") from error


def read_results(path: Path) -> list[Result]:
    """The results in a file. Raises ValueError that names the file and the line."""
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            found.append(of_json(line))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
    return found


def write_results(path: Path, results: list[Result]) -> None:
    """Write lines, the file whole or not at all."""
    with atomic_write(path) as temporary:
        temporary.write_text("".join(result.json() + "\n" for result in results), encoding="utf-8")


def merge_results(path: Path, results: list[Result]) -> None:
    """Put results into a file, in the places of those that they replace."""
    old = read_results(path) if path.is_file() else []
    write_results(path, list({result.key: result for result in [*old, *results]}.values()))


def versions() -> dict[str, str | None]:
    """Of the program, of what computes, and the commit of the checkout where there is one."""
    found = {"facegen": __version__, "torch": torch.__version__, "python": platform.python_version()}
    return {**found, "git": _commit()}


def _commit() -> str | None:
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    words = ["git", "-C", str(root), "rev-parse", "HEAD"]
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
