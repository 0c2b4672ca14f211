"""What must hold for the average head, whatever its numbers."""

import numpy as np
import pytest

from facegen.morphable.procedural import anatomy
from facegen.morphable.procedural.face import face_grid, project
from facegen.morphable.procedural.landmarks import landmark_order_when_mirrored, landmark_vertices
from facegen.morphable.procedural.skull import head_distance
from facegen.morphable.procedural.template import Template, build_template


@pytest.fixture(scope="module")
def template() -> Template:
    return build_template(detail=0.4)


def nearest_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Distance of each point of `a` to the nearest of `b`, both sorted into small cells first."""
    found = np.full(len(a), np.inf)
    for start in range(0, len(a), 500):
        block = a[start : start + 500]
        near = b[(np.abs(b[:, 1:2] - block[:, 1].reshape(1, -1)).min(1) < 1e-3)]
        found[start : start + 500] = np.linalg.norm(block[:, None] - near[None], axis=-1).min(1)
    return found


def test_traced_points_lie_on_the_head() -> None:
    points, directions = project(face_grid(0.25))
    assert np.abs(head_distance(points)).max() < 1e-3
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)


def test_left_and_right_mirror_each_other(template: Template) -> None:
    skin = template.vertices[template.pieces["skin"]][::7]
    assert nearest_distances(skin * [-1, 1, 1], template.vertices[template.pieces["skin"]]).max() < 1e-6


def test_skin_is_watertight_but_for_slits_and_the_neck(template: Template) -> None:
    skin = template.triangles[(template.triangles < template.pieces["skin"].stop).all(1)]
    edges = np.concatenate([skin[:, [0, 1]], skin[:, [1, 2]], skin[:, [2, 0]]])
    _, counts = np.unique(np.sort(edges, axis=1), axis=0, return_counts=True)
    assert counts.max() == 2
    grid = template.grid
    slits = sum(2 * (len(slit.upper) - 1) for slit in (grid.mouth, *grid.eyes))
    open_rows = 2 * grid.numbers.shape[1]  # the crown and the end of the neck
    assert (counts == 1).sum() == slits + open_rows


def test_triangles_turn_their_front_outwards(template: Template) -> None:
    for name, center in (("skin", (0, 0.05, 0)), ("left eye", anatomy.EYE), ("hair", (0, 0.1, -0.03))):
        where = template.pieces[name]
        triangles = template.triangles[((template.triangles >= where.start) & (template.triangles < where.stop)).all(1)]
        a, b, c = (template.vertices[triangles[:, k]] for k in range(3))
        outward = (np.cross(b - a, c - a) * ((a + b + c) / 3 - center)).sum(-1)
        assert (outward > -1e-9).mean() > 0.9, name


def test_closed_lids_meet(template: Template) -> None:
    for slit in template.grid.eyes:
        gap = template.vertices[slit.upper] - template.vertices[slit.lower]
        closed = gap + template.upper_lids[slit.upper] - template.upper_lids[slit.lower]
        assert np.linalg.norm(gap, axis=1).max() > 0.015
        assert np.linalg.norm(closed, axis=1).max() < 1e-4


def test_lids_lie_outside_the_eyeball(template: Template) -> None:
    for slit, side in zip(template.grid.eyes, (-1, 1), strict=True):
        for edge in (slit.upper, slit.lower):
            for closing in (0.0, 0.5, 1.0):
                lid = template.vertices[edge] + closing * template.upper_lids[edge]
                distance = np.linalg.norm(lid - anatomy.EYE * (side, 1, 1), axis=1)
                assert distance.min() > anatomy.EYE_RADIUS


def test_landmarks_are_where_they_are_named(template: Template) -> None:
    points = template.vertices[landmark_vertices(template)]
    np.testing.assert_allclose(points[landmark_order_when_mirrored()] * [-1, 1, 1], points, atol=1e-6)
    assert len(np.unique(landmark_vertices(template))) == 68
    x, y, z = points.T
    assert (np.diff(x[:17]) > 0).all(), "the jaw runs from the left of the picture to the right"
    assert y[8] == y[:17].min() and z[30] == z.max()
    assert (y[[37, 38]] > y[[41, 40]]).all() and x[36] < x[39] < 0 < x[42] < x[45]
    assert (y[49:54] > y[[59, 58, 57, 56, 55]]).all() and x[48] == x[48:68].min() and x[54] == x[48:68].max()
