"""`facegen explore`: a page in the browser to look at datasets, generators and studies."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from facegen.cli.recipes import recipe_of, titles
from facegen.cli.terms import announce

CONFIG = "explore"
POSITIONAL = "open"
HELP = """\
Look at datasets, generators and studies in the browser: a page that this machine serves to itself.

Data: drag over the plot of poses to filter, search by words, columns or an example, near-duplicates, overlays of
landmarks, parts and cameras, rate faces for `facegen data taste`, save what is shown as a recipe to train on.
Generator: seeds, truncation, turn the head by dragging, interpolate, mix styles, prompts and conditions of diffusion
models, inputs of ControlNets drawn or uploaded, meshes. Studies: runs side by side, curves, FID3D matrices, maps.

`open` names folders or zips of images, runs, exports, studies, or folders of runs; `data=` a recipe as in train.
Nothing outside of them can be read from the page. Only this machine can connect, unless host= says otherwise; then the
address that is printed has a token, which everybody who is to see it needs.

Examples:
  facegen explore ~/faces
  facegen explore runs
  facegen explore open=[~/faces,runs,experiments/quickstart]
  facegen explore data=lpff_ffhq datasets.root=/datasets
  facegen explore ~/faces clip=~/models/clip-vit-large-patch14 outdir=~/recipes
  facegen explore ~/faces host=0.0.0.0 port=8500        from other machines, with the token that is printed"""


def run(cfg: DictConfig) -> None:
    """Open what was named and serve it until Ctrl+C."""
    settings: Any = OmegaConf.to_container(cfg, resolve=True)
    paths = settings["open"] or []
    paths = [paths] if isinstance(paths, str) else paths
    recipes = {}
    if cfg.get("data") is not None:
        recipe = recipe_of(cfg["data"])
        announce(recipe.terms)
        recipes = dict(zip(titles([recipe], [settings["chosen"]["data"]]), [recipe], strict=True))
    if not paths and not recipes:
        raise ValueError("nothing to look at: add a folder (facegen explore ~/faces) or data=NAME; --help has examples")
    from facegen.curation.searching import Space
    from facegen.explore.access import access_for
    from facegen.explore.opened import opened
    from facegen.explore.server import serve  # the web server's packages take a second

    access = access_for(settings["host"], settings["token"])
    space = Space(weights=_path(settings["weights"]), clip=_path(settings["clip"]))
    faces = opened(paths, recipes, space, settings["outdir"])
    serve(faces, access, settings["host"], settings["port"], settings["browser"])


def _path(value: Any) -> Path | None:
    return None if value is None else Path(str(value)).expanduser().absolute()
