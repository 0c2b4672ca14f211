"""What a run of fits leaves behind beside the files of each face: tables, labels, reasons, a sheet to look at."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from facegen.curation import publish
from facegen.curation.fitting.files import panel_path
from facegen.curation.fitting.panels import write_sheet
from facegen.curation.fitting.run import REJECTED, Fitted
from facegen.curation.fitting.sources import Tabled
from facegen.curation.fitting.stage import ANGLES, INTERVALS, SCORE
from facegen.data import table
from facegen.data.labels import LABELS_FILE

FITS, SHEET = "fits.jsonl", "overlay.png"
INDEXED = ("coefficients", "camera", "landmarks", *ANGLES, *INTERVALS, SCORE)
PREFIX = "fit_"  # of the columns of an index: those of the dataset itself keep their names
_LINE = ("id", "name", "camera", *ANGLES, *INTERVALS, SCORE, "fit_loss", "landmark_error", "missing", "converged")


def write_fits(found: Fitted, out: Path) -> None:
    """fits.jsonl: a line for each fitted face; dataset.json: EG3D's labels by the pictures' names."""
    fitted = found.fitted
    lines = [json.dumps(row) for row in fitted.select([*_LINE, "iterations"]).to_pylist()]
    publish.write_text(out / FITS, "".join(f"{line}\n" for line in lines))
    table.export_labels(fitted, fitted["name"].to_pylist(), out / LABELS_FILE)


def rejections(found: Fitted) -> list[tuple[str, str, str]]:
    """(picture, "", reason) of what was left out and (picture, "other", reason) of further faces, by picture."""
    why = zip(found.faces["id"].to_pylist(), found.faces[REJECTED].to_pylist(), strict=True)
    left = [(name, "", reason) for name, reason in why if reason]
    return sorted([*left, *((name, "other", reason) for name, reason in found.others)])


def write_overlay(faces: pa.Table, rows: Sequence[int], out: Path, path: Path) -> None:
    """A sheet of the panels of some rows of fitted faces."""
    some = faces.take(pa.array(rows, pa.int64()))
    ids = some["id"].to_pylist()
    write_sheet([panel_path(out, face) for face in ids], ids, path)


def evenly(count: int, most: int) -> list[int]:
    """At most `most` of `count` rows, evenly chosen."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(np.int64)).tolist()


def write_columns(place: Tabled, faces: pa.Table) -> int:
    """Add the columns `fit_*` of those fitted faces that a table has, in one commit; returns its version.

    Other faces of the table keep the values they have.
    """
    path = place.path
    columns = faces.filter(pa.array([name in place.ids for name in faces["id"].to_pylist()], pa.bool_()))
    columns = columns.select(["id", *INDEXED])
    columns = columns.set_column(
        0, "id", pa.array([place.ids[name] for name in columns["id"].to_pylist()], pa.string())
    )
    names = [name if name == "id" or name.startswith(PREFIX) else PREFIX + name for name in columns.column_names]
    columns = columns.rename_columns(names)
    if set(columns.column_names) <= set(table.schema(path).names):
        old = table.read(path, columns.column_names).replace_schema_metadata(None)
        if old.schema.equals(columns.schema):
            new = set(columns["id"].to_pylist())
            kept = old.filter(pa.array([name not in new for name in old["id"].to_pylist()], pa.bool_()))
            columns = pa.concat_tables([columns, kept])
    return table.set_columns(path, columns)
