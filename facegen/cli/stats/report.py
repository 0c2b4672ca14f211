"""What the page of `facegen data stats` says and shows, in its order."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

from tqdm import tqdm

from facegen import __version__
from facegen.checkpoint import atomic_write
from facegen.cli.stats import tables
from facegen.cli.stats.kinds import KINDS, block
from facegen.cli.stats.panels import Panel
from facegen.data.parts import parts
from facegen.data.recipe import Recipe
from facegen.data.statistics import shared, statistics
from facegen.reports.page import Block, Section, link, node, page
from facegen.reports.tables import percent


class Look(NamedTuple):
    """A recipe and its sources, with their statistics."""

    whole: Panel
    sources: list[Panel]

    @property
    def numbers(self) -> dict[str, Any]:
        """Everything of `facegen.data.statistics.statistics`."""
        return self.whole.numbers


def look(recipe: Recipe, title: str) -> Look:
    """Numbers of a recipe and of its sources, ready to be drawn."""
    whole, each = parts(recipe, title)
    numbers = statistics(whole, each)
    panels = [Panel(part, own) for part, own in zip(each, numbers["sources"], strict=True)]
    return Look(Panel(whole, numbers), panels)


def write(folder: Path, looks: Sequence[Look]) -> int:
    """Write index.html, stats.json and the pictures; return how many pictures."""
    numbers: dict[str, Any] = {"facegen": __version__, "recipes": [each.numbers for each in looks]}
    if len(looks) == 2:
        numbers["images"] = shared(*(each.whole.part.recipe for each in looks))
    groups = [("", [each.whole for each in looks])]
    groups += [(each.whole.title, each.sources) for each in looks if len(each.sources) > 1]
    work = [(place, kind) for place in range(len(groups)) for kind in KINDS]
    blocks: list[list[Block]] = [[] for _ in groups]
    for place, kind in tqdm(work, "drawing", unit="plot", delay=1, leave=False):
        blocks[place] += block(kind, *groups[place])
    for picture in (pictures := [p for group in blocks for each in group for p in each.pictures]):
        _write(folder / picture.file, picture.png)
    _write(folder / "stats.json", json.dumps(numbers, indent=1).encode())
    _write(
        folder / "index.html", _page(looks, numbers, [(name, b) for (name, _), b in zip(groups, blocks, strict=True)])
    )
    return len(pictures)


def _write(path: Path, content: bytes) -> None:
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def _page(looks: Sequence[Look], numbers: dict[str, Any], groups: list[tuple[str, list[Block]]]) -> bytes:
    recipes = numbers["recipes"]
    first = [tables.glance(recipes), tables.often(recipes)]
    sections = [Section("At a glance", [*_shared(numbers), *(table for table in first if table)])]
    for recipe in recipes:
        about = [tables.counts(recipe), tables.angles(recipe), tables.images(recipe)]
        sections.append(Section(recipe["title"], [_rule(recipe), *(table for table in about if table), _terms(recipe)]))
    for name, blocks in groups:
        heading = f"Sources of {name}" if name else "Plots"
        note = "Sources on the axes of one another." if name else _missing(recipes)
        sections.append(Section(heading, [*([note] if note else []), *blocks]))
    titles = [recipe["title"] for recipe in recipes]
    fingerprints = ", ".join(f"{recipe['title']} {recipe['recipe']['fingerprint'][:12]}" for recipe in recipes)
    footer = f"facegen {__version__}, `facegen data stats`. Fingerprints: {fingerprints}. All numbers: stats.json."
    return page(" beside ".join(titles), [_tiles(recipes)], sections, footer)


def _tiles(recipes: Sequence[dict[str, Any]]) -> Element:
    """The largest numbers, in large."""
    facts = [("faces", "{faces:,}"), ("items in an epoch", "{items:,}")]
    tiles = [(name, [text.format(**recipe) for recipe in recipes]) for name, text in facts]
    if all(recipe["poses"] is not None for recipe in recipes):
        turned = [percent(recipe["poses"]["turned"]["items"][30]) for recipe in recipes]
        tiles.append(("turned by more than 30° in an epoch", turned))
    made = []
    for name, values in tiles:
        lines = [node("span", name)]
        for recipe, value in zip(recipes, values, strict=True):
            lines += [node("b", value), *([node("span", recipe["title"])] if len(recipes) > 1 else [])]
        made.append(node("div", *lines))
    return node("div", *made, class_="tiles")


def _rule(recipe: dict[str, Any]) -> str:
    settings = recipe["recipe"]
    times = recipe["times"]
    weights = f", weights from {times['least']:.2f} to {times['most']:.2f} times" if times["rule"] == "weights" else ""
    rule = f"Rebalanced by the rule {settings['rebalance']}{weights}." if settings["rebalance"] else "Not rebalanced."
    return f"{rule} Images are used at {settings['resolution']} pixels, resized with {settings['filter']}."


def _shared(numbers: dict[str, Any]) -> list[str]:
    if "images" not in numbers:
        return []
    first, second = (recipe["title"] for recipe in numbers["recipes"])
    counts = {name: f"{count:,}" for name, count in numbers["images"].items()}
    return [
        f"{counts['both']} images are in both recipes, {counts['first_only']} in {first} only, "
        f"{counts['second_only']} in {second} only."
    ]


def _terms(recipe: dict[str, Any]) -> Element:
    """Where the files are, what their authors ask for, and what listing them found wrong."""
    entries: list[Element] = []
    for source in recipe["sources"]:
        entries += [node("dt", source["title"]), node("dd", f"{source['root']} ({source['kind']})")]
        if source["terms"]:
            terms = source["terms"]
            entries.append(node("dd", link(terms["title"], terms["home"]), f": {terms['licence']}"))
        problems = ", ".join(f"{count:,} {kind}" for kind, count in source["problems"].items())
        found = f"Found by listing: {problems}. See facegen data validate" if problems else "No duplicate ids"
        entries.append(node("dd", f"{found}; {'' if source['indexed'] else 'no '}index in use."))
    return node("dl", *entries)


def _missing(recipes: Sequence[dict[str, Any]]) -> str:
    """What cannot be shown, and what would help."""
    absent = [name for name in ("poses", "expression", "light") if all(recipe[name] is None for recipe in recipes)]
    if not absent:
        return ""
    return (
        f"Nothing is known of {', '.join(absent)}: these sources do not ship it, or have no index (facegen data index)."
    )
