"""From pictures to fits: find one face in each, its landmarks, and fit; what is known is not computed again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import torch

from facegen.curation.engine import Engine, open_engine
from facegen.curation.faces import detect_stage, landmarks_stage, vector
from facegen.curation.fitting.files import Outputs, check_outputs, written
from facegen.curation.fitting.fitters import Fitting, loaded_fitter
from facegen.curation.fitting.stage import fit_stage
from facegen.curation.models import FaceModels, loaded
from facegen.curation.parts import complete, locked, spread
from facegen.curation.photographs import LISTED
from facegen.curation.stages import REASON, Row, Stage

REJECTED = "rejected"
LISTING = pa.schema([*LISTED, ("name", pa.string()), ("landmarks68", vector(136)), ("faces", pa.int32())])
LISTING = LISTING.append(pa.field("second_face", pa.float32())).append(pa.field("sha256", pa.string()))


class Pictures(NamedTuple):
    """Rows with `id`, `name`, the columns of PLACE (`uri` relative to `root`) and, where known, `landmarks68`."""

    root: str
    rows: list[Row]


class Fitted(NamedTuple):
    """One row a picture, with what was found and, null where there is none, why it was left out in `rejected`.

    `others`: picture and reason of further faces. `computed`: rows that each stage computed in this run.
    """

    faces: pa.Table
    others: list[tuple[str, str]]
    computed: dict[str, int]

    @property
    def fitted(self) -> pa.Table:
        """Rows of the faces that have a fit."""
        return self.faces.filter(self.faces[REJECTED].is_null())


def fit_pictures(
    pictures: Pictures,
    out: Path,
    fitting: Fitting,
    models: FaceModels | None,
    outputs: Outputs = Outputs(),  # noqa: B008 a NamedTuple cannot change
    device: str = "cpu",
    batch_size: int = 8,
    workers: int = 0,
) -> Fitted:
    """Fit the largest face of each picture and keep everything below `out`, going on where it was interrupted.

    models: find faces and landmarks; needed where rows come without landmarks. workers: processes, 0: this one; a GPU
    is used from this one. Raises ValueError for settings out of range; a picture without a face is rejected with the
    reason, never raised.
    """
    check_outputs(outputs)
    if type(batch_size) is not int or batch_size < 1:
        raise ValueError(f"batch_size: got {batch_size!r}, expected at least 1")
    size = loaded_fitter(fitting, device).model.layout.total
    with open_engine("pool", workers) as run, locked(out):
        try:
            work = _Work(pictures, out, run)
            work.locate(models)
            stage = fit_stage(fitting, outputs, pictures.root, str(out), size, device, batch_size)
            work.engine = run if torch.device(device).type == "cpu" else map
            work.run(stage, work.active(), outputs)
        finally:
            loaded.cache_clear()
    return Fitted(work.faces, work.others, work.computed)


class _Work:
    """The table as far as it is, and what was computed for it."""

    def __init__(self, pictures: Pictures, out: Path, engine: Engine) -> None:
        self.root, self.out, self.engine = pictures.root, out, engine
        rows = [{"landmarks68": None, **row} for row in pictures.rows]
        self.faces = pa.Table.from_pylist(rows, LISTING)
        self.faces = self.faces.append_column(REJECTED, pa.nulls(len(rows), pa.string()))
        self.others: list[tuple[str, str]] = []
        self.computed: dict[str, int] = {}

    def active(self) -> list[int]:
        """Rows that nothing has rejected."""
        return [row for row, why in enumerate(self.faces[REJECTED].to_pylist()) if why is None]

    def locate(self, models: FaceModels | None) -> None:
        """The largest face of each picture without landmarks, and its landmarks."""
        rows = [row for row, points in enumerate(self.faces["landmarks68"].is_null().to_pylist()) if points]
        if not rows:
            return
        if models is None:
            raise ValueError(f"{len(rows)} pictures have no landmarks, and no detector was given to find them")
        found = self._completed(detect_stage(models, self.root), self.faces.take(pa.array(rows)), rows)
        boxes = {row: _by_size(each) for row, each in zip(rows, found["boxes"].to_pylist(), strict=True)}
        self._replace("sha256", found["sha256"], rows)
        self._replace("faces", pa.array([len(boxes[row]) for row in rows], pa.int32()), rows)
        self._replace("second_face", pa.array([_second(boxes[row]) for row in rows], pa.float32()), rows)
        for row, each in boxes.items():
            self.others += [(self.faces["id"][row].as_py(), _said(each[0], other)) for other in each[1:]]
        rows = [row for row in self.active() if boxes.get(row)]
        boxed = self.faces.take(pa.array(rows, pa.int64()))
        boxed = boxed.append_column("box", pa.array([boxes[row][0] for row in rows], vector(4)))
        found = self._completed(landmarks_stage(models, self.root), boxed, rows)
        self._replace("landmarks68", found["landmarks68"], rows)

    def run(self, stage: Stage, rows: list[int], outputs: Outputs) -> None:
        """Complete a stage for some rows and add its columns."""

        def is_lost(face: str) -> bool:
            return not all(path.exists() for path in written(self.out, face, outputs))

        found = self._completed(stage, self.faces.take(pa.array(rows, pa.int64())), rows, is_lost)
        for field in stage.schema:
            self.faces = self.faces.append_column(field, spread(found[field.name], rows, len(self.faces)))

    def _completed(self, stage: Stage, faces: pa.Table, rows: list[int], is_lost: Any = lambda face: False) -> pa.Table:
        """Results of a stage; the faces it found reasons for are rejected."""
        done = complete(stage, faces, self.out, self.engine, is_lost)
        self.computed[stage.name] = done.computed
        why = self.faces[REJECTED].to_pylist()
        for row, reason in zip(rows, done.columns[REASON].to_pylist(), strict=True):
            why[row] = why[row] or reason
        place = self.faces.column_names.index(REJECTED)
        self.faces = self.faces.set_column(place, REJECTED, pa.array(why, pa.string()))
        return done.columns

    def _replace(self, name: str, values: pa.Array | pa.ChunkedArray, rows: Sequence[int]) -> None:
        """Give some rows of a column values; the others keep theirs."""
        field = self.faces.schema.field(name)
        given = spread(values, rows, len(self.faces)).to_pylist()
        kept = [new if new is not None else old for new, old in zip(given, self.faces[name].to_pylist(), strict=True)]
        place = self.faces.column_names.index(name)
        self.faces = self.faces.set_column(place, field, pa.array(kept, field.type))


def _area(box: Sequence[float]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _by_size(boxes: list[list[float]] | None) -> list[list[float]]:
    return sorted(boxes or [], key=_area, reverse=True)


def _second(boxes: list[list[float]]) -> float | None:
    """Area of the second face over that of the largest."""
    return _area(boxes[1]) / max(_area(boxes[0]), 1e-9) if len(boxes) > 1 else None


def _said(largest: Sequence[float], other: Sequence[float]) -> str:
    box = ", ".join(f"{edge:.0f}" for edge in other)
    return f"another face: in the box {box}; the largest was fitted"
