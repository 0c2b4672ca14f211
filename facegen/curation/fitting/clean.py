"""Which faces of a dataset resist fitting: the procedure behind the cleaned FFHQ and CelebA-HQ, with numbers.

Their authors fitted Deep3DFaceRecon to every image and took out those where it failed: extreme poses, things before
the face, blur, several people (https://github.com/weihaox/cleaned-celebahq-ffhq).
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow as pa

from facegen.curation import publish
from facegen.curation.fitting.files import panel_path
from facegen.curation.fitting.panels import write_sheet
from facegen.curation.fitting.run import REJECTED, Fitted
from facegen.curation.fitting.stage import SCORE

WORST = "worst.png"
_RULES = (
    ("max_other_face", "second_face", "several faces: the second has {value:.0%} of the first one's area"),
    ("max_missing", "missing", "cut off: {value:.0%} of the crop outside of the picture"),
    ("max_score", SCORE, "resists fitting: score {value:.2f}"),
)


@dataclass(frozen=True)
class CleanLimits:
    """What a face must be like to stay; None switches a limit off.

    worst: share of the faces within the other limits that is left out, from the highest score on; the published lists
    have 1.3 % of FFHQ and 1.9 % of CelebA-HQ. max_score: probability that the fit failed, of photographs
    mostly small. max_missing: share of the crop outside of the picture. max_other_face: area of a second face over that
    of the first.
    """

    worst: float | None = 0.015
    max_score: float | None = None
    max_missing: float | None = 0.25
    max_other_face: float | None = 0.5

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and (isinstance(value, bool) or not 0 <= value <= 1):
                raise ValueError(f"{field.name}: got {value!r}, expected 0 to 1, or null")


def reasons(found: Fitted, limits: CleanLimits) -> list[str | None]:
    """Why each picture is left out, or None: no fit at all, the first limit that it is beyond, or among the worst."""
    why = found.faces[REJECTED].to_pylist()
    for setting, column, text in _RULES:
        limit = getattr(limits, setting)
        for row, value in enumerate(found.faces[column].to_pylist() if limit is not None else ()):
            if why[row] is None and value is not None and value > limit:
                why[row] = text.format(value=value)
    kept = [row for row, reason in enumerate(why) if reason is None]
    scores = found.faces[SCORE].to_pylist()
    for row in sorted(kept, key=lambda row: -scores[row])[: round((limits.worst or 0) * len(kept))]:
        why[row] = f"resists fitting: score {scores[row]:.2f}, among the highest {limits.worst:.1%}"
    return why


def write_exclusions(out: Path, names: Sequence[str], title: str) -> None:
    """A list of ids, one a line, as `exclude=` of a recipe reads it."""
    publish.write_text(out, "".join(f"{line}\n" for line in (f"# {title}", *names)))


def worst(found: Fitted, why: Sequence[str | None], most: int) -> pa.Table:
    """The faces with a fit that were left out, then the others, each from the highest score on; at most `most`."""
    faces = found.faces.append_column("why", pa.array(why, pa.string()))
    faces = faces.filter(faces[REJECTED].is_null())
    scores = np.asarray(faces[SCORE].to_pylist(), dtype=np.float64)
    left = ~faces["why"].is_null().to_numpy(zero_copy_only=False)
    order = np.lexsort((-scores, ~left))
    return faces.take(pa.array(order[:most]))


def write_worst(faces: pa.Table, folder: Path) -> None:
    """worst.png: the panels of `worst`, each with why it is left out."""
    ids, reasons = faces["id"].to_pylist(), faces["why"].to_pylist()
    titles = [f"{face}: {why or 'kept'}" for face, why in zip(ids, reasons, strict=True)]
    write_sheet([panel_path(folder, face) for face in ids], titles, folder / WORST)


def write_scores(path: Path, found: Fitted, why: Sequence[str | None]) -> None:
    """scores.csv: a line for each picture with the numbers that limits look at, and the reason, if any."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = ("id", SCORE, "second_face", "missing", "landmark_error", "yaw_degrees", "pitch_degrees")
    writer.writerow([*names, "reason"])
    columns = [found.faces[name].to_pylist() for name in names]
    for *values, reason in zip(*columns, why, strict=True):
        shown = [f"{value:.4g}" if isinstance(value, float) else value for value in values]
        writer.writerow([*shown, reason or ""])
    publish.write_text(path, text.getvalue())
