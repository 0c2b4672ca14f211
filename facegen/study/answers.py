"""What a study has found, as tables: the verdicts, the runs, and what every figure was measured with."""

from typing import Any
from xml.etree.ElementTree import Element

from facegen.reports.durations import duration
from facegen.reports.page import node, table
from facegen.reports.tables import NONE, Table
from facegen.study.numbers import limits, number, signed, with_spread

Results = dict[str, Any]


def figure_name(figure: dict[str, Any]) -> str:
    """A metric and what of it, without saying it twice."""
    metric, name = str(figure["metric"]), str(figure["name"])
    said = name if metric in ("", name) or name.startswith(metric) else f"{metric} {name}" if name else metric
    return said.replace("->", " → ")


def verdict_rows(results: Results, run: str) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Name, figure and difference of everything that a run and the baseline have in common."""
    several = len(results["comparisons"]) > 1
    return [
        (f"{evaluation}: {figure_name(figure)}" if several else figure_name(figure), figure, figure["differences"][run])
        for evaluation, figures in results["comparisons"].items()
        for figure in figures
        if run in figure["differences"]
    ]


def tally(results: Results, run: str) -> str:
    """The verdicts of one run, counted."""
    verdicts = [found["verdict"] for _, _, found in verdict_rows(results, run)]
    counted = {word: verdicts.count(word) for word in ("better", "worse", "lower", "higher", "no clear difference")}
    if verdicts and set(verdicts) == {"one seed"}:
        return "one seed, no verdict"
    return ", ".join(f"{count} {word}" for word, count in counted.items() if count) or NONE


def verdicts(results: Results, run: str) -> Element:
    """One run against the baseline: the verdict first, which a narrow screen shows too, then what it rests on."""
    rows: list[list[str | Element]] = []
    for name, figure, found in verdict_rows(results, run):
        arrow = {"lower": " ↓", "higher": " ↑"}.get(figure["better"] or "", "")
        kind = {"better": "better", "worse": "worse"}.get(found["verdict"], "unclear")
        said = node("td", "one seed only" if found["verdict"] == "one seed" else found["verdict"], class_=kind)
        both = [with_spread(figure["runs"][each]) for each in (results["runs"][run]["against"], run)]
        rows.append([name + arrow, said, signed(found["mean"]), limits(found["interval"], signed) or NONE, *both])
    first, second = (results["runs"][each]["title"] for each in (results["runs"][run]["against"], run))
    head = ["figure", "verdict", "difference", "95 % interval", first, second]
    return table(f"{second} against {first}", head, rows)


def intervals(results: Results) -> int:
    """How many differences have an interval."""
    return sum(
        found["interval"] is not None
        for figures in results["comparisons"].values()
        for figure in figures
        for found in figure["differences"].values()
    )


def training_table(results: Results) -> Table:
    """Every run and seed: its configuration's hash, length, time and last losses."""
    rows = []
    for name, run in results["runs"].items():
        for seed, found in run["seeds"].items():
            final, seconds = found["final"], found["training_seconds"]
            rows.append([
                f"{name}, seed {seed}",
                f"{found['images_seen'] / 1000:g}",
                duration(seconds) if seconds else NONE,
                *(number(final[key]) if final.get(key) is not None else NONE for key in _FINAL),
                found["hash"],
            ])  # fmt: skip
    head = ["run", "thousand images", "training time", "loss G", "loss D", "signs real", "signs fake", "hash"]
    return Table("Trainings", head, rows)


_FINAL = ("loss/G/loss", "loss/D/loss", "loss/signs/real", "loss/signs/fake")


def configurations(results: Results) -> Element:
    """What was the same for all runs, and what was different."""
    entries = [node("dt", "all runs"), node("dd", _words(results["train"]))]
    for name, run in results["runs"].items():
        start = f", from {run['from']}" if run["from"] else ""
        entries += [node("dt", f"{name}: {run['title']}{start}"), node("dd", _words(run["overrides"]))]
    for name, words in results["evaluate"].items():
        entries += [node("dt", f"evaluation {name}"), node("dd", _words(words))]
    return node("dl", *entries)


def single_figures(results: Results, evaluation: str) -> Table:
    """Every figure of every seed, with the interval that its evaluation gave it."""
    seeds = list(dict.fromkeys(seed for run in results["runs"].values() for seed in run["seeds"]))
    cells: dict[str, dict[str, str]] = {}
    for name, run in results["runs"].items():
        for seed, found in run["seeds"].items():
            for line in found["evaluations"].get(evaluation, []):
                value = NONE if line.get("value") is None else number(line["value"])
                said = " ".join([value, limits(line.get("interval"))]).strip()
                cells.setdefault(f"{figure_name(line)}, {name}", {})[seed] = said
    rows = [[name, *(own.get(seed, NONE) for seed in seeds)] for name, own in sorted(cells.items())]
    return Table(f"{evaluation}: every seed", ["figure, run", *(f"seed {seed}" for seed in seeds)], rows)


def protocol(results: Results) -> Element:
    """What the figures were measured with, each thing said once, and every warning."""
    entries = []
    for evaluation, shared in results["measured"].items():
        lines = [line for run in results["runs"].values() for seed in run["seeds"].values()
                 for line in seed["evaluations"].get(evaluation, [])]  # fmt: skip
        facts: dict[str, dict[str, None]] = {}
        for source in [shared, *lines]:
            for part in (*shared, "counts"):
                for key, value in source.get(part, {}).items():
                    facts.setdefault(f"{part}: {key}", {})[_said(value)] = None
        entries += [node("dt", f"evaluation {evaluation}")]
        entries += [node("dd", f"{key}: {'; '.join(values)}") for key, values in facts.items()]
        warnings = dict.fromkeys(str(warning) for line in lines for warning in line.get("warnings", []))
        entries += [node("dd", f"Warning: {warning}", class_="warning") for warning in warnings]
    return node("dl", *entries)


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_said(each)}" for key, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(_said, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _words(words: list[str]) -> Element:
    return node("code", " ".join(words) if words else "nothing")
