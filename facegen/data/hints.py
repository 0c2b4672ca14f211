"""Pictures that control a diffusion model: renders of a face, masks in colours, sketches, landmarks drawn as lines."""

from collections.abc import Collection

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from facegen.data.batch import FaceBatch
from facegen.data.conditions import PARTS, PICTURES
from facegen.data.hint_faces import FINE, KNOWN, RENDERS, face_coefficients, render_hint
from facegen.data.hint_lines import NUM_POINTS, draw_landmarks
from facegen.data.part_orders import painted, part_names, parts_of
from facegen.morphable.model import MorphableModel

LANDMARKS, COEFFICIENTS = "landmarks", "coefficients"
_COLUMNS = (*PARTS, "sketch")  # that nothing else stands for
HINTS = (*RENDERS, LANDMARKS, *_COLUMNS)
Hint = Float[Tensor, "batch 3 side side"]

_REACH = 1.5  # landmarks farther out, in sides of the picture, were measured in larger pictures


def hint(
    name: str,
    batch: FaceBatch,
    resolution: int | None = None,
    model: MorphableModel | None = None,
    landmarks_side: int | None = None,
) -> Hint:
    """The hint called `name` for each face of a batch, in [0, 1], on the batch's device.

    `render`, `albedo`, `normals`, `depth` and `uv` are drawn from coefficients: the columns `coefficients_*` and the
    cameras of synthetic faces, or the column `coefficients` of `model` (default: the procedural one, before EG3D's
    camera), black around the face. A column `render` is taken as it is. `landmarks` are lines through the 68 points of
    the column of that name, in pixels of pictures of `landmarks_side` (default: the batch's), or of coefficients.
    `mask`, `segmentation` and `parts` are the columns of ids in colours, `sketch` the column.
    resolution: side of the hints; the batch's by default, which is all that pictures in columns have.
    Raises ValueError for other names, and where a batch lacks what is needed.
    """
    check_name(name)
    side = batch.images.shape[-1] if resolution is None else resolution
    if name in _COLUMNS or (name in PICTURES and name in batch.conditions):
        return _of_column(name, batch, side)
    if name == LANDMARKS and name in batch.conditions:
        points = batch.conditions[name].float().unflatten(1, (NUM_POINTS, 2))
        return draw_landmarks(_checked(points / (landmarks_side or batch.images.shape[-1] or side)), side)
    if missing := _missing(name, batch):
        raise ValueError(
            f"hints: {name} needs {', '.join(missing)}, which the faces come without; add "
            f"data.conditions=[{','.join(KNOWN)}] data.labels=true with data=synthetic, or see docs/controlnet.md"
        )
    coefficients, model = face_coefficients(batch, model, fine=side > FINE or name == LANDMARKS)
    return render_hint(name, model, coefficients, side)


def hint_columns(name: str, available: Collection[str] = ()) -> tuple[str, ...]:
    """Conditions that a hint is made of: the first that are all `available`, or else the ones to ask for."""
    check_name(name)
    ways: list[tuple[str, ...]] = [(name,)] if name in (*PARTS, *PICTURES, LANDMARKS) else []
    if name in (*RENDERS, LANDMARKS):
        ways += [KNOWN, (COEFFICIENTS,)]
    found = [way for way in ways if all(column in available for column in way)]
    wanted = ways[1:2] if name in PICTURES and len(ways) > 1 else ways  # data=synthetic has no column of renders
    return (found or wanted)[0]


def mask_colors(ids: UInt8[Tensor, "batch 1 side side"], column: str = "mask") -> Hint:
    """Ids of a column of masks in the colours of their parts, in [0, 1]. Raises ValueError for ids that it has not."""
    names = part_names(column)
    return painted(parts_of({column: ids}, column, names), names).float() / 255


def check_name(name: str) -> None:
    """ValueError for a hint that there is not."""
    if name not in HINTS:
        raise ValueError(f"hints: got {name!r}, expected one of {', '.join(HINTS)}")


def _of_column(name: str, batch: FaceBatch, side: int) -> Hint:
    if name not in batch.conditions:
        raise ValueError(
            f"hints: the faces come without {name}; add data.conditions=[{name}] with data that has it, or make it "
            "with facegen data curate (docs/controlnet.md)"
        )
    found = batch.conditions[name]
    if found.shape[-1] != side:
        raise ValueError(f"hints: {name}: got pictures of {found.shape[-1]} pixels, expected {side}, as the images")
    if name in PARTS:
        return mask_colors(found, name)
    return found.float() / 255 if found.dtype == torch.uint8 else ((found.float() + 1) / 2).clamp(0, 1)


def _missing(name: str, batch: FaceBatch) -> list[str]:
    if COEFFICIENTS in batch.conditions:
        return []
    missing = [column for column in KNOWN if column not in batch.conditions]
    return missing if batch.cameras.shape[1] == 25 else [*missing, "camera labels"]


def _checked(points: Float[Tensor, "batch 68 2"]) -> Float[Tensor, "batch 68 2"]:
    if points.numel() and float(points.nan_to_num().abs().max()) > _REACH:
        raise ValueError(
            "hints: landmarks lie far outside of the pictures, so they were measured in larger ones; say the side of "
            "those (landmarks_side), or leave the column out and have coefficients instead"
        )
    return points
