"""Hairlines of drawn faces, whose ellipses are known."""

import numpy as np
import pytest

from facegen.curation.parsing.hairlines import NUM_POINTS, Hairlines, find_hairlines
from facegen.data.masks import CELEBAMASK
from tests.curation.parsing import colors

MIDDLE = NUM_POINTS // 2


def lines(ids: np.ndarray, points: np.ndarray | None = None) -> Hairlines:
    return find_hairlines(ids, colors.landmarks() if points is None else points, colors.PARTS)


def on_ellipse(points: np.ndarray, cx: float, cy: float, rx: float, ry: float) -> np.ndarray:
    """How far points are from an ellipse, about, in pixels."""
    return (np.hypot((points[:, 0] - cx) / rx, (points[:, 1] - cy) / ry) - 1) * min(rx, ry)


def test_lines_lie_where_face_and_hair_end() -> None:
    inner, outer = lines(colors.face())
    assert inner.shape == outer.shape == (NUM_POINTS, 2)
    upper = slice(4, -4)  # beside them are the ears
    assert np.abs(on_ellipse(inner[upper], 32, 36, 17, 20)).max() < 1
    assert np.abs(on_ellipse(outer[upper], 32, 28, 24, 24)).max() < 1
    assert (np.diff(inner[upper, 0]) > 0).all() and inner[MIDDLE, 0] == pytest.approx(32, abs=0.5)


def test_a_turned_picture_has_turned_lines() -> None:
    """The face on its side: every point goes along."""
    ids, points = colors.face(), colors.landmarks()
    turned = lines(np.ascontiguousarray(np.rot90(ids)), np.stack([points[:, 1], 64 - points[:, 0]], axis=1))
    for line, other in zip(lines(ids), turned, strict=True):
        assert np.abs(np.stack([line[:, 1], 64 - line[:, 0]], axis=1) - other)[4:-4].max() < 1.5


def test_other_parts_mean_other_lines() -> None:
    """The same ids as CelebAMask-HQ's: skin is 2 of ours, and a nose there."""
    found = find_hairlines(colors.face(), colors.landmarks(), CELEBAMASK)
    assert np.isnan(found.inner).all() and np.isnan(found.outer).all()


def test_without_hair_there_are_none() -> None:
    ids = colors.face()
    ids[ids == colors.PARTS.index("hair")] = 0
    inner, outer = lines(ids)
    assert np.isnan(inner).all() and np.isnan(outer).all()


def test_a_hat_hides_both() -> None:
    ids = colors.face()
    hat = (ids == colors.PARTS.index("hair")) & (np.arange(64)[:, None] < 20)
    ids[hat] = colors.PARTS.index("hat")
    inner, outer = lines(ids)
    assert np.isnan(outer[5:-5]).all() and np.isfinite(outer[[1, -2]]).all()
    assert np.isnan(inner[MIDDLE]).all()


def test_hair_that_leaves_the_picture_has_no_end() -> None:
    cut = colors.face()[9:]
    inner, outer = lines(cut, colors.landmarks() - (0, 9))
    assert np.isnan(outer[MIDDLE]).all() and np.isfinite(outer[2]).all() and np.isfinite(inner[MIDDLE]).all()


def test_hair_over_the_nose_s_root_hides_the_inner_line() -> None:
    ids = colors.face()
    ids[:40][ids[:40] != 0] = colors.PARTS.index("hair")
    inner, outer = lines(ids)
    assert np.isnan(inner).all() and np.isfinite(outer[4:-4]).all()


def test_strands_and_gaps_are_passed() -> None:
    """A strand of one pixel across a forehead, and a parting of six within the hair, of a face of 58."""
    plain = np.repeat(np.repeat(colors.face(), 4, axis=0), 4, axis=1)
    ids = plain.copy()
    ids[88, 110:146] = colors.PARTS.index("hair")
    parting = ids[40:46]
    parting[parting == colors.PARTS.index("hair")] = 0
    for line, other in zip(lines(ids, 4 * colors.landmarks()), lines(plain, 4 * colors.landmarks()), strict=True):
        np.testing.assert_array_equal(line[8:-8], other[8:-8])
    ids[88:94, 110:146] = colors.PARTS.index("hair")
    assert lines(ids, 4 * colors.landmarks()).inner[MIDDLE, 1] == pytest.approx(94, abs=1)  # so much is a lock
