"""`facegen data describe`: captions and sketches for any source."""

from collections import Counter
from typing import Any

from omegaconf import DictConfig, OmegaConf

from facegen.curation.describing.describe import KINDS, Described, describe
from facegen.curation.describing.sketches import Pen

CONFIG = "data_describe"
HELP = """\
Give the faces of a source captions and sketches, as Multi-Modal-CelebA-HQ has them.

Captions: ten different sentences for each face, drawn from a grammar, that say which of CelebA's 40 attributes it has:
"The young woman has wavy brown hair and is wearing earrings." The attributes come from the table (CelebAMask-HQ's list,
which facegen data index reads), from attributes=FILE, or, of synthetic faces, from what they were rendered from.
Sketches: edges, simplified to clean lines. Photographs need nothing else for them.

Writes the columns captions and sketch of faces.lance, and files to ROOT/.described/text and ROOT/.described/sketch.
The same seed gives the same captions. Interrupted? The same command goes on. Repeated, it does nothing.

Examples:
  facegen data describe root=~/photographs captions=false                     sketches of any pictures
  facegen data describe root=~/CelebAMask-HQ attributes=list_attr.txt         both, with a list of attributes
  facegen data describe root=~/synthetic workers=8                            synthetic faces
  facegen train data=folder data.root=~/synthetic data.conditions=[captions,sketch]
  facegen train data=synthetic data.conditions=[captions,sketch]              makes them on first use"""


def run(cfg: DictConfig) -> None:
    """Describe a source and say what it has now."""
    settings: Any = OmegaConf.to_container(cfg, resolve=True)
    wanted = [name for name, key in (("captions", "captions"), ("sketch", "sketches")) if settings[key]]
    if not wanted:
        raise ValueError("captions=false and sketches=false leave nothing to do; set one of them to true")
    names = ("seed", "attributes", "engine", "workers", "layout")
    pen = _pen(settings["pen"] or {})
    print(summary(describe(settings["root"], wanted, pen=pen, **{name: settings[name] for name in names})))


def _pen(settings: dict[str, Any]) -> Pen:
    for name, value in settings.items():
        if name not in Pen._fields or isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"pen.{name}: got {value!r}, expected numbers for some of: {', '.join(Pen._fields)}")
    return Pen(**{name: float(value) for name, value in settings.items()})


def summary(made: Described) -> str:
    """How many faces have what, where it lies, and why others have not."""
    lines = [
        f"{name}: {made.described[name]} of {made.faces} faces, {now} made now, in {made.folder / KINDS[name]}"
        for name, now in made.computed.items()
    ]
    if made.problems:
        counts = Counter(reason for _, reason in made.problems).most_common(3)
        reasons = "; ".join(f"{reason} ({count})" for reason, count in counts)
        lines.append(f"{len(made.problems)} without, the first {made.problems[0][0]}: {reasons}")
    lines.append(f"Train on them: data.conditions=[{','.join(made.computed)}]")
    return "\n".join(lines)
