"""What evaluations found: of a study, or of runs that were measured while they trained."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from facegen.study import matrix
from facegen.study.comparison import compare
from facegen.study.results import FILE, read_lines

Results = dict[str, Any]  # as results.json of a study: `runs` and `comparisons`
_MOST_BYTES = 256 * 2**20


def of_study(folder: Path) -> Results | None:
    """results.json, None where the study has none yet. Raises ValueError for a file that is none."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"got {path.stat().st_size} bytes, expected at most {_MOST_BYTES}")
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or not {"runs", "comparisons"} <= content.keys():
            raise ValueError("it has no runs and comparisons")
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder.name}: {FILE} cannot be read ({error})") from None
    return content


def of_runs(runs: Mapping[str, Path]) -> Results:
    """The newest evaluation in each run's folder `evaluations`, in the form of a study of one seed."""
    lines: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for name, run in runs.items():
        if files := sorted((run / "evaluations").glob("*.jsonl")):
            lines[name] = {"0": read_lines(files[-1])}
    every = {
        name: {"title": name, "against": None, "seeds": {"0": {"evaluations": {"in training": own["0"]}}}}
        for name, own in lines.items()
    }
    return {"runs": every, "comparisons": {"in training": compare(lines, dict.fromkeys(lines))} if lines else {}}


def matrices(results: Results) -> str:
    """HTML of the FID3D matrices of all runs, and of their differences; empty where there are none."""
    parts = []
    titles = {name: run["title"] for name, run in results["runs"].items()}
    for comparisons in results["comparisons"].values():
        if (found := matrix.matrix(comparisons)) is None:
            continue
        measured = [name for name in titles if matrix.has(found, name)]
        parts += [matrix.of_run(found, name, titles[name]) for name in measured]
        pairs = [(name, base) for name in measured if (base := results["runs"][name]["against"]) in measured]
        parts += [matrix.of_difference(found, name, f"{titles[name]} minus {titles[base]}") for name, base in pairs]
    return "".join(ElementTree.tostring(part, encoding="unicode", method="html") for part in parts)


def figures_table(results: Results) -> tuple[list[str], list[list[str]]]:
    """Every figure as a row, every run as a column: means over the seeds."""
    titles = {name: run["title"] for name, run in results["runs"].items()}
    rows = [
        [f"{figure['metric']} {figure['name']}".strip(), *(_mean(figure, name) for name in titles)]
        for comparisons in results["comparisons"].values()
        for figure in comparisons
    ]
    return ["figure", *titles.values()], rows


def _mean(figure: Mapping[str, Any], run: str) -> str:
    own = figure["runs"].get(run)
    return "–" if own is None else f"{own['mean']:.4g}"
