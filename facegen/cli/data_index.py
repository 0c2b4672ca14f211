"""`facegen data index`: write the table of a source."""

from typing import Any

from omegaconf import DictConfig, OmegaConf

from facegen.cli import terms
from facegen.data.index import Indexed, build_index
from facegen.data.problems import summarise
from facegen.data.stamps import INDEX_COLUMNS, LABEL_COLUMNS

CONFIG = "data_index"
HELP = """\
Write the table of a source, faces.lance: one row per face, which curation stages add columns to.

Reads the header of every image, the labels, and everything else that a published dataset ships: coefficients,
landmarks, masks, captions, licences. The images stay where they are. Says which files are missing or unexpected.
An indexed source starts training without looking at its files again; run it again after files have changed, it reads
only those.

Examples:
  facegen data index root=~/photographs               writes ~/photographs/faces.lance
  facegen data index root=ffhq.zip                    writes ffhq.zip.lance beside the zip
  facegen data index root=~/LPFF layout=lpff_eg3d     one crop of LPFF, with cameras, authors, landmarks
  facegen data index root=[ffhq,sfhq/part1]           several sources, a table each"""


def run(cfg: DictConfig) -> None:
    """Index one or several sources."""
    settings: Any = OmegaConf.to_container(cfg, resolve=True)
    roots = settings["root"] if isinstance(settings["root"], list) else [settings["root"]]
    if not roots:
        raise ValueError("root=[]: expected a folder, a zip, or a list of them")
    for root in roots:
        indexed = build_index(root, settings["layout"])
        terms.announce([indexed.source.layout.terms])
        layout = f" layout={settings['layout']}" if settings["layout"] else ""
        print(summary(indexed, f"root={root}{layout}"))


def summary(indexed: Indexed, typed: str) -> str:
    """What was written, in one or two lines, and a third where there are problems; `typed` names the source."""
    rows = indexed.rows
    labels = next((name for name in LABEL_COLUMNS if name in rows.column_names), None)
    labelled = f", {len(rows) - rows[labels].null_count} {labels} labels" if labels else ""
    done = (
        "nothing had changed" if indexed.version is None else f"version {indexed.version}, {indexed.read} headers read"
    )
    published = indexed.source.layout.published
    of = f" of {published} published" if published else ""
    lines = [f"{indexed.path}: {indexed.source.kind}, {len(rows)} images{of}{labelled}; {done}"]
    if extra := [name for name in rows.column_names if name not in (*INDEX_COLUMNS, labels)]:
        lines.append(f"  with {', '.join(extra)}")
    if indexed.problems:
        lines.append(f"  {summarise(indexed.problems)}. See all: facegen data validate {typed}")
    return "\n".join(lines)
