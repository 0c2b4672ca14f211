"""What a recipe says about one source: where it is, which ids it takes, which it leaves out, how often each comes."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa

from facegen.data import lists
from facegen.data.listing import CODECS
from facegen.data.sources import Source

Ids = str | Path | Sequence[str] | None
PACKAGED = "pkg:"  # before the name of a list that ships with facegen


@dataclass(frozen=True)
class SourceSpec:
    """`ids` and `exclude`: a list of ids, a text, JSON or CSV file (first column) of them, or `pkg:` and the name of a
    list that ships with facegen. `repeat`: at least 1.
    """

    root: str | Path
    ids: Ids = None
    exclude: Ids = None
    repeat: int = 1


def parse_sources(sources: Any) -> list[SourceSpec]:
    """Make specifications of a path, a mapping, or a list of either. Raises ValueError for anything else."""
    if isinstance(sources, str | Path | Mapping):
        sources = [sources]
    if not isinstance(sources, Sequence) or not sources:
        raise ValueError(f"expected a folder, a zip, or a list of them (data.root=[a,b]), got {sources!r}")
    return [_parse_source(entry) for entry in sources]


def select(source: Source, spec: SourceSpec) -> pa.Table:
    """Rows of a source that a specification keeps. Raises ValueError for unknown ids, or where none is left."""
    known = {name: row for row, name in enumerate(source.rows["id"].to_pylist())}
    keep = np.ones(len(source.rows), dtype=bool)
    if spec.ids is not None:
        keep[:] = False
        keep[_find(spec.ids, known, source, "ids")] = True
    if spec.exclude is not None:
        keep[_find(spec.exclude, known, source, "exclude")] = False
    if not keep.any():
        raise ValueError(f"{source.root}: no image is left of {len(keep)} after ids and exclude")
    return source.rows.filter(pa.array(keep))


def read_ids(ids: Ids) -> list[str]:
    """A list of ids from a list or from a file. Raises ValueError where the file is missing or not such a list."""
    if not isinstance(ids, str | Path):
        return [str(name) for name in ids or ()]
    if str(ids).startswith(PACKAGED):
        return lists.packaged(str(ids).removeprefix(PACKAGED))
    path = Path(ids).expanduser()
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            content = json.loads(text)
            if not isinstance(content, list | dict):
                raise ValueError("expected a list of ids")
            return [str(name) for name in content]
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{path} is not a list of ids ({error}); expected text with one id a line, JSON or CSV"
        ) from error
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    first = [row[0].strip() for row in csv.reader(lines)] if path.suffix == ".csv" else [line.strip() for line in lines]
    return first[1:] if first and first[0].lower() in ("id", "name", "path", "file") else first


def _parse_source(entry: Any) -> SourceSpec:
    if isinstance(entry, str | Path):
        return SourceSpec(entry)
    if not isinstance(entry, Mapping) or "root" not in entry or set(entry) - {"root", "ids", "exclude", "repeat"}:
        raise ValueError(f"expected a path or a mapping with root and optionally ids, exclude, repeat; got {entry!r}")
    spec = SourceSpec(**{str(key): value for key, value in entry.items()})
    if not isinstance(spec.repeat, int) or spec.repeat < 1:
        raise ValueError(f"{spec.root}: repeat must be a whole number from 1 on, got {spec.repeat!r}")
    return spec


def _find(ids: Ids, known: Mapping[str, int], source: Source, what: str) -> list[int]:
    names = [_without_suffix(name) for name in read_ids(ids)]
    if unknown := [name for name in names if name not in known]:
        example = next(iter(known))
        raise ValueError(
            f"{source.root}: {len(unknown)} of {len(names)} {what} do not exist there (first {unknown[0]!r}); "
            f"its ids look like {example!r}"
        )
    return [known[name] for name in names]


def _without_suffix(name: str) -> str:
    path = PurePosixPath(name.replace("\\", "/"))
    return str(path.with_suffix("")) if path.suffix.lower() in CODECS else str(path)
