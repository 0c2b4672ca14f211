"""Captions and sketches as columns of any source, with files beside it in Multi-Modal-CelebA-HQ's form.

`.described/text/ID.txt` has a caption in each line, `.described/sketch/ID.png` is a picture of the face's size.
"""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa

from facegen.curation.columns import Added, Group, Making, add_columns
from facegen.curation.describing.attributes import COLUMN, attributes_of, named
from facegen.curation.describing.captions import VERSION as CAPTION_VERSION
from facegen.curation.describing.captions import captions
from facegen.curation.describing.sketches import PEN, Pen, simplified_sketch
from facegen.curation.describing.sketches import VERSION as SKETCH_VERSION
from facegen.curation.engine import EngineName
from facegen.curation.photographs import PLACE, read_photograph
from facegen.curation.stages import REASON, Row, Stage
from facegen.data import table
from facegen.data.celeba import ATTRIBUTES

KINDS = ("captions", "sketch")
_TEXT, _SKETCH = "text", "sketch"  # folders of the files


def describe(
    root: str | Path,
    columns: Sequence[str] = KINDS,
    seed: int = 0,
    attributes: str | Path | None = None,
    pen: Pen = PEN,
    engine: EngineName = "pool",
    workers: int = 2,
    layout: str | None = None,
) -> Added:
    """Give the faces of a source captions, sketches or both: `caption_group` and `sketch_group` by `add_columns`.

    Raises ValueError for other columns, a source without attributes, and columns that came with the dataset.
    """
    if unknown := [name for name in columns if name not in KINDS]:
        raise ValueError(f"describe: got {unknown[0]!r}, expected some of: {', '.join(KINDS)}")
    groups = {"captions": caption_group(seed, attributes), "sketch": sketch_group(pen)}
    return add_columns(root, [groups[name] for name in columns], engine, workers, layout)


def caption_group(seed: int = 0, attributes: str | Path | None = None) -> Group:
    """Captions drawn from what `attributes_of` says of a face and `seed`, the same in any order and number of
    processes; the attributes are kept as well."""
    listed = None if attributes is None else Path(attributes).expanduser()

    def known(making: Making) -> pa.Table:
        values = attributes_of(making.source, listed)
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), len(ATTRIBUTES))
        return table.read(making.table, ["id"]).replace_schema_metadata(None).append_column(COLUMN, vectors)

    return Group("captions", partial(_caption_stage, seed), partial(_file, _TEXT, ".txt"), known)


def sketch_group(pen: Pen = PEN) -> Group:
    """A line drawing of each face."""
    return Group("sketch", partial(_sketch_stage, pen), partial(_file, _SKETCH, ".png"))


def _file(kind: str, suffix: str, making: Making, face: str) -> Path:
    return making.folder / kind / f"{face}{suffix}"


def _caption_stage(seed: int, making: Making) -> Stage:
    schema = pa.schema([("captions", pa.list_(pa.string()))])
    context = {"making": making}
    return Stage("captions", CAPTION_VERSION, _captions, ("id", COLUMN), schema, {"seed": seed}, context, 64)


def _captions(row: Row, seed: int, making: Making) -> Row:
    known = named(np.array(row[COLUMN], np.int8))
    if not known:
        return {REASON: "no attributes are known of it"}
    texts = captions(known, row["id"], seed)
    path = _file(_TEXT, ".txt", making, row["id"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")  # whole before the chunk is: its part marks it as done
    return {"captions": texts}


def _sketch_stage(pen: Pen, making: Making) -> Stage:
    schema = pa.schema([("sketch", pa.string())])
    return Stage("sketch", SKETCH_VERSION, _sketch, ("id", *PLACE), schema, pen._asdict(), {"making": making}, 16)


def _sketch(row: Row, making: Making, **pen: Any) -> Row:
    cv2.setNumThreads(1)  # the processes share the work
    drawn = simplified_sketch(read_photograph(row, str(making.base)).pixels, Pen(**pen))
    path = _file(_SKETCH, ".png", making, row["id"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", drawn)[1].tobytes())
    return {"sketch": os.path.relpath(path, making.base)}
