"""`facegen data curate`: from raw photographs to an indexed dataset."""

from dataclasses import fields
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from facegen.curation.cleaning import Limits
from facegen.curation.fitting.fitters import fitting_of
from facegen.curation.models import named_models
from facegen.curation.pipeline import STAGES, Curated, Settings, curate
from facegen.curation.publish import reason_table

CONFIG = "data_curate"
HELP = """\
Make an indexed dataset of raw photographs: LPFF's pipeline as one command.

Stages: detect faces, 68 landmarks, camera, quality, clean (what is good enough), crops (eg3d of 512 and stylegan of
1024 pixels), duplicates, debug pictures, index. OUT is laid out as LPFF is published: crop/eg3d, crop/stylegan,
camera_parameters.json, info.json, raw_lm.json, realign2400_lm.json. Beside them: faces.lance (every face found, also
rejected ones, with a column for everything measured), photos.lance, rejected.csv, debug/ID.jpg, contact_sheet.png.
Look at debug/: LPFF's authors took wrong faces out by hand; list theirs in a file for exclude=FILE.

Interrupted? The same command goes on. Repeated, it does nothing; other settings redo only what they change.
The photographs are not touched. Cameras come from a morphable model fitted to the landmarks (camera_method says so).

Examples:
  facegen data curate root=~/photographs out=~/mine
  facegen data curate root=~/photographs out=~/mine min_size=400 exclude=bad.txt
  facegen data curate root=~/photographs out=~/mine detector=mediapipe weights=face_landmarker.task     turned heads
  facegen data curate root=~/photographs out=~/large max_density=0.4 density_of=~/ffhq_eg3d           LPFF's rule
  facegen data curate root=~/photographs out=~/mine engine=ray workers=16
  facegen train data=folder data.root=~/mine/crop/eg3d"""


def run(cfg: DictConfig) -> None:
    """Curate a folder of photographs and say what became of them."""
    cfg_values: Any = OmegaConf.to_container(cfg, resolve=True)
    limits = Limits(**{field.name: cfg_values[field.name] for field in fields(Limits)})
    settings = Settings(limits, cfg_values["stylegan_size"], cfg_values["realign_size"])
    models = named_models(cfg_values["detector"], cfg_values["weights"])
    fitting = fitting_of(str(cfg_values["morphable"]), photometric=False)
    stages = STAGES if cfg_values["stages"] is None else cfg_values["stages"]
    out = Path(str(cfg_values["out"])).expanduser()
    if not out.exists():
        print(models.terms)
    curated = curate(
        cfg_values["root"], out, models, fitting, settings, cfg_values["engine"], cfg_values["workers"], stages
    )
    print(summary(curated, out))


def summary(curated: Curated, out: Path) -> str:
    """What was done, how many were kept, and why others were not."""
    kept = curated.faces["rejected"].null_count
    done = [f"{stage} {count}" for stage, count in curated.computed.items() if count]
    lines = [f"computed: {', '.join(done)}" if done else "nothing to compute: everything was known"]
    if not curated.changed and not done:
        lines = ["nothing to do: photographs and settings are those of the last run"]
    photos, faces = len(curated.photos), len(curated.faces)
    lines.append(f"{out}: {photos} photographs, {faces} faces found, {kept} kept, {faces - kept} rejected")
    if curated.rejections:
        lines += [f"Left out ({out / 'rejected.csv'}):", reason_table(curated.rejections)]
    return "\n".join(lines)
