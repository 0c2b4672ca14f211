"""What a recipe says about one source: where it is, which faces it takes, which it leaves out, how often each comes."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from facegen.checkpoint.files import check_file
from facegen.data import lists, table
from facegen.data.layouts.layout import stem
from facegen.data.listing import codec
from facegen.data.sources import Source

Ids = str | Path | Sequence[str] | None
_KEYS = ("layout", "ids", "exclude", "where", "repeat", "mirror", "rebalance", "name")
PACKAGED = "pkg:"  # before the name of a list that ships with facegen


@dataclass(frozen=True)
class SourceSpec:
    """One source of a recipe.

    layout: which published dataset it is; None looks. ids, exclude: a list of ids, or a text, JSON or CSV file (first
    column) of them, or `pkg:NAME` for a list that comes with facegen. where: a condition on the columns of its table
    in SQL, such as "yaw_degrees > 40". repeat: at least 1. mirror: None follows the recipe. rebalance: whether the
    recipe's rule changes how often these faces come. name: prefix of its ids in a recipe of several sources.
    """

    root: str | Path
    layout: str | None = None
    ids: Ids = None
    exclude: Ids = None
    where: str | None = None
    repeat: int = 1
    mirror: bool | None = None
    rebalance: bool = True
    name: str | None = None


def parse_sources(sources: Any) -> list[SourceSpec]:
    """Make specifications of a path, a mapping with `root`, a list of either, or a mapping of names to either.

    Raises ValueError for anything else.
    """
    if isinstance(sources, Mapping) and "root" not in sources and set(sources).isdisjoint(_KEYS):
        sources = combine(None, sources)
    if isinstance(sources, str | Path | Mapping):
        sources = [sources]
    if not isinstance(sources, Sequence) or not sources:
        raise ValueError(f"expected a folder, a zip, or a list of them (data.root=[a,b]), got {sources!r}")
    return [_parse_source(_mapping(entry)) for entry in sources]


def combine(root: Any, sources: Mapping[str, Any]) -> list[Any]:
    """Named sources, and unnamed ones after them, as one list. None stands for no source."""
    named = [{"name": str(name), **_mapping(entry)} for name, entry in sources.items() if entry is not None]
    if root is None:
        return named
    several = isinstance(root, Sequence) and not isinstance(root, str)
    return [*named, *(root if several else [root])]


def select(source: Source, spec: SourceSpec) -> pa.Table:
    """Rows of a source that a specification keeps. Raises ValueError for unknown ids, or where none is left."""
    known = {name: row for row, name in enumerate(source.rows["id"].to_pylist())}
    keep = np.ones(len(source.rows), dtype=bool)
    if spec.ids is not None:
        keep[:] = False
        keep[_find(spec.ids, known, source, "ids")] = True
    if spec.exclude is not None:
        keep[_find(spec.exclude, known, source, "exclude")] = False
    if spec.where is not None:
        keep &= _where(source, spec.where, known)
    if not keep.any():
        raise ValueError(f"{source.root}: no image is left of {len(keep)} after ids, exclude and where")
    return source.rows.filter(pa.array(keep))


def table_of(source: Source, asked: str) -> Path:
    """Where the table of a source lies. Raises ValueError where it has none that is up to date; `asked`: for what."""
    if not source.indexed:
        reasons = [problem.detail for problem in source.problems if problem.kind == "index out of date"]
        hint = reasons[0] if reasons else f"make its table: facegen data index root={source.root}"
        raise ValueError(f"{asked}: {source.root} has no table that is up to date; {hint}")
    return table.table_path(source.root)


def _where(source: Source, condition: str, known: Mapping[str, int]) -> np.ndarray:
    """Which rows fulfil a condition on the columns of the source's table."""
    place = table_of(source, f"where={condition!r}")
    chosen = np.zeros(len(source.rows), dtype=bool)
    chosen[[known[name] for name in table.matching(place, condition)]] = True
    return chosen


def read_ids(ids: Ids) -> list[str]:
    """A list of ids from a list or from a file. Raises ValueError where the file is missing or not such a list."""
    if not isinstance(ids, str | Path):
        return [str(name) for name in ids or ()]
    if str(ids).startswith(PACKAGED):
        return lists.packaged(str(ids).removeprefix(PACKAGED))
    path = Path(ids).expanduser()
    try:
        check_file(path)
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            content = json.loads(text)
            if not isinstance(content, list | dict):
                raise ValueError("expected a list of ids")
            return [str(name) for name in content]
    except (OSError, ValueError) as error:
        reason = "it does not exist" if isinstance(error, FileNotFoundError) else error
        raise ValueError(
            f"{path} is not a list of ids ({reason}); expected text with one id a line, JSON or CSV"
        ) from error
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    first = [row[0].strip() for row in csv.reader(lines)] if path.suffix == ".csv" else [line.strip() for line in lines]
    return first[1:] if first and first[0].lower() in ("id", "name", "path", "file") else first


def _mapping(entry: Any) -> Mapping[str, Any]:
    if isinstance(entry, str | Path):
        return {"root": entry}
    if not isinstance(entry, Mapping):
        raise ValueError(f"expected a path or a mapping with root and optionally {', '.join(_KEYS)}; got {entry!r}")
    return entry


def _parse_source(entry: Mapping[str, Any]) -> SourceSpec:
    unknown = sorted(map(str, set(entry) - {"root", *_KEYS}))
    if "root" not in entry or unknown:
        wrong = f"unknown {', '.join(unknown)}" if unknown else "no root"
        got = {str(key): value for key, value in entry.items()}
        expected = f"a path or a mapping with root and optionally {', '.join(_KEYS)}"
        raise ValueError(f"a source has {wrong}: got {got!r}, expected {expected}")
    spec = SourceSpec(**{str(key): value for key, value in entry.items()})
    if type(spec.repeat) is not int or spec.repeat < 1:
        raise ValueError(f"{spec.root}: repeat must be a whole number from 1 on, got {spec.repeat!r}")
    if spec.mirror not in (None, True, False) or spec.rebalance not in (True, False):
        got = f"mirror={spec.mirror!r}, rebalance={spec.rebalance!r}"
        raise ValueError(f"{spec.root}: got {got}; expected true or false (mirror: or null)")
    return spec


def _find(ids: Ids, known: Mapping[str, int], source: Source, what: str) -> list[int]:
    """Rows of ids. What a packaged list leaves out of a whole dataset need not be there in a part of it."""
    names = [_without_suffix(name) for name in read_ids(ids)]
    published = source.layout.published or 0
    if str(ids).startswith(PACKAGED) and len(known) < published and lists.serves(str(ids), source.layout.name):
        names = [name for name in names if name in known]
    if unknown := [name for name in names if name not in known]:
        example = next(iter(known))
        raise ValueError(
            f"{source.root}: {len(unknown)} of {len(names)} {what} do not exist there (first {unknown[0]!r}); "
            f"its ids look like {example!r}"
        )
    return [known[name] for name in names]


def _without_suffix(name: str) -> str:
    name = name.replace("\\", "/")
    return stem(name) if codec(name) else name
