"""`facegen data describe`: further columns for any source."""

import sys
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from facegen.curation.columns import Added, Group, Whole, add_columns
from facegen.curation.describing.describe import caption_group, sketch_group
from facegen.curation.describing.sketches import Pen
from facegen.curation.duplicates import duplicates_whole
from facegen.curation.embedding import embedding_group
from facegen.curation.models import named_models
from facegen.curation.parsing.parsers import named_parser
from facegen.curation.parsing.stage import hairline_group, parsing_group
from facegen.curation.quality.flags import flags_group, named_limits
from facegen.curation.quality.landmarks import landmarks_group
from facegen.curation.quality.stages import occlusion_group, quality_group
from facegen.data.conditions import PARTS, PICTURES, TEXTS

CONFIG = "data_describe"
HELP = """\
Give the faces of a source further columns: what people filter, search and train by.

  captions     ten sentences for each face, from its attributes, as Multi-Modal-CelebA-HQ has them
  sketch       a line drawing of each face
  landmarks    the 68 landmarks where the dataset has none: detector=, detector_weights=
  parsing      a mask of its 19 parts, in CelebAMask-HQ's order of ids
  hairlines    where face and hair meet and where hair ends, from the mask; with the 68 landmarks: the extended set
  quality      quality (0 to 1), blur and detail in pixels, colour, brightness, contrast
  occlusion    how many faces are seen, how much of the face something hides or the picture cuts off
  flags        reasons to leave a face out, such as several_people and blurred: flags.NAME=LIMIT changes one
  embedding    a feature vector of length 1, for likeness, near-duplicates and taste: embedder=, weights=
  duplicates   groups of nearly the same picture (cosine above threshold=), and which one to keep

Columns go into faces.lance, files of columns to ROOT/.described/COLUMN. What a column needs is added with it.
Interrupted? The same command goes on. Repeated, it does nothing; other settings redo only what they change.

Examples:
  facegen data describe root=~/photographs columns=[sketch]                          sketches of any pictures
  facegen data describe root=~/CelebAMask-HQ columns=[captions] attributes=list_attr.txt
  facegen data describe root=~/synthetic columns=[captions,sketch] workers=8         synthetic faces
  facegen data describe root=~/photographs columns=[parsing,flags] flags.blurred=1.5
  facegen train data=folder data.root=~/synthetic data.conditions=[captions,sketch]
  facegen train data=synthetic data.conditions=[captions,sketch]                     makes them on first use"""

Settings = Mapping[str, Any]
# In an order in which each finds what it reads, also what it can do without: flags see hats where there is parsing.
_GROUPS: dict[str, Callable[[Settings], Group | Whole]] = {
    "captions": lambda settings: caption_group(settings["seed"], settings["attributes"]),
    "sketch": lambda settings: sketch_group(_pen(settings["pen"] or {})),
    "landmarks": lambda settings: landmarks_group(named_models(settings["detector"], settings["detector_weights"])),
    "parsing": lambda settings: parsing_group(named_parser(settings["parser"])),
    "hairlines": lambda settings: hairline_group(),
    "quality": lambda settings: quality_group(),
    "occlusion": lambda settings: occlusion_group(),
    "flags": lambda settings: flags_group(named_limits(settings["flags"] or {})),
    "embedding": lambda settings: embedding_group(settings["embedder"], settings["weights"]),
    "duplicates": lambda settings: duplicates_whole(settings["threshold"]),
}
# The groups whose columns others read.
_NEEDS: dict[str, tuple[str, ...]] = {
    "hairlines": ("landmarks", "parsing"),
    "quality": ("landmarks",),
    "occlusion": ("landmarks",),
    "flags": ("landmarks", "quality", "occlusion"),
    "duplicates": ("embedding",),
}


def run(cfg: DictConfig) -> None:
    """Add columns to a source and say what it has now."""
    settings: Any = OmegaConf.to_container(cfg, resolve=True)
    groups = [_GROUPS[name](settings) for name in needed(settings["columns"])]
    for terms in dict.fromkeys(group.terms for group in groups if isinstance(group, Group) and group.terms):
        print(terms, file=sys.stderr)
    places = {name: settings[name] for name in ("engine", "workers", "layout", "device")}
    print(summary(add_columns(settings["root"], groups, **places)))


def needed(asked: Any) -> list[str]:
    """The groups that were asked for and those that they need, in their order."""
    wanted = asked if isinstance(asked, list) else [asked]
    if not wanted or any(name not in _GROUPS for name in wanted):
        unknown = next((name for name in wanted if name not in _GROUPS), asked)
        raise ValueError(f"columns: got {unknown!r}, expected some of: {', '.join(_GROUPS)}")
    every = {*wanted, *(other for name in wanted for other in _NEEDS.get(name, ()))}
    return [name for name in _GROUPS if name in every]


def _pen(settings: dict[str, Any]) -> Pen:
    for name, value in settings.items():
        if name not in Pen._fields or isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"pen.{name}: got {value!r}, expected numbers for some of: {', '.join(Pen._fields)}")
    return Pen(**{name: float(value) for name, value in settings.items()})


def summary(added: Added) -> str:
    """How many faces have what, where files lie, and why others have not."""
    lines = []
    for name, made in added.made.items():
        lines.append(f"{name}: {made} of {added.faces} faces, {added.computed[name]} made now")
        if problems := added.problems[name]:
            counts = Counter(reason for _, reason in problems).most_common(3)
            reasons = "; ".join(f"{reason} ({count})" for reason, count in counts)
            lines.append(f"  {len(problems)} without, the first {problems[0][0]}: {reasons}")
    if added.folder.exists():
        lines.append(f"Files: {added.folder}")
    if trained := [name for name in added.made if name in (*PARTS, *PICTURES, *TEXTS)]:
        lines.append(f"Train on them: data.conditions=[{','.join(trained)}]")
    return "\n".join(lines)
