"""The columns `parsing` (a mask for each face), `hairline_inner`, `hairline_outer` and `landmarks_extended`.

Masks lie in `.described/parsing/MODEL/ID.png`: 8-bit ids in CelebAMask-HQ's order, as large as the picture. The PNG's
text `parts` names the parts in their order, `parser` the network.
"""

import hashlib
import os
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from facegen.checkpoint import atomic_write
from facegen.curation.columns import Group, Making
from facegen.curation.faces import vector
from facegen.curation.parsing.hairlines import NUM_POINTS, find_hairlines
from facegen.curation.parsing.parsers import ParserModel, loaded_parser
from facegen.curation.parsing.pictures import parse_pictures
from facegen.curation.photographs import PLACE, read_photograph
from facegen.curation.stages import Row, Stage
from facegen.data import table
from facegen.data.masks import CELEBAMASK, Mask
from facegen.data.part_orders import part_names

VERSION = 1  # of masks and of hairlines
COLUMN = "parsing"
LANDMARKS = ("landmarks68", "landmarks")  # columns of 68 pairs in pixels of the picture; the first that there is
_CHUNK = 16


def parsing_group(model: ParserModel) -> Group:
    """A mask of CelebAMask-HQ's parts for each face."""
    return Group(COLUMN, partial(_parsing_stage, model), partial(_file, model.name), terms=model.terms)


def hairline_group(masks: str = COLUMN) -> Group:
    """Hairlines from a column of masks (`parsing`, `mask`, `segmentation`, `parts`) and the 68 landmarks."""
    return Group("hairlines", partial(_hairline_stage, masks))


def write_mask(path: Path, mask: Mask, parser: str) -> None:
    """Write ids in CelebAMask-HQ's order, with their names in the file."""
    said = PngInfo()
    said.add_text("parts", ",".join(CELEBAMASK))
    said.add_text("parser", parser)
    with atomic_write(path) as temporary:
        Image.fromarray(mask).save(temporary, "PNG", pnginfo=said)


def _file(name: str, making: Making, face: str) -> Path:
    """In a folder for each parser, so that no mask of one is taken for that of another."""
    return making.folder / COLUMN / hashlib.sha256(name.encode()).hexdigest()[:8] / f"{face}.png"


def _parsing_stage(model: ParserModel, making: Making) -> Stage:
    loaded_parser(model, making.device)  # a bad file is refused here, and not face by face
    schema = pa.schema([(COLUMN, pa.string())])
    settings, context = {"model": model.name}, {"parser": model, "making": making}
    return Stage(COLUMN, VERSION, _parse, ("id", *PLACE), schema, settings, context, _CHUNK, together=True)


def _parse(rows: list[Row], model: str, parser: ParserModel, making: Making) -> list[Row]:
    pictures = [read_photograph(row, str(making.base)).pixels for row in rows]
    masks = parse_pictures(loaded_parser(parser, making.device), pictures, making.device)
    paths = [_file(model, making, row["id"]) for row in rows]
    for path, mask in zip(paths, masks, strict=True):
        write_mask(path, mask, model)
    return [{COLUMN: os.path.relpath(path, making.base)} for path in paths]


def _hairline_stage(masks: str, making: Making) -> Stage:
    known = table.schema(making.table).names
    points = next((name for name in LANDMARKS if name in known), LANDMARKS[0])
    sizes = {"hairline_inner": 2 * NUM_POINTS, "hairline_outer": 2 * NUM_POINTS}
    sizes["landmarks_extended"] = 2 * (68 + 2 * NUM_POINTS)
    schema = pa.schema([(name, vector(size)) for name, size in sizes.items()])
    settings, context = {"masks": masks, "points": points}, {"base": str(making.base)}
    reads = ("id", *PLACE, "width", "height", masks, points)
    return Stage("hairlines", VERSION, _hairlines, reads, schema, settings, context, 64)


def _hairlines(row: Row, masks: str, points: str, base: str) -> Row:
    if row[masks] is None or row[points] is None:
        raise ValueError(f"it has no {masks if row[masks] is None else points}")
    mask, landmarks = _read_mask(Path(base) / row[masks]), np.reshape(row[points], (68, 2)).astype(np.float64)
    # Masks that came with a dataset may be smaller than its pictures; ours are as large, and upright.
    scale = 1.0 if masks == COLUMN else np.array(mask.shape[::-1]) / (row["width"], row["height"])
    found = find_hairlines(mask, landmarks * scale, part_names(masks))
    inner, outer = found.inner / scale, found.outer / scale
    extended = np.concatenate([landmarks, inner, outer])
    lines = {"hairline_inner": inner, "hairline_outer": outer, "landmarks_extended": extended}
    return {name: line.ravel().tolist() for name, line in lines.items()}


def _read_mask(path: Path) -> Mask:
    try:
        with Image.open(path) as picture:
            return np.asarray(picture)
    except (OSError, SyntaxError) as error:
        raise ValueError(f"its mask {path.name} cannot be read") from error
