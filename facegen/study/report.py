"""report.html: the whole study on one page, without scripts and without anything outside the file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

from facegen import __version__
from facegen.checkpoint import atomic_write
from facegen.reports.page import Block, Picture, Section, node, page
from facegen.study import answers, matrix, media, poses
from facegen.study.curves import curves
from facegen.study.definition import Study
from facegen.study.plan import Training
from facegen.study.stages import Drawing

FILE = "report.html"
_KINDS = {
    "samples": ("Samples", "The same seeds for every run, without truncation, from the averaged weights."),
    "poses": ("Poses", "One row per seed: from left to right in yaw, then from below to above in pitch."),
    "turntable": (
        "Turntables",
        "The same seeds; the camera goes from -60 to 60 degrees of yaw and back.",
    ),
}


class Looks(NamedTuple):
    """What there is to see: plots by what they show, and the files of pictures and films, each of one run."""

    curves: list[tuple[str, bytes]]
    poses: list[Block]
    drawings: Sequence[Drawing]

    @property
    def plots(self) -> list[tuple[str, bytes]]:
        """All plots."""
        return self.curves + [(picture.says, picture.png) for block in self.poses for picture in block.pictures]


def looks(results: dict[str, Any], every: Sequence[Training], drawings: Sequence[Drawing]) -> Looks:
    """Draw the plots of a study."""
    return Looks(curves(every), poses.blocks(results), drawings)


def write(study: Study, results: dict[str, Any], seen: Looks) -> Path:
    """Write report.html into the study's folder."""
    sections = [_answer(results), *_matrices(results)]
    sections += [Section("Poses", seen.poses)] if seen.poses else []
    sections += [*_faces(results, seen), _runs(results, seen), _protocol(results)]
    path = study.folder / FILE
    footer = f"facegen {__version__}, facegen study {study.name}. All numbers: results.json."
    with atomic_write(path) as temporary:
        temporary.write_bytes(page(study.question, _intro(study, results), sections, footer))
    return path


def _intro(study: Study, results: dict[str, Any]) -> list[Element]:
    seeds = {seed for run in results["runs"].values() for seed in run["seeds"]}
    tiles = [("runs", f"{len(results['runs'])}"), ("seeds of each", f"{len(seeds)}")]
    others = [name for name in results["runs"] if answers.verdict_rows(results, name)]
    tiles += [(f"{results['runs'][name]['title']}, figures", answers.tally(results, name)) for name in others]
    made = [node("div", node("span", name), node("b", value)) for name, value in tiles]
    paragraphs = [node("p", " ".join(part.split())) for part in study.about.split("\n\n") if part.strip()]
    return [*paragraphs, node("div", *made, class_="tiles")]


def _answer(results: dict[str, Any]) -> Section:
    tables = [answers.verdicts(results, name) for name in results["runs"] if answers.verdict_rows(results, name)]
    return Section("Answer", [_how_to_read(results), *tables])


def _how_to_read(results: dict[str, Any]) -> str:
    arrows = "An arrow says where better figures are. "
    if count := answers.intervals(results):
        return (
            f"{arrows}Differences are paired over the seeds, their intervals are Student's t at 95 %; where one "
            "contains 0 there is no clear difference. Each interval stands for itself: of "
            f"{count}, about {count / 20:.1g} would miss 0 by chance alone if nothing differed."
        )
    return f"{arrows}With one seed nobody knows how much another would differ: no intervals, no verdicts."


def _matrices(results: dict[str, Any]) -> list[Section]:
    content: list[Any] = []
    for evaluation, figures in results["comparisons"].items():
        if (found := matrix.matrix(figures)) is None:
            continue
        if len(results["comparisons"]) > 1:
            content.append(node("h3", evaluation))
        titles = {name: run["title"] for name, run in results["runs"].items()}
        measured = [name for name in titles if matrix.has(found, name)]
        content += [matrix.of_run(found, name, titles[name]) for name in measured]
        for name in measured:
            if (base := results["runs"][name]["against"]) in measured:
                content.append(matrix.of_difference(found, name, f"{titles[name]} minus {titles[base]}"))
    if not content:
        return []
    told = (
        "Rows: the camera that the mapping network is told. Columns: the recipe whose cameras look, and whose images "
        "are compared with. A generator that only pleases the camera it is told about has low figures in the row "
        "“same” and high ones elsewhere. Lower is better; ± is half the 95 % interval over the seeds."
    )
    return [Section("FID3D", [told, *content])]


def _faces(results: dict[str, Any], seen: Looks) -> list[Section]:
    content: list[Any] = []
    for kind, (heading, text) in _KINDS.items():
        own = [each for each in seen.drawings if each.kind == kind]
        if own:
            figures = [_figure(results, each) for each in own]
            content += [node("h3", heading), node("p", text), node("div", *figures, class_="pictures beside")]
    return [Section("Faces", content)] if content else []


def _figure(results: dict[str, Any], drawing: Drawing) -> Element:
    title = results["runs"][drawing.training.run.name]["title"]
    says = f"{drawing.kind} of {title}"
    show = media.film if drawing.file.suffix == ".mp4" else media.picture
    return node("figure", show(drawing.file, says), node("figcaption", f"{title}, seed {drawing.training.seed}"))


def _runs(results: dict[str, Any], seen: Looks) -> Section:
    blocks = [Block(says[0].upper() + says[1:], "", [Picture(png, says, "")]) for says, png in seen.curves]
    return Section("Runs", [answers.configurations(results), answers.training_table(results), *blocks])


def _protocol(results: dict[str, Any]) -> Section:
    tables = [answers.single_figures(results, name) for name in results["evaluate"]]
    return Section("Protocol", [answers.protocol(results), *tables])
