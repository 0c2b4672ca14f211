"""`facegen generate`: faces of coefficients, given or drawn, and pictures of them that control a diffusion model."""

from collections.abc import Sequence
from typing import Any

import torch

from facegen.checkpoint import cache_folder
from facegen.cli import generate_cameras as look_from
from facegen.cli.coefficient_files import coefficient_rows
from facegen.data.hint_faces import KNOWN, RENDERS
from facegen.data.hints import LANDMARKS
from facegen.evaluation.people import Columns, drawn_people
from facegen.geometry.cameras import head_pose
from facegen.geometry.perspective import EG3D
from facegen.morphable.coefficients import Layout
from facegen.morphable.model import MorphableModel
from facegen.morphable.procedural import load_head
from facegen.morphable.procedural_model import procedural_faces

DRAWN = "drawn"  # people of the built-in head, one per seed
_DRAWN_HINTS = (*RENDERS, LANDMARKS)
_COARSE = 0.1  # detail of a head of which only coefficients are drawn


def rendered(generator: Any) -> list[str]:
    """The controls that can be drawn from coefficients."""
    return [name for name in generator.control_names if name in _DRAWN_HINTS]


def face_columns(settings: dict[str, Any], seeds: Sequence[int]) -> Columns:
    """What hints of the faces of seeds are drawn from, by column: those of synthetic faces, or `coefficients`.

    Raises ValueError for coefficients of another model.
    """
    head = load_head(cache_folder(), _COARSE)
    if settings["coefficients"] in (None, DRAWN):
        return drawn_people(head, seeds)
    rows = coefficient_rows(settings["coefficients"])
    rows = rows[torch.arange(len(seeds)) % len(rows)]
    sizes = [len(modes.names) for modes in (head.identity, head.expression, head.albedo)] + [27]
    if settings["morphable"] is None and rows.shape[1] == sum(sizes):
        return dict(zip(KNOWN, rows.split(sizes, dim=1), strict=True))
    total = layout(settings).total
    if rows.shape[1] != total:
        raise ValueError(
            f"coefficients: {settings['coefficients']} has {rows.shape[1]} numbers per face, expected {sum(sizes)} of "
            f"synthetic faces or {total} of the morphable model; say morphable=FILE if they are of another one"
        )
    return {"coefficients": rows}


def layout(settings: dict[str, Any]) -> Layout:
    """How the numbers of the morphable model are split."""
    given = morphable(settings)
    return (procedural_faces(cache_folder(), _COARSE).model if given is None else given).layout


def morphable(settings: dict[str, Any]) -> MorphableModel | None:
    """The model of `morphable`, before the camera of faces that are cut out as EG3D's; None for the built-in one."""
    path = settings["morphable"]
    return None if path in (None, "procedural") else MorphableModel.load(path).with_perspective(EG3D)


def posed(columns: Columns, cameras: look_from.Cameras, settings: dict[str, Any]) -> Columns:
    """Faces seen from cameras, row by row: where coefficients have a pose, with that of the camera."""
    if "coefficients" not in columns:
        return columns
    split = layout(settings)
    angle, translation = head_pose(cameras)
    parts = split.split(columns["coefficients"])._replace(angle=angle, translation=translation)
    return {"coefficients": split.join(parts)}
