"""The average head with its hair down to the scalp: all pieces joined, and the same head with closed lids."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facegen.morphable.procedural.face import FaceGrid, face_grid, project
from facegen.morphable.procedural.fields import Array
from facegen.morphable.procedural.hair import curtain, scalp, shell_thickness
from facegen.morphable.procedural.lips import lip_profile
from facegen.morphable.procedural.mesh import PARTS, Index, Piece, join, mirrored, offsets
from facegen.morphable.procedural.parts import ear, eyeball, lid_lining, lip_lining, teeth, torso


class Template(NamedTuple):
    """V vertices of the average head, and what the fields of shape and colour need about them."""

    vertices: Array  # (V, 3)
    triangles: Index  # (F, 3)
    anchors: Array  # (V, 3)
    level: Array  # (V,)
    part: NDArray[np.uint8]  # (V,) index into PARTS
    coordinates: Array  # (V, 2)
    lip: Array  # (V,) how much of a vertex is lip
    pieces: dict[str, slice]
    grid: FaceGrid
    upper_lids: Array  # (V, 3) movement that brings the upper lids down to the lower ones
    lower_lids: Array  # (V, 3) movement that raises the lower lids to the line where lids meet
    hair_modes: Array  # (V, 3, number of hair modes)


def _skin(grid: FaceGrid, points: Array, directions: Array) -> Piece:
    profile, _ = lip_profile(points, grid.level)
    vertices = points + directions * profile[:, None]
    coordinates = np.stack([grid.azimuth, grid.height + grid.elevation], axis=-1)
    return Piece(vertices, grid.triangles, vertices, grid.level, coordinates, "skin")


def _linings(grid: FaceGrid, skin: Array) -> dict[str, Piece]:
    made = {}
    for name, slit in zip(("right", "left"), grid.eyes, strict=True):
        made[f"{name} upper lid"] = lid_lining(skin, slit, True)
        made[f"{name} lower lid"] = lid_lining(skin, slit, False)
    made["upper lip"] = lip_lining(skin, grid.mouth, True)
    made["lower lip"] = lip_lining(skin, grid.mouth, False)
    return made


def _hair() -> tuple[dict[str, Piece], Array]:
    points, outward, shell = scalp()
    base, modes = shell_thickness(points)
    hanging, fall = curtain()
    shell = shell._replace(vertices=points + outward * base[:, None])
    movement = np.zeros((len(points) + len(fall), 3, modes.shape[1] + 1))
    movement[: len(points), :, :-1] = outward[:, :, None] * modes[:, None]
    movement[len(points) :, :, -1] = fall
    return {"hair": shell, "curtain": hanging}, movement


def _lid_movement(grid: FaceGrid, open_points: Array, directions: Array, closed: float, raised: float) -> list[Array]:
    """Skin and linings after closing, each minus its open shape."""
    moved, _ = project(grid, closed, raised, open_points)
    shapes = []
    for points in (open_points, moved):
        skin = _skin(grid, points, directions)
        shapes.append([skin.vertices, *(one.vertices for one in _linings(grid, skin.vertices).values())])
    return [after - before for before, after in zip(*shapes, strict=True)]


def build_template(detail: float = 1.0) -> Template:
    """Make the average head; `detail` multiplies the number of rows and columns of the skin."""
    grid = face_grid(detail)
    points, directions = project(grid)
    skin = _skin(grid, points, directions)
    _, lip = lip_profile(points, grid.level)
    hair, hair_modes = _hair()
    pieces = {"skin": skin, **_linings(grid, skin.vertices), "right eye": mirrored(eyeball()), "left eye": eyeball()}
    pieces |= {"right ear": mirrored(ear()), "left ear": ear(), "upper teeth": teeth(True), "lower teeth": teeth(False)}
    pieces |= {"torso": torso(), **hair}
    vertices, triangles = join(list(pieces.values()))
    starts = offsets(list(pieces.values()))
    slices = {name: slice(a, b) for name, a, b in zip(pieces, starts, starts[1:], strict=False)}
    lids = []
    for closed, raised in ((1.0, 0.0), (0.0, 1.0)):
        moved = np.concatenate(_lid_movement(grid, points, directions, closed, raised))
        lids.append(np.concatenate([moved, np.zeros((len(vertices) - len(moved), 3))]))
    everywhere = np.zeros((len(vertices), 3, hair_modes.shape[-1]))
    everywhere[slices["hair"].start :] = hair_modes
    part = np.concatenate([np.full(len(one.vertices), PARTS.index(one.part), np.uint8) for one in pieces.values()])
    return Template(
        vertices,
        triangles,
        np.concatenate([one.anchors for one in pieces.values()]),
        np.concatenate([one.level for one in pieces.values()]),
        part,
        np.concatenate([one.coordinates for one in pieces.values()]),
        np.concatenate([lip, np.zeros(len(vertices) - len(lip))]),
        slices,
        grid,
        lids[0],
        lids[1],
        everywhere,
    )
