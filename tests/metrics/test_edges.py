"""Edges beside edges: known answers, the tolerance, and what there is no answer to."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from facegen.metrics.edges import EdgeF1, near, thin_edges

SIDE = 32


def line(column: int, side: int = SIDE) -> NDArray[np.bool_]:
    """An upright line (1, side, side)."""
    edges = np.zeros((1, side, side), dtype=bool)
    edges[0, :, column] = True
    return edges


def measured(found: NDArray[np.bool_], asked: NDArray[np.bool_]) -> list[float]:
    metric = EdgeF1()
    metric.update(found, asked)
    return [float(value) for value in metric.compute()]


def test_known_answers() -> None:
    assert measured(line(8), line(8)) == [1, 1, 1]
    assert measured(line(8), line(20)) == [0, 0, 0]
    both = line(8) | line(20)
    assert measured(both, line(8)) == pytest.approx([2 / 3, 0.5, 1])
    assert measured(line(8), both) == pytest.approx([2 / 3, 1, 0.5])


def test_the_tolerance_grows_with_the_picture() -> None:
    assert near(line(9)[0], line(8)[0]) == SIDE and near(line(10)[0], line(8)[0]) == 0
    large = 512  # 0.75 % of the diagonal: 5.4 pixels
    assert near(line(105, large)[0], line(100, large)[0]) == large
    assert near(line(106, large)[0], line(100, large)[0]) == 0


def test_nothing_to_find_and_nothing_found() -> None:
    empty = np.zeros((1, SIDE, SIDE), dtype=bool)
    f1, precision, recall = measured(empty, line(8))
    assert f1 == 0 and precision != precision and recall == 0
    assert all(value != value for value in measured(empty, empty))


def test_batches_make_no_difference() -> None:
    rng = np.random.default_rng(0)
    found, asked = rng.random((2, 7, SIDE, SIDE)) < 0.02
    whole, split = EdgeF1(), EdgeF1()
    whole.update(found, asked)
    for part in (slice(0, 3), slice(3, 7)):
        split.update(found[part], asked[part])
    assert torch.equal(whole.counts, split.counts) and 0.1 < float(whole.compute().f1) < 0.9
    with pytest.raises(ValueError, match="expected one shape"):
        whole.update(found, asked[:, 1:])


def test_thick_lines_become_thin() -> None:
    sketch = np.full((SIDE, SIDE), 255, dtype=np.uint8)
    sketch[:, 10:15] = 100
    sketch[:, 20] = 220  # too faint
    edges = thin_edges(sketch)
    assert edges[4:-4].sum(axis=1).max() == 1 and edges[10, 11:14].any() and not edges[:, 20].any()
