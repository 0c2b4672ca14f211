"""The complete look at a source: every image decoded, every label checked."""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from facegen.checkpoint import atomic_write
from facegen.data.check import usual_size
from facegen.data.inspection import Inspection, inspect_all
from facegen.data.labels import IMPLAUSIBLE, LABELS_FILE
from facegen.data.problems import Problem
from facegen.data.processes import spawn_pool
from facegen.data.reader import ImageReader
from facegen.data.sources import Source, open_source
from facegen.data.stamps import LABEL_COLUMNS

CHUNK = 64  # images a process takes at a time: long enough to hide the hand-over, short enough for the progress bar
WORTH_PROCESSES = 256  # images; for fewer, starting processes takes longer than decoding


@dataclass
class Report:
    """What validation found in one source."""

    root: str
    kind: str
    images: int
    ignored_files: int
    sizes: dict[str, int]
    labels: int
    problems: list[Problem] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether there is no problem at all."""
        return not self.problems

    def counts(self) -> dict[str, list[Problem]]:
        """Problems by kind, the most frequent first."""
        kinds: dict[str, list[Problem]] = {}
        for problem in self.problems:
            kinds.setdefault(problem.kind, []).append(problem)
        return dict(sorted(kinds.items(), key=lambda item: -len(item[1])))

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        counts = {kind: len(found) for kind, found in self.counts().items()}
        totals = {name: value for name, value in asdict(self).items() if name != "problems"}
        problems = [problem._asdict() for problem in self.problems]
        return {**totals, "clean": self.clean, "counts": counts, "problems": problems}


def validate(
    root: str | Path,
    resolution: int | None = None,
    labels: bool | None = None,
    workers: int = 2,
    layout: str | None = None,
) -> Report:
    """Decode every image of a source, check every label and everything that its dataset ships beside the images.

    resolution: the side that every image must have; None expects one size, whichever. labels: True requires one for
    each image, None checks those that there are, False ignores them. workers: processes; 0 decodes in this one.
    layout: which published dataset it is; None looks. Raises ValueError where there is no source at all.
    """
    source = open_source(root, layout, use_table=False)
    indexed = open_source(root, layout).problems
    reader = ImageReader.of(source.rows)
    inspections = list(tqdm(_inspect(reader, workers), "decoding", len(reader), unit="image", leave=False))
    problems = [problem for problem in indexed if problem.kind == "index out of date"]
    problems += [p for p in source.problems if labels is not False or not _about_labels(p)]
    problems += _missing_labels(source, labels)
    ids = source.rows["id"].to_pylist()
    problems += source.layout.annotate(source.place, ids).problems
    problems += source.layout.inspect(source.place, ids)
    problems += [
        Problem(found.kind, reader.where(row), found.detail) for row, found in enumerate(inspections) if found.kind
    ]
    problems += _size_problems(reader, inspections, resolution) + _copies(reader, inspections)
    return Report(
        str(source.root), source.kind, len(reader), source.ignored, _sizes(inspections), _labelled(source), problems
    )


def write_report(reports: list[Report], path: Path) -> None:
    """Write reports as JSON, atomically."""
    content = {"clean": all(report.clean for report in reports), "sources": [report.as_dict() for report in reports]}
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _inspect(reader: ImageReader, workers: int) -> Iterator[Inspection]:
    starts = range(0, len(reader), CHUNK)
    parts = [reader.part(start, start + CHUNK) for start in starts]
    if workers < 1 or len(reader) < WORTH_PROCESSES:
        for part in parts:
            yield from inspect_all(part)
        return
    try:
        with spawn_pool(min(workers, len(parts))) as pool:
            for inspections in pool.map(inspect_all, parts):
                yield from inspections
    except BrokenProcessPool as error:
        raise OSError("a decoding process was killed (out of memory?); try again with workers=0") from error


def _about_labels(problem: Problem) -> bool:
    return problem.kind == IMPLAUSIBLE or "label" in problem.kind


def _missing_labels(source: Source, labels: bool | None) -> list[Problem]:
    has_file = any(name in source.rows.column_names for name in LABEL_COLUMNS)
    if labels is not True or has_file:
        return []
    return [Problem("missing labels", LABELS_FILE, "the source ships no labels, and labels=true asks for them")]


def _size_problems(reader: ImageReader, inspections: list[Inspection], resolution: int | None) -> list[Problem]:
    usual = usual_size([found.header for found in inspections if found.header])
    problems = []
    for row, found in enumerate(inspections):
        if found.header is None:
            continue
        width, height = found.header.width, found.header.height
        if width != height:
            problems.append(Problem("not square", reader.where(row), f"{width}x{height}"))
        elif resolution is not None and width != resolution:
            problems.append(Problem("wrong size", reader.where(row), f"{width}x{height}, expected {resolution}"))
        elif resolution is None and (width, height) != usual:
            detail = f"{width}x{height}, most are {usual[0]}x{usual[1]}"
            problems.append(Problem("mixed sizes", reader.where(row), detail))
    return problems


def _copies(reader: ImageReader, inspections: list[Inspection]) -> list[Problem]:
    """Images with the bytes of an earlier one."""
    first: dict[bytes, int] = {}
    problems = []
    for row, found in enumerate(inspections):
        if found.digest and first.setdefault(found.digest, row) != row:
            detail = f"the same bytes as {reader.where(first[found.digest])}"
            problems.append(Problem("identical copy", reader.where(row), detail))
    return problems


def _sizes(inspections: list[Inspection]) -> dict[str, int]:
    sizes = Counter(f"{found.header.width}x{found.header.height}" for found in inspections if found.header)
    return dict(sizes.most_common())


def _labelled(source: Source) -> int:
    names = [name for name in LABEL_COLUMNS if name in source.rows.column_names]
    return len(source.rows) - source.rows[names[0]].null_count if names else 0
