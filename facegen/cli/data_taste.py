"""`facegen data taste`: what a person likes, learnt from ratings."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from omegaconf import DictConfig, OmegaConf

from facegen.checkpoint import atomic_write
from facegen.cli.pictures import grid_size
from facegen.curation.searching.sheet import contact_sheet
from facegen.curation.taste import Agreement, Prediction, Ratings, cross_validate, fit, next_to_rate
from facegen.curation.taste.ratings import Rating
from facegen.curation.taste.source import Rated, import_ratings, ratings_of, read_rated, with_ratings, write_taste
from facegen.data import table
from facegen.data.pictures import save_png
from facegen.data.reader import ImageReader

CONFIG = "data_taste"
HELP = """\
Learn from ratings which faces a person likes, and give every face a taste: the probability that it is liked.

The columns taste and taste_error (how far that probability may be off) of faces.lance serve facegen data search
rank=taste, recipes (where="taste > 0.8") and facegen data repair. Ratings are made on the page (facegen explore), here
by like= and dislike=, or come from a file; ROOT/.described/ratings.jsonl keeps all of them. Says how well ratings are
foretold by others (cross-validated), and which faces to rate next: those that would tell the most.

The faces need embeddings: facegen data describe root=ROOT columns=[embedding].

Examples:
  facegen data taste root=~/faces out=look                       what to rate first: look/next.png
  facegen data taste root=~/faces like=[00012,00040] dislike=[00007]
  facegen data taste root=~/faces import=ratings.csv rater=anna
  facegen data taste root=~/faces rater=anna next=50 out=look    sheets of the best, the worst and the next
  facegen data search root=~/faces where="taste > 0.8 and taste_error < 0.1" rank=taste out=liked"""
_SHOWN = 8  # ids on the screen


def run(cfg: DictConfig) -> None:
    """Take ratings, learn, write the columns, and say what is known."""
    settings: Any = OmegaConf.to_container(cfg, resolve=True)
    for name in ("next", "count"):
        if settings[name] < 1:
            raise ValueError(f"{name}: got {settings[name]}, expected at least 1")
    root, layout, rater = settings["root"], settings["layout"], settings["rater"]
    rater = None if rater is None else str(rater)
    ratings = ratings_of(root, layout)
    rated = read_rated(root, rater, layout)
    _take(ratings, settings, set(rated.ids), rater or "")
    rated = with_ratings(rated, ratings.current(rater))
    print(_counts(rated, ratings))
    found, agreed = _learn(rated)
    asked = next_to_rate(rated.embeddings, rated.ratings, settings["next"])
    print(f"rate next: {' '.join(rated.ids[row] for row in asked[:_SHOWN])}{' ...' * (len(asked) > _SHOWN)}")
    if settings["out"] is not None:
        _write(Path(str(settings["out"])).expanduser(), rated, found, agreed, asked, settings["count"])


def _take(ratings: Ratings, settings: dict[str, Any], known: set[str], rater: str) -> None:
    """Write down what the command line and the file say."""
    given = []
    for key, value in (("like", 1.0), ("dislike", 0.0)):
        faces = settings[key] if isinstance(settings[key], list) else [settings[key]]
        given += [Rating(str(face), value, rater) for face in faces]
    if unknown := [each.id for each in given if each.id not in known]:
        raise ValueError(f"like, dislike: got {unknown[0]!r}, expected ids of faces such as {min(known)!r}")
    ratings.extend(given)
    if settings["import"] is not None:
        path = Path(str(settings["import"])).expanduser()
        print(f"{path}: {import_ratings(ratings, path, rater, known)} new ratings")


def _counts(rated: Rated, ratings: Ratings) -> str:
    liked, disliked = int((rated.ratings > 0.5).sum()), int((rated.ratings < 0.5).sum())
    among = f"of {len(rated.ids)} faces rated: {liked} liked, {disliked} disliked"
    lines = [f"{int(np.isfinite(rated.ratings).sum())} {among}"]
    if rated.elsewhere:
        lines.append(f"{rated.elsewhere} further ratings are of faces without embedding, or that are gone")
    if broken := ratings.broken():
        lines.append(f"{ratings.path}: {len(broken)} lines are no ratings and left out (first: line {broken[0]})")
    return "\n".join(lines)


def _learn(rated: Rated) -> tuple[Prediction | None, Agreement | None]:
    """Columns, and how far they can be trusted; says why not where ratings are too few."""
    try:
        head = fit(rated.embeddings, rated.ratings)
    except ValueError as error:
        print(f"no taste yet: {error}")
        return None, None
    found = write_taste(rated, head)
    print(f"columns taste, taste_error: {len(found.taste)} faces, mean error {found.error.mean():.2f}")
    try:
        agreed = cross_validate(rated.embeddings, rated.ratings)
    except ValueError:
        print("agreement: not measured, there are too few ratings of both kinds")
        return found, None
    figures = (("AUC", agreed.auc), ("accuracy", agreed.accuracy), ("Spearman", agreed.spearman))
    said = ", ".join(f"{name} {each.value:.2f} ({each.low:.2f} to {each.high:.2f})" for name, each in figures)
    print(f"cross-validated: {said}; probabilities off by {agreed.calibration_error:.2f}")
    return found, agreed


def _write(
    folder: Path, rated: Rated, found: Prediction | None, agreed: Agreement | None, asked: np.ndarray, count: int
) -> None:
    """Sheets, and the figures of agreement."""
    sheets = {"next": asked[:count]}
    if found is not None:
        order = np.argsort(-found.taste, kind="stable")
        sheets |= {"best": order[:count], "worst": order[::-1][:count]}
    for name, faces in sheets.items():
        if len(faces):
            save_png(_sheet(rated, faces, found), folder / f"{name}.png")
    if agreed is not None:
        with atomic_write(folder / "taste.json") as temporary:
            temporary.write_text(json.dumps(_plain(agreed), indent=1) + "\n")
        _plot(agreed, folder / "reliability.png")
    print(f"sheets: {', '.join(str(folder / f'{name}.png') for name in sheets)}")


def _sheet(rated: Rated, faces: np.ndarray, found: Prediction | None) -> np.ndarray:
    rows = table.take(rated.table, rated.rows[faces].tolist(), ["id", "uri", "offset", "size", "codec"])
    places = [str(rated.table.parent / uri) for uri in rows["uri"].to_pylist()]
    reader = ImageReader.of(rows.set_column(1, "uri", pa.array(places)))
    words = [rated.ids[face] if found is None else f"{found.taste[face]:.2f} {rated.ids[face]}" for face in faces]
    return contact_sheet(reader, words, grid_size(None, len(faces))[0])


def _plain(agreed: Agreement) -> dict[str, Any]:
    figures = {name: getattr(agreed, name)._asdict() for name in ("auc", "accuracy", "spearman")}
    groups = {name: np.round(values, 4).tolist() for name, values in agreed.reliability._asdict().items()}
    return {"ratings": agreed.ratings, **figures, "calibration_error": agreed.calibration_error, "reliability": groups}


def _plot(agreed: Agreement, path: Path) -> None:
    from matplotlib.figure import Figure  # half a second

    figure = Figure(figsize=(4, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.7")
    axes.plot(agreed.reliability.predicted, agreed.reliability.rated, "o-")
    axes.set(xlabel="predicted taste", ylabel="mean rating", xlim=(0, 1), ylim=(0, 1), title="ratings not seen")
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png", dpi=100)
