"""From raw photographs to an indexed dataset: all stages in their order, each one commit of `faces.lance`."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from facegen.curation import cleaning, publish
from facegen.curation.cameras import camera_stage
from facegen.curation.cleaning import Limits
from facegen.curation.crops import CROPS, KINDS, SET_ASIDE, crop_path, crops_stage
from facegen.curation.debug import debug_path, debug_stage
from facegen.curation.engine import Engine, EngineName, open_engine
from facegen.curation.faces import detect_stage, landmarks_stage, quality_stage, vector
from facegen.curation.fitting.fitters import Fitting, loaded_fitter
from facegen.curation.models import FaceModels, loaded
from facegen.curation.parts import complete, locked, spread
from facegen.curation.photographs import LISTED, list_photographs
from facegen.curation.stages import REASON, Row, Stage
from facegen.data import table

STAGES = ("detect", "landmarks", "camera", "quality", "clean", "crops", "duplicates", "debug", "index")
PHOTOS, FACES = "photos.lance", "faces.lance"
REJECTED = "rejected"
# What is known of a face as soon as it is found.
_OF_PHOTO = (("width", pa.int32()), ("height", pa.int32()), ("sha256", pa.string()), ("detector", pa.string()))
_OF_FACE = (("box", vector(4)), ("score", pa.float32()))
FOUND = pa.schema([("id", pa.string()), ("photo", pa.string()), *list(LISTED)[1:], *_OF_PHOTO, *_OF_FACE])
_STYLEGAN_SIZES = (64, 4096)


class Settings(NamedTuple):
    """What decides the result beside the models. `realign`: side of the realigned picture, None: see `frames`."""

    limits: Limits = Limits()
    stylegan_size: int = 1024
    realign: int | None = None


DEFAULTS = Settings()


class Curated(NamedTuple):
    """Tables of photographs and faces, and how many rows each stage computed in this run."""

    photos: pa.Table
    faces: pa.Table
    computed: dict[str, int]
    changed: bool
    rejections: list[tuple[str, str, str]]


def curate(
    root: str | Path,
    out: str | Path,
    models: FaceModels,
    fitting: Fitting,
    settings: Settings = DEFAULTS,
    engine: EngineName = "pool",
    workers: int = 2,
    stages: Sequence[str] = STAGES,
) -> Curated:
    """Curate the photographs of a folder or uncompressed zip into the folder `out`, going on where it was interrupted.

    `fitting`: of the morphable model that cameras come from, to landmarks (`fitting_of` with photometric=False).
    `stages`: the first ones of STAGES, to stop after them. What was computed before with the same settings from the
    same photographs is not computed again. One process at a time works on a folder; others wait.
    Raises ValueError for arguments out of range; a broken photograph is rejected with the reason, never raised.
    """
    chosen, place = _checked(stages, settings), Path(out).expanduser().absolute()
    base, rows, _ = list_photographs(root)
    if Path(root).expanduser().is_dir() and place.is_relative_to(base):
        raise ValueError(f"out: {out} lies in the folder of the photographs; choose one outside of it")
    loaded_fitter(fitting)  # before anything is written: its file may be none
    with open_engine(engine, workers) as run, locked(place):
        try:
            return _run(_Work(place, str(base), run), rows, models, fitting, settings, set(chosen))
        finally:
            loaded.cache_clear()


def _checked(stages: Sequence[str], settings: Settings) -> list[str]:
    chosen = list(stages)
    if not chosen or chosen != list(STAGES[: len(chosen)]):
        raise ValueError(f"stages: got {chosen}, expected the first ones of {', '.join(STAGES)}")
    low, high = _STYLEGAN_SIZES
    if type(settings.stylegan_size) is not int or not low <= settings.stylegan_size <= high:
        raise ValueError(f"stylegan_size: got {settings.stylegan_size!r}, expected {low} to {high} pixels")
    if settings.realign is not None and (type(settings.realign) is not int or not low <= settings.realign <= high):
        raise ValueError(f"realign_size: got {settings.realign!r}, expected {low} to {high} pixels, or null")
    return chosen


class _Work:
    """The folder being made, with the tables as far as they are, and what has been done in this run."""

    def __init__(self, out: Path, root: str, engine: Engine) -> None:
        self.out, self.root, self.engine = out, root, engine
        self.photos, self.faces = LISTED.empty_table(), LISTED.empty_table()
        self.computed: dict[str, int] = {}
        self.changed = False

    def active(self) -> list[int]:
        """Rows of faces that nothing has rejected yet."""
        return np.flatnonzero(self.faces[REJECTED].is_null().to_numpy()).tolist()

    def take(self, rows: list[int]) -> pa.Table:
        """Some of the faces."""
        return self.faces.take(pa.array(rows, pa.int64()))

    def run(self, stage: Stage, rows: list[int], is_lost: Callable[[str], bool] = lambda face: False) -> None:
        """Complete a stage for some faces, add its columns, reject those it found reasons for, and commit."""
        done = complete(stage, self.take(rows), self.out, self.engine, is_lost)
        self.computed[stage.name] = done.computed
        for field in stage.schema:
            self.faces = self.faces.append_column(field, spread(done.columns[field.name], rows, len(self.faces)))
        self.reject(dict(zip(self.take(rows)["id"].to_pylist(), done.columns[REASON].to_pylist(), strict=True)))
        self.commit(stage.columns)

    def reject(self, reasons: Mapping[str, str | None]) -> None:
        """Give faces, by id, a reason, unless they have one."""
        old, ids = self.faces[REJECTED].to_pylist(), self.faces["id"].to_pylist()
        new = [why or reasons.get(face) for why, face in zip(old, ids, strict=True)]
        place = self.faces.column_names.index(REJECTED)
        self.faces = self.faces.set_column(place, REJECTED, pa.array(new, pa.string()))

    def commit(self, columns: Sequence[str]) -> None:
        """Bring some columns of faces.lance up to date, with the reasons known so far, as one commit."""
        path, base = self.out / FACES, FOUND.names
        if not table.exists(path) or not _same(path, self.faces.select(base)):
            table.write(path, self.faces)
        elif not columns or _same(path, self.faces.select(["id", *columns])):
            return
        else:
            table.set_columns(path, self.faces.select(["id", *columns, REJECTED]))
        self.changed = True

    def finish(self) -> None:
        """The final reasons, where they are not in the table yet."""
        self.changed |= publish.set_changed(self.out / FACES, self.faces.select(["id", REJECTED]))


def _run(
    work: _Work, rows: list[Row], models: FaceModels, fitting: Fitting, settings: Settings, chosen: set[str]
) -> Curated:
    _detect(work, rows, models)
    root, out = work.root, str(work.out)
    method = f"{loaded_fitter(fitting).model.name}, fitted to landmarks"
    for stage in (landmarks_stage(models, root), camera_stage(fitting, method), quality_stage(root)):
        if stage.name in chosen:
            work.run(stage, work.active())
    if "clean" in chosen:
        active = work.take(work.active())
        work.reject(dict(zip(active["id"].to_pylist(), cleaning.reasons(active, settings.limits), strict=True)))
    if "crops" in chosen:
        work.run(crops_stage(root, out, settings.stylegan_size, settings.realign), work.active(), _no_crop(work.out))
    if "duplicates" in chosen:
        found = cleaning.duplicates(work.take(work.active()), settings.limits.duplicate_bits)
        words = "near duplicate: of {}, {} of 256 bits differ"
        work.reject({face: words.format(*other) for face, other in found.items()})
    if "debug" in chosen:
        every = list(range(len(work.faces)))
        work.run(debug_stage(root, out), every, lambda face: not debug_path(work.out, face).exists())
    work.finish()
    rejections = publish.rejections(work.photos, work.faces)
    if "index" in chosen:
        _index(work, rejections)
    return Curated(work.photos, work.faces, work.computed, work.changed, rejections)


def _detect(work: _Work, rows: list[Row], models: FaceModels) -> None:
    """Faces of all photographs; a photograph of the same bytes as an earlier one is left out."""
    photos = pa.Table.from_pylist(rows, LISTED)
    stage = detect_stage(models, work.root)
    done = complete(stage, photos, work.out, work.engine)
    work.computed[stage.name] = done.computed
    first: dict[str, str] = {}
    reasons = done.columns[REASON].to_pylist()
    for row, (name, digest) in enumerate(
        zip(photos["id"].to_pylist(), done.columns["sha256"].to_pylist(), strict=True)
    ):
        if digest and first.setdefault(digest, name) != name:
            reasons[row] = reasons[row] or f"duplicate photograph: the same file as {first[digest]}"
    for field in stage.schema:
        photos = photos.append_column(field, done.columns[field.name])
    work.photos = photos.append_column(REJECTED, pa.array(reasons, pa.string()))
    if not table.exists(work.out / PHOTOS) or not _same(work.out / PHOTOS, work.photos):
        table.write(work.out / PHOTOS, work.photos)
        work.changed = True
    found = _found(work.photos)
    work.faces = found.append_column(REJECTED, pa.nulls(len(found), pa.string()))
    work.commit([])


def _found(photos: pa.Table) -> pa.Table:
    """A row for each face of the photographs that are not rejected: `PHOTO_01` and so on, from the left."""
    faces = []
    for photo in photos.filter(photos[REJECTED].is_null()).to_pylist():
        for number, (box, score) in enumerate(zip(photo["boxes"], photo["scores"], strict=True), start=1):
            face = {"id": f"{photo['id']}_{number:02d}", "photo": photo["id"], "box": box, "score": score}
            faces.append(photo | face)
    return pa.Table.from_pylist([{name: face[name] for name in FOUND.names} for face in faces], FOUND)


def _no_crop(out: Path) -> Callable[[str], bool]:
    def is_lost(face: str) -> bool:
        places = [[crop_path(out, folder, kind, face) for folder in (CROPS, SET_ASIDE)] for kind in KINDS]
        return not all(any(path.exists() for path in both) for both in places)

    return is_lost


def _index(work: _Work, rejections: list[tuple[str, str, str]]) -> None:
    kept = work.take(work.active())
    publish.sort_crops(work.out, work.faces)
    publish.write_published(work.out, kept)
    publish.write_rejections(work.out, rejections)
    if len(kept):
        publish.index_crops(work.out, kept)
    if work.changed or not (work.out / publish.SHEET).exists():
        publish.write_contact_sheet(work.out, work.faces)


def _same(path: Path, rows: pa.Table) -> bool:
    """Whether a table has exactly these values in these columns."""
    if not set(rows.column_names) <= set(table.schema(path).names):
        return False
    stored = table.read(path, rows.column_names).replace_schema_metadata(None)
    return stored.combine_chunks().equals(rows.replace_schema_metadata(None).combine_chunks())
