"""FID3D as a matrix: rows are what the mapping network is told, columns are the recipe that the cameras look from."""

from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

from facegen.reports.page import node, table
from facegen.reports.tables import NONE
from facegen.study.numbers import limits, number, plus_minus, signed

Comparison = dict[str, Any]  # one entry of `comparisons` in results.json


class Matrix(NamedTuple):
    """The figures of one evaluation, by what is told (`average`, `same`, a recipe) and where cameras look from."""

    told: list[str]
    seen_from: list[str]
    figures: dict[tuple[str, str], Comparison]


def matrix(comparisons: list[Comparison]) -> Matrix | None:
    """The FID3D matrix of one evaluation, None where it has none."""
    figures = {_place(each["name"]): each for each in comparisons if each["metric"] == "fid3d"}
    if not figures:
        return None
    told = list(dict.fromkeys(row for row, _ in figures))
    told.sort(key=lambda row: {"average": 0, "same": 2}.get(row, 1))  # stable: recipes keep their order
    return Matrix(told, list(dict.fromkeys(column for _, column in figures)), figures)


def has(found: Matrix, run: str) -> bool:
    """Whether a run was measured."""
    return any(run in figure["runs"] for figure in found.figures.values())


def values_of(found: Matrix, run: str) -> list[list[float | None]]:
    """Means over the seeds of one run, row by row."""
    return [[_mean(found, (row, column), run) for column in found.seen_from] for row in found.told]


def of_run(found: Matrix, run: str, title: str) -> Element:
    """The matrix of one run; the shade is between the least and the largest figure of all runs."""
    every = [each["mean"] for figure in found.figures.values() for each in figure["runs"].values()]
    least, most = min(every), max(every)

    def cell(figure: Comparison) -> Element | str:
        if (own := figure["runs"].get(run)) is None:
            return NONE
        part = (own["mean"] - least) / (most - least) if most > least else 0.0
        spread = [node("small", f"± {plus_minus(own)}")] if own["interval"] else []
        style = f"--part: {5 + 65 * part:.0f}%"
        return node("td", number(own["mean"]), *spread, class_="shaded", style=style)

    return _drawn(found, title, cell)


def of_difference(found: Matrix, run: str, title: str) -> Element:
    """How one run differs from the baseline, with intervals."""

    def cell(figure: Comparison) -> Element | str:
        if (own := figure["differences"].get(run)) is None:
            return NONE
        kind = {"better": "better", "worse": "worse"}.get(own["verdict"], "unclear")
        bounds = [node("small", limits(own["interval"], signed))] if own["interval"] else []
        return node("td", signed(own["mean"]), *bounds, class_=kind)

    return _drawn(found, title, cell)


def _drawn(found: Matrix, title: str, cell: Any) -> Element:
    rows: list[list[str | Element]] = []
    for row in found.told:
        figures = [found.figures.get((row, column)) for column in found.seen_from]
        rows.append([row, *(NONE if figure is None else cell(figure) for figure in figures)])
    made = table(title, ["told \\ seen from", *found.seen_from], rows)
    made.set("class", "table matrix")
    return made


def _mean(found: Matrix, place: tuple[str, str], run: str) -> float | None:
    own = found.figures.get(place, {"runs": {}})["runs"].get(run)
    return None if own is None else own["mean"]


def _place(name: str) -> tuple[str, str]:
    """`avg->ffhq` and `same ffhq` as row and column."""
    if name.startswith("same "):
        return "same", name.removeprefix("same ")
    told, _, seen_from = name.partition("->")
    return "average" if told == "avg" else told, seen_from
