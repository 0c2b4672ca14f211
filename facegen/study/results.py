"""results.json: everything a study has found, in a stable order and without anything of the machine it ran on."""

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from facegen import __version__
from facegen.checkpoint import atomic_write
from facegen.study.comparison import compare
from facegen.study.definition import Study
from facegen.study.plan import Training
from facegen.study.stages import Evaluation

FILE = "results.json"
# Of the lines of `facegen evaluate`; paths and times are of the machine and the moment.
_KEPT = (
    "metric", "name", "value", "interval", "standard_error", "details", "counts", "seed", "protocol", "fingerprints",
    "versions", "warnings",
)  # fmt: skip
_MEASURED = ("protocol", "fingerprints", "versions")
_ABSENT = object()
_INNERMOST = re.compile(r"\[\n[^\[\]{}\"]*\]")
_NOT_FIGURES = {"tick", "kimg", "images_seen", "time", "sec/tick", "cpu_mem_gb", "gpu_mem_gb"}


def collect(study: Study, every: Sequence[Training], wanted: Sequence[Evaluation]) -> dict[str, Any]:
    """Everything that is known of a study whose trainings and evaluations are done."""
    found: dict[tuple[str, int], dict[str, list[Any]]] = {}
    for each in wanted:
        found.setdefault((each.training.run.name, each.training.seed), {})[each.name] = read_lines(each.file)
    runs: dict[str, Any] = {}
    for each in every:
        own = found.get((each.run.name, each.seed), {})
        runs.setdefault(each.run.name, _run(each))["seeds"][str(each.seed)] = _seed(each, own)
    against = {name: run.against for name, run in study.runs.items()}
    compared = {name: compare(_lines_of(runs, name), against) for name in study.evaluate}
    return {
        "study": study.name,
        "question": study.question,
        "facegen": __version__,
        "train": list(study.train),
        "evaluate": {name: list(each.overrides) for name, each in study.evaluate.items()},
        "measured": {name: _shared(_lines_of(runs, name)) for name in study.evaluate},
        "runs": runs,
        "comparisons": compared,
    }


def write(results: dict[str, Any], folder: Path) -> Path:
    """Write results.json."""
    path = folder / FILE
    with atomic_write(path) as temporary:
        temporary.write_text(_compact(json.dumps(results, indent=1, allow_nan=False)) + "\n", encoding="utf-8")
    return path


def _compact(text: str) -> str:
    """Lists of numbers on one line each; strings are safe, because theirs are never real line breaks."""
    return _INNERMOST.sub(lambda match: " ".join(match[0].split()), text)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """What of the JSON lines of an evaluation is kept; numbers that are not finite become None."""
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        return [{key: _finite(line.get(key), key == "details") for key in _KEPT} for line in lines]
    except (json.JSONDecodeError, AttributeError) as error:
        raise ValueError(f"{path}: not readable ({error}); delete it, the study makes it again") from error


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Rows of a JSON-lines file, none where it is missing; the last line of a killed process may be half a line."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return rows


def _run(training: Training) -> dict[str, Any]:
    run = training.run
    return {
        "title": run.title,
        "from": run.start,
        "against": run.against,
        "overrides": list(run.overrides),
        "seeds": {},
    }


def _seed(training: Training, lines: dict[str, list[Any]]) -> dict[str, Any]:
    rows = rows_of(training.folder / "metrics.jsonl")
    last = rows[-1] if rows else {}
    return {
        "hash": training.hash,
        "checkpoint_sha256": training.checkpoint_sha256,
        "images_seen": training.images_seen,
        "training_seconds": last.get("time"),
        "final": {key: _finite(value) for key, value in last.items() if key not in _NOT_FIGURES},
        "evaluations": lines,
    }


def _lines_of(runs: dict[str, Any], evaluation: str) -> dict[str, dict[str, list[Any]]]:
    return {
        run: {seed: found["evaluations"].get(evaluation, []) for seed, found in values["seeds"].items()}
        for run, values in runs.items()
    }


def _shared(lines: dict[str, dict[str, list[Any]]]) -> dict[str, Any]:
    """Take out of all lines of an evaluation what every one of them says of its measurement, and return it."""
    every = [line for seeds in lines.values() for own in seeds.values() for line in own]
    shared: dict[str, Any] = {}
    for part in _MEASURED if every else ():
        first = every[0][part] or {}
        same = {k: v for k, v in first.items() if all((line[part] or {}).get(k, _ABSENT) == v for line in every)}
        shared[part] = same
        for line in every:
            line[part] = {key: value for key, value in (line[part] or {}).items() if key not in same}
    for line in every:
        for key in [key for key, value in line.items() if value in (None, {}, [])]:
            del line[key]
    return shared


def _finite(value: Any, rounded: bool = False) -> Any:
    """JSON has no NaN and no infinity; long lists of details are kept to six digits, more than anything measures."""
    if isinstance(value, dict):
        return {key: _finite(each, rounded) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each, rounded) for each in value]
    if not isinstance(value, float):
        return value
    return None if not math.isfinite(value) else float(f"{value:.6g}") if rounded else value
