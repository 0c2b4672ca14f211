"""Training curves of all runs, from their metrics.jsonl and evaluations.jsonl."""

from collections.abc import Sequence
from typing import Any

from facegen.reports.figures import INK, figure_of, png
from facegen.study.plan import Training
from facegen.study.results import rows_of

COLOURS = ("#2b6cb0", "#d9822b", "#1b7f5c", "#8e4585", "#b3402a", "#52606d")
_FIGURES = {
    "loss/G/loss": "loss of the generator",
    "loss/D/loss": "loss of the discriminator",
    "loss/signs/real": "mean sign, real images",
    "loss/signs/fake": "mean sign, generated images",
    "augment": "strength of augmentation",
}
_CLOCK = {"images_seen", "kimg", "seconds"}


def curves(every: Sequence[Training]) -> list[tuple[str, bytes]]:
    """What each plot shows, and its PNG: one line per run and seed; figures that never move are left out."""
    rows = {each.folder: rows_of(each.folder / "metrics.jsonl") for each in every}
    judged = {each.folder: rows_of(each.folder / "evaluations.jsonl") for each in every}  # while they were trained
    names = {key: key for own in judged.values() for row in own for key in row if key not in _CLOCK} | _FIGURES
    rows = {folder: own + judged[folder] for folder, own in rows.items()}
    return [(text, made) for key, text in names.items() if (made := _plot(key, text, every, rows)) is not None]


def _plot(key: str, text: str, every: Sequence[Training], rows: dict[Any, list[dict[str, Any]]]) -> bytes | None:
    points = {each: [(row["kimg"], row[key]) for row in rows[each.folder] if key in row] for each in every}
    values = {value for own in points.values() for _, value in own}
    if len(values) < 2 or max(map(len, points.values())) < 2:
        return None
    figure, (axes,) = figure_of(text, 0.6)
    runs = list(dict.fromkeys(each.run.name for each in every))
    titles = {each.run.name: each.run.title for each in every}
    for each, own in points.items():
        label = titles.pop(each.run.name, None)  # one entry of the legend for all seeds
        colour = COLOURS[runs.index(each.run.name) % len(COLOURS)]
        axes.plot(*zip(*own, strict=True), color=colour, lw=1.1, alpha=0.85, label=label) if own else None
    axes.set(xlabel="thousand images seen", ylabel="value")
    figure.legend(fontsize=7, frameon=False, ncols=3, loc="outside lower center", labelcolor=INK)
    return png(figure)
