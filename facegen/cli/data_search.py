"""`facegen data search`: faces by text, by example, by any column."""

import csv
import io
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import UInt8
from omegaconf import DictConfig, OmegaConf

from facegen.checkpoint import atomic_write
from facegen.checkpoint.files import check_file
from facegen.cli.pictures import grid_size
from facegen.cli.recipes import recipe_of
from facegen.cli.terms import announce
from facegen.curation.searching import Found, Query, Space, search_faces
from facegen.curation.searching.recipes import GROUP, write_recipe
from facegen.curation.searching.sheet import contact_sheet
from facegen.data import Recipe
from facegen.data.images import decode
from facegen.data.pictures import save_png
from facegen.data.reader import ImageReader

CONFIG = "data_search"
HELP = """\
Find faces by a text, by an example, or by any column of their tables, and make a recipe of them.

A condition (where) is SQL on the columns of faces.lance: poses, quality, what the dataset ships; CelebA's attributes
(Smiling, Eyeglasses) and flags (occluded, several_people) are called by name. An example is a picture or one of the
faces; it is compared in the embeddings that facegen data describe columns=[embedding] makes. A text needs embeddings of
a CLIP and the folder of that CLIP; nothing is downloaded. All of it goes together: the condition chooses, likeness or
rank puts in order, and rank beside likeness sorts the COUNT most similar.

With out=FOLDER: found.csv, sheet.png, and data/NAME.yaml, a recipe that training takes at once.

Examples:
  facegen data search root=~/faces where="yaw_degrees > 40 and quality > 0.8" rank=quality out=profiles
  facegen data search root=~/faces id=00012 count=20                      faces like this one
  facegen data search root=[~/ffhq,~/sfhq.zip] image=me.png where="not occluded"
  facegen data search root=~/faces text="an old man who laughs" clip=~/clip-vit-base-patch32
  facegen data search data=lpff_ffhq where="Smiling" datasets.root=/datasets
  facegen train --config-dir profiles data=found                          what the first one found"""
_SHOWN = 20  # lines on the screen; found.csv has all
_MOST_ON_SHEET = 400  # pictures
_NAME = re.compile(r"[A-Za-z0-9][\w-]{0,63}")


def run(cfg: DictConfig) -> None:
    """Search, show, and write what was found."""
    settings: Any = OmegaConf.to_container(cfg, resolve=True)
    query = _query(settings)
    recipe = _recipe(cfg, settings["root"])
    announce(recipe.terms)
    space = Space(str(settings["column"]), _path(settings["weights"]), _path(settings["clip"]))
    found = search_faces(recipe, query, space)
    if not found.ids:
        raise ValueError(f"none of {recipe.num_faces} faces fulfils all of that ({found.matching} fulfil where)")
    print("\n".join(_lines(found)))
    fulfil = "" if query.where is None else f" {found.matching} fulfil the condition."
    print(f"{len(found.ids)} of {recipe.num_faces} faces.{fulfil}")
    if settings["out"] is not None:
        _write(Path(str(settings["out"])).expanduser(), str(settings["name"]), recipe, found)


def _query(settings: dict[str, Any]) -> Query:
    words = {name: None if settings[name] is None else str(settings[name]) for name in ("where", "text", "id", "rank")}
    if settings["image"] is None and not any(words.values()):
        raise ValueError("nothing to look for; give one of: where, text, image, id, rank (--help shows examples)")
    image = None if settings["image"] is None else _pixels(Path(str(settings["image"])).expanduser())
    return Query(words["where"], words["text"], image, words["id"], words["rank"], settings["count"])


def _pixels(path: Path) -> UInt8[np.ndarray, "height width 3"]:
    """A picture of any kind. Raises ValueError where the file is missing or none."""
    try:
        check_file(path)
        return decode(path.read_bytes(), convert=True)
    except (OSError, ValueError) as error:
        reason = "it does not exist" if isinstance(error, FileNotFoundError) else error
        raise ValueError(f"image: {path} cannot be read ({reason}); expected a picture") from error


def _recipe(cfg: DictConfig, root: Any) -> Recipe:
    if (root is None) == (cfg.get("data") is None):
        got = "neither root nor data" if root is None else "both root and data"
        raise ValueError(f"got {got}; expected root=FOLDER_OR_ZIP, or a recipe such as data=ffhq_cleaned")
    return recipe_of(cfg["data"]) if root is None else Recipe(root, resolution=1)


def _path(value: Any) -> Path | None:
    return None if value is None else Path(str(value)).expanduser()


def _lines(found: Found) -> list[str]:
    """The first faces for the screen: score, id, why."""
    width = max(map(len, found.ids[:_SHOWN]))
    shown = zip(found.scores.tolist(), found.ids[:_SHOWN], found.why, strict=False)
    lines = [f"{'' if math.isnan(score) else f'{score:.4g}':>9}  {face:<{width}}  {why}" for score, face, why in shown]
    rest = len(found.ids) - _SHOWN
    return [line.rstrip() for line in lines] + [f"{'':>9}  and {rest} more"] * (rest > 0)


def _write(folder: Path, name: str, recipe: Recipe, found: Found) -> None:
    """The three files, and what to do with them."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"name: got {name!r}, expected letters, digits, - and _ such as profiles")
    command = write_recipe(recipe, found.rows, folder / GROUP / f"{name}.yaml")
    reader = ImageReader.of(recipe.rows.take(pa.array(found.rows)))
    columns, _ = grid_size(None, min(len(found.ids), _MOST_ON_SHEET))
    cut = reader.part(0, _MOST_ON_SHEET)
    words = [why.partition(",")[0] for why in found.why[:_MOST_ON_SHEET]]
    save_png(contact_sheet(cut, words, columns), folder / "sheet.png")
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(["id", "score", "why", "file"])
    for row, values in enumerate(zip(found.ids, found.scores.tolist(), found.why, strict=True)):
        writer.writerow([*values, reader.where(row)])
    with atomic_write(folder / "found.csv") as temporary:
        temporary.write_text(lines.getvalue(), encoding="utf-8")
    print(f"{folder}: found.csv, sheet.png, {GROUP}/{name}.yaml. Train on them:\n  {command}")
