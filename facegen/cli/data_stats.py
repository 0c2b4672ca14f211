"""`facegen data stats`: what is in a recipe, as numbers, pictures and one page; two recipes side by side."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from facegen.cli.recipes import recipe_of, titles
from facegen.cli.stats.tables import glance
from facegen.cli.terms import announce
from facegen.reports.tables import text

CONFIG = "data_stats"
HELP = """\
What is in a recipe: counts, sizes, poses, expression and light, as a page with plots; two side by side.

Writes index.html, one PNG for each plot, and all numbers as stats.json. Poses are drawn over theta and phi, as in the
paper of LPFF, with the density of a training epoch, and over yaw and pitch. Everything is said of the whole recipe and
of each of its sources. `against` puts a second recipe beside it, on the same axes and colours, with the differences.

Sizes of images, expression and light come from the tables that `facegen data index` writes.

Examples:
  facegen data stats data.root=~/photographs
  facegen data stats data.root=[ffhq.zip,~/photographs] out=look
  facegen data stats data=lpff_ffhq against=ffhq_rebalanced datasets.root=/datasets
  facegen data stats data=ffhq_cleaned against=ffhq
  facegen data stats data.root=a.zip against=folder against.root=b.zip"""


def run(cfg: DictConfig) -> None:
    """Write the page, the pictures and the numbers."""
    settings: Any = OmegaConf.to_container(cfg, resolve=True)
    if (name := settings["chosen"].get("against")) is not None and settings.get("against") is None:
        raise ValueError(f"against={name}: expected a recipe; for a folder or zip: against=folder against.root={name}")
    keys = [key for key in ("data", "against") if settings.get(key) is not None]
    recipes = [recipe_of(cfg[key]) for key in keys]
    announce(terms for recipe in recipes for terms in recipe.terms)
    names = titles(recipes, [settings["chosen"][key] for key in keys])
    from facegen.cli.stats import report  # matplotlib takes half a second
    from facegen.cli.stats.kinds import file_name

    folder = Path(str(settings["out"] or f"{'+'.join(map(file_name, names))}-stats")).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    looks = [report.look(recipe, title) for recipe, title in zip(recipes, names, strict=True)]
    pictures = report.write(folder, looks)
    print(text(glance([each.numbers for each in looks])))
    print(f"{pictures} pictures and stats.json beside the page: {folder / 'index.html'}")
