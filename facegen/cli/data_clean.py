"""`facegen data clean`: which faces of a dataset resist fitting."""

from dataclasses import fields
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from facegen.cli import fitting, terms
from facegen.curation import publish
from facegen.curation.fitting import clean, sources
from facegen.curation.fitting.files import Outputs
from facegen.data import Recipe

CONFIG = "data_clean"
HELP = """\
Find the faces of a dataset that resist 3D fitting, and write the list of them that recipes leave out.

This is how the cleaned FFHQ and CelebA-HQ were made: fit a morphable model to every face, look at the fits, exclude
where they fail (extreme poses, things before the face, blur, several people). Here a score ranks the fits, and the
worst are left out. OUT is the list, one id a line; the folder beside it (exclude/ for exclude.txt) has rejected.csv
with the reasons, scores.csv, worst.png, and overlays/ID.jpg for every face. The dataset is only read.

Look at worst.png: take out of the list who should stay, add who should not. Interrupted? The same command goes on;
repeated with other limits, it fits nothing again.

Examples:
  facegen data clean root=~/ffhq out=exclude.txt
  facegen data clean root=~/ffhq out=exclude.txt worst=0.05 sheet=64            stricter
  facegen data clean root=faces.zip photometric=false workers=2                from landmarks only: quick
  facegen train data=folder data.root={root: ~/ffhq, exclude: exclude.txt}     train without them"""


def run(cfg: DictConfig) -> None:
    """Fit all faces of a source, judge, write the list and what it comes from."""
    settings: Any = OmegaConf.to_container(cfg, resolve=True)
    limits = clean.CleanLimits(**{field.name: settings[field.name] for field in fields(clean.CleanLimits)})
    target = Path(str(settings["out"])).expanduser().absolute()
    if target.suffix != ".txt" or target.is_dir():
        raise ValueError(f"out: got {settings['out']}, expected a text file such as exclude.txt")
    recipe = Recipe([{"root": settings["root"], "layout": settings["layout"]}], resolution=1, columns=("landmarks",))
    terms.announce(recipe.terms)
    pictures, folder = sources.faces_of(recipe, settings["landmarks"]), target.with_suffix("")
    found = fitting.fit(settings, pictures, folder, Outputs(files=False))
    why = clean.reasons(found, limits)
    ids = recipe.rows["id"].to_pylist()
    rejected = [(face, "", reason) for face, reason in zip(ids, why, strict=True) if reason]
    left = [face for face, _, _ in rejected]
    clean.write_exclusions(target, left, f"{len(left)} of {len(ids)} faces of {recipe.sources[0].root} resist fitting")
    clean.write_scores(folder / "scores.csv", found, why)
    publish.write_rejections(folder, rejected)
    worst = clean.worst(found, why, settings["sheet"])
    clean.write_worst(worst, folder)
    lines = [*fitting.figures(found, folder), f"{target}: {len(left)} of {len(ids)} faces to leave out"]
    lines.append(f"Look at {folder / clean.WORST}, then: exclude: {target}")
    print("\n".join(lines))
    print(fitting.why_left(rejected, folder))
