"""The numbers of `facegen data stats` as tables of text."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from facegen.data.statistics import TURNED_DEGREES
from facegen.reports.tables import NONE, Table, amount, percent

Numbers = dict[str, Any]


class _Measure(NamedTuple):
    """One line of the comparison: its name, its value (None: not known), how values and differences are written."""

    name: str
    value: Callable[[Numbers], float | None]
    text: Callable[[float], str]
    difference: Callable[[float], str]


def glance(recipes: Sequence[Numbers]) -> Table:
    """The most important numbers of one recipe, or of two with their differences."""
    rows = []
    for measure in _measures():
        values = [measure.value(numbers) for numbers in recipes]
        if all(value is None for value in values):
            continue
        row = [measure.name, *(NONE if value is None else measure.text(value) for value in values)]
        if len(values) == 2:
            first, second = values
            row.append(NONE if first is None or second is None else measure.difference(second - first))
        rows.append(row)
    difference = ["difference"] * (len(recipes) == 2)
    return Table("In numbers", ["", *(numbers["title"] for numbers in recipes), *difference], rows)


def counts(recipe: Numbers) -> Table:
    """How many faces each source has: as published, found, after exclusion, with mirrors, and in an epoch."""
    rows = []
    for source in recipe["sources"]:
        published = f"{source['published']:,}" if source["published"] else NONE
        numbers = [f"{source[name]:,}" for name in ("found", "faces", "views", "items")]
        rows.append([source["title"], published, *numbers, percent(source["items"] / recipe["items"])])
    total = [f"{recipe[name]:,}" for name in ("faces", "views", "items")]
    found = f"{sum(source['found'] for source in recipe['sources']):,}"
    if len(recipe["sources"]) > 1:
        rows.append(["all", NONE, found, *total, percent(1.0)])
    head = ["source", "published", "found", "after exclusion", "with mirrors", "items in an epoch", "share of items"]
    return Table(f"Faces of {recipe['title']}", head, rows)


def angles(recipe: Numbers) -> Table | None:
    """How heads are turned in each source, over the items of an epoch; None where no source has poses."""
    every = recipe["sources"] + [{**recipe, "title": "all"}] * (len(recipe["sources"]) > 1)
    posed = [numbers for numbers in every if numbers["poses"] is not None]
    rows = []
    for numbers in posed:
        poses = numbers["poses"]
        spreads = [f"{poses[name]['mean']:.1f} ± {poses[name]['deviation']:.1f}" for name in ("theta", "phi")]
        reach = f"{poses['yaw']['least']:.0f} to {poses['yaw']['most']:.0f}"
        turned = [percent(poses["turned"]["items"][angle]) for angle in TURNED_DEGREES]
        rows.append([numbers["title"], f"{poses['faces']:,}", *spreads, reach, *turned])
    head = ["source", "faces with a pose", "theta, degrees", "phi, degrees", "yaw, degrees"]
    head += [f"|yaw| > {angle}°" for angle in TURNED_DEGREES]
    return Table(f"Poses of {recipe['title']}, in an epoch", head, rows) if rows else None


def often(recipes: Sequence[Numbers]) -> Table | None:
    """How many faces come how often; None where all come once, or by weight."""
    known = [numbers for numbers in recipes if numbers["times"]["rule"] == "copies"]
    copies = sorted({copies for numbers in known for copies in numbers["times"]["faces"]})
    if copies in ([], [1]):
        return None
    rows = [[f"{each}", *(f"{numbers['times']['faces'].get(each, 0):,}" for numbers in known)] for each in copies]
    return Table("How often faces come in an epoch", ["copies", *(numbers["title"] for numbers in known)], rows)


def images(recipe: Numbers, most: int = 6) -> Table:
    """Formats, sizes of images and of files, for each source."""
    rows = []
    for source in recipe["sources"]:
        files = source["files"]
        pixels = [f"{_size(size)} ({count:,})" for size, count in files["pixels"].items()]
        more = [f"{len(pixels) - most} other sizes"] * (len(pixels) > most)
        formats = ", ".join(f"{name} ({count:,})" for name, count in files["formats"].items())
        middle = f"{files['bytes_quantiles']['50%'] / 1000:,.1f} kB"
        rows.append([source["title"], formats, ", ".join([*pixels[:most], *more]), amount(files["bytes"]), middle])
    head = ["source", "format", "pixels", "all files", "median file"]
    return Table(f"Images of {recipe['title']}", head, rows)


def _size(size: str) -> str:
    return "unknown without an index" if size == "?" else size.replace("x", " × ")


def _measures() -> list[_Measure]:
    def pose(*path: Any) -> Callable[[Numbers], float | None]:
        def value(numbers: Numbers) -> float | None:
            found = numbers["poses"]
            for name in path:
                found = found[name] if found is not None else None
            return found

        return value

    def count(name: str, value: Callable[[Numbers], float | None]) -> _Measure:
        return _Measure(name, value, "{:,.0f}".format, "{:+,.0f}".format)

    def degrees(name: str, *path: str) -> _Measure:
        return _Measure(name, pose(*path), "{:.2f}".format, "{:+.2f}".format)

    return [
        count("sources", lambda numbers: len(numbers["sources"])),
        count("faces", lambda numbers: numbers["faces"]),
        count("with mirrors", lambda numbers: numbers["views"]),
        count("items in an epoch", lambda numbers: numbers["items"]),
        count("faces with a pose", pose("faces")),
        *(
            _Measure(
                f"|yaw| > {angle}°, {who}",
                pose("turned", which, angle),
                percent,
                lambda share: f"{100 * share:+.1f} points",
            )
            for which, who in (("views", "each view once"), ("items", "in an epoch"))
            for angle in TURNED_DEGREES
        ),
        degrees("deviation of yaw, degrees", "yaw", "deviation"),
        degrees("mean pitch, degrees", "pitch", "mean"),
        degrees("deviation of pitch, degrees", "pitch", "deviation"),
        _Measure("files", lambda numbers: numbers["files"]["bytes"] or None, amount, _more_bytes),
    ]


def _more_bytes(size: float) -> str:
    return ("+" if size >= 0 else "") + amount(size)
