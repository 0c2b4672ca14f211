"""The end of curation: files laid out as LPFF publishes them, their tables, and what a person is told."""

import csv
import io
import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from facegen.checkpoint import atomic_write
from facegen.curation.crops import CROPS, KINDS, SET_ASIDE, crop_path
from facegen.curation.debug import PANEL, debug_path
from facegen.data import table
from facegen.data.index import Indexed, build_index

CAMERAS, INFO, RAW, REALIGNED = "camera_parameters.json", "info.json", "raw_lm.json", "realign2400_lm.json"
# Columns that the tables of the crops get beyond what the published files tell; landmarks are those of the EG3D crop.
_COMMON = (
    "camera_method",
    "score",
    "crop_side",
    "padding",
    "reprojection_error",
    "sharpness",
    "brightness",
    "contrast",
)
_COLUMNS = {"eg3d": ("landmarks", *_COMMON), "stylegan": _COMMON}
SHEET = "contact_sheet.png"
_SHEET_COLUMNS, _CELL, _MOST_KEPT, _MOST_REJECTED = 8, 192, 48, 16


def sort_crops(out: Path, faces: pa.Table) -> None:
    """Move crops of rejected faces out of the published folders, and back where a face is kept after all."""
    kept = {face for face, why in zip(*_pairs(faces, "id", "rejected"), strict=True) if why is None}
    for kind in KINDS:
        for source, target, wanted in ((CROPS, SET_ASIDE, False), (SET_ASIDE, CROPS, True)):
            for path in sorted((out / source / kind).glob("*.png")):
                if (path.stem in kept) is wanted:
                    place = crop_path(out, target, kind, path.stem)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    os.replace(path, place)


def write_published(out: Path, kept: pa.Table) -> None:
    """camera_parameters.json, info.json, raw_lm.json and realign2400_lm.json of the kept faces, as LPFF has them."""
    rows = kept.select(["id", "photo", "uri", "camera", "landmarks68", "realign2400_landmarks"]).to_pylist()
    write_json(out / CAMERAS, {row["id"]: row["camera"] for row in rows})
    info = {row["id"]: {"raw_image_name": row["photo"], "image_info": {"file": row["uri"]}} for row in rows}
    write_json(out / INFO, info)
    write_json(out / RAW, {row["id"]: np.reshape(row["landmarks68"], (68, 2)).tolist() for row in rows})
    write_json(out / REALIGNED, {row["id"]: np.reshape(row["realign2400_landmarks"], (68, 2)).tolist() for row in rows})


def write_json(path: Path, content: Any) -> None:
    """Write plain values, unless the file has them already: its time says whether tables are out of date."""
    write_text(path, json.dumps(content, indent=0))


def write_text(path: Path, text: str) -> None:
    """Write a text whole, unless the file has it already."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        with atomic_write(path) as temporary:
            temporary.write_text(text, encoding="utf-8")


def index_crops(out: Path, kept: pa.Table) -> list[Indexed]:
    """Tables of both kinds of crops, with how cameras were found and the numbers that cleaning looked at."""
    made = []
    for kind in KINDS:
        indexed = build_index(out, f"curated_{kind}")
        columns = kept.select(["id", *_COLUMNS[kind]])
        set_changed(indexed.path, columns)
        made.append(indexed)
    return made


def set_changed(path: Path, columns: pa.Table) -> bool:
    """Commit columns to a table unless it has exactly these; says whether it did."""
    stored = table.schema(path)
    if set(columns.column_names) <= set(stored.names):
        old = table.read(path, columns.column_names).replace_schema_metadata(None)
        if old.combine_chunks().equals(columns.replace_schema_metadata(None).combine_chunks()):
            return False
    table.set_columns(path, columns)
    return True


def _pairs(rows: pa.Table, *names: str) -> list[list[Any]]:
    return [rows[name].to_pylist() for name in names]


def rejections(photos: pa.Table, faces: pa.Table) -> list[tuple[str, str, str]]:
    """(photograph, face or "", reason) of everything that is left out, in the order of the photographs."""
    found = [(photo, "", why) for photo, why in zip(*_pairs(photos, "id", "rejected"), strict=True) if why]
    found += [(p, face, why) for p, face, why in zip(*_pairs(faces, "photo", "id", "rejected"), strict=True) if why]
    return sorted(found)


def write_rejections(out: Path, found: Sequence[tuple[str, str, str]]) -> None:
    """rejected.csv: photograph, face, reason, detail."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["photo", "face", "reason", "detail"])
    for photo, face, why in found:
        reason, _, detail = why.partition(": ")
        writer.writerow([photo, face, reason, detail])
    write_text(out / "rejected.csv", text.getvalue())


def reason_table(found: Sequence[tuple[str, str, str]]) -> str:
    """How many photographs and faces were left out for which reason, as lines of text."""
    photos = Counter(why.partition(": ")[0] for _, face, why in found if not face)
    faces = Counter(why.partition(": ")[0] for _, face, why in found if face)
    named = (("photographs", photos), ("faces", faces))
    return "\n".join(f"  {n:6d} {noun:<11}  {why}" for noun, counts in named for why, n in counts.most_common())


def write_contact_sheet(out: Path, faces: pa.Table) -> None:
    """contact_sheet.png: crops with their overlays, evenly chosen among the kept faces, then rejected ones."""
    ids, why = _pairs(faces, "id", "rejected")
    kept = [face for face, reason in zip(ids, why, strict=True) if reason is None]
    rest = [face for face, reason in zip(ids, why, strict=True) if reason is not None]
    rows = [_evenly(kept, _MOST_KEPT), _evenly(rest, _MOST_REJECTED)]
    heights = [-(-len(row) // _SHEET_COLUMNS) for row in rows]
    if not sum(heights):
        return
    sheet = Image.new("RGB", (_SHEET_COLUMNS * _CELL, sum(heights) * _CELL))
    for start, row in zip((0, heights[0]), rows, strict=True):
        for number, face in enumerate(row):
            with Image.open(debug_path(out, face)) as picture:
                cell = picture.crop((PANEL, 0, 2 * PANEL, PANEL)).resize((_CELL, _CELL), Image.Resampling.LANCZOS)
            sheet.paste(cell, (number % _SHEET_COLUMNS * _CELL, (start + number // _SHEET_COLUMNS) * _CELL))
    with atomic_write(out / SHEET) as temporary:
        sheet.save(temporary, format="PNG")


def _evenly(names: list[str], most: int) -> list[str]:
    places = np.linspace(0, len(names) - 1, min(most, len(names))).round().astype(int)
    return [names[place] for place in np.unique(places).tolist()]
