"""`facegen fit`: a morphable model fitted to the faces of pictures."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from facegen.cli import fitting, terms
from facegen.cli.recipes import recipe_of
from facegen.curation import publish
from facegen.curation.fitting import reports, sources
from facegen.curation.fitting.files import COEFFICIENTS, MESHES, RENDERED, Outputs
from facegen.curation.fitting.run import Fitted, Pictures
from facegen.data import Recipe

CONFIG = "fit"
POSITIONAL = "images"
HELP = """\
Fit a 3D morphable model to faces: shape, expression, albedo, light, camera, each with how far to trust it.

Finds the largest face of each picture and its 68 landmarks, cuts out what Deep3DFaceRecon sees (224 pixels), and fits.
Pictures may be photographs or faces cut out as FFHQ or EG3D are. OUTDIR gets coeff/NAME.mat (Deep3DFaceRecon's layout),
rendered/NAME.png (256 pixels), meshes/ with mesh=, overlays/NAME.jpg (photograph and landmarks, render over it, shape
alone), overlay.png (a sheet of these), fits.jsonl (camera, pose in degrees with 90 % intervals, fit_score: the
higher, the likelier the fit failed), dataset.json (EG3D's labels, for the EG3D crops of these faces), rejected.csv.

Interrupted? The same command goes on. Repeated, it does nothing; other settings or changed pictures are fitted anew.

Examples:
  facegen fit photo.jpg                                             one picture, into fits/
  facegen fit images=~/photographs outdir=~/fits mesh=glb uv=photo  textured heads
  facegen fit images=faces.zip photometric=false workers=2          cameras and shapes from landmarks: quick
  facegen fit images=faces/ morphable=BFM_model_front.mat               coefficients that Deep3DFaceRecon's tools read
  facegen fit data=ffhq_cleaned index=true                          a dataset; columns fit_* in its table
  facegen fit images=faces/ detector=mediapipe weights=face_landmarker.task            turned heads"""


def run(cfg: DictConfig) -> None:
    """Fit, write, and say what became of the pictures."""
    settings: Any = OmegaConf.to_container(cfg, resolve=True)
    outputs = Outputs(mesh=settings["mesh"], uv=settings["uv"])
    out = Path(str(settings["outdir"])).expanduser().absolute()
    pictures, recipe = _pictures(settings)
    tables = sources.tables_of(recipe, pictures.rows) if recipe is not None and settings["index"] else []
    found = fitting.fit(settings, pictures, out, outputs)
    left = reports.rejections(found)
    publish.write_rejections(out, left)
    if not len(found.fitted):
        raise ValueError(f"none of {len(found.faces)} pictures could be fitted; first: {left[0][0]}: {left[0][2]}")
    reports.write_fits(found, out)
    chosen = reports.evenly(len(found.fitted), settings["sheet"])
    reports.write_overlay(found.fitted, chosen, out, out / reports.SHEET)
    for table in tables:
        print(f"{table.path}: version {reports.write_columns(table, found.fitted)} with columns {reports.PREFIX}*")
    print(summary(found, out, outputs))
    print(fitting.why_left(left, out))


def _pictures(settings: dict[str, Any]) -> tuple[Pictures, Recipe | None]:
    """What to fit, and the recipe it comes from."""
    chosen = settings["chosen"].get("data")
    if chosen is not None and settings.get("data") is None:
        raise ValueError(f"data={chosen}: expected a recipe; for a folder or zip: images={chosen}")
    if (settings["images"] is None) == (settings.get("data") is None):
        raise ValueError("expected images=PICTURE, folder or zip, or data=RECIPE, and not both; see facegen fit --help")
    if settings["images"] is not None:
        if settings["index"]:
            raise ValueError("index=true needs a table: facegen data index root=DIR, then data=folder data.root=DIR")
        return sources.pictures_of(str(settings["images"])), None
    recipe = sources.with_landmarks(recipe_of(settings["data"]))
    terms.announce(recipe.terms)
    return sources.faces_of(recipe, settings["landmarks"]), recipe


def summary(found: Fitted, out: Path, outputs: Outputs) -> str:
    """What was done and how well, in a few lines."""
    folders = [COEFFICIENTS, RENDERED, *([MESHES] if outputs.mesh else [])]
    files = ", ".join([*(f"{folder}/" for folder in folders), reports.FITS, reports.SHEET])
    return "\n".join([*fitting.figures(found, out), f"Look at {out / reports.SHEET}. Beside it: {files}."])
