"""The benchmark of rasterisation runs, and its two ways to blend differ as it says."""

from pathlib import Path

import pytest
import torch

from benchmarks import morphable


@pytest.fixture(autouse=True)
def small_mesh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(morphable, "REAL", Path("nowhere"))
    assert [len(x) for x in morphable.face()[1:]] == [35534, 71064]  # of the size of the real one
    monkeypatch.setattr(morphable, "face", lambda: morphable.ellipsoid(10, 12))


@pytest.mark.parametrize("section", ["rasterise", "gradients"])
def test_times(section: str) -> None:
    threads = torch.get_num_threads()
    try:
        lines = list(morphable.SECTIONS[section](1))
    finally:
        torch.set_num_threads(threads)
    rows = [line for line in lines if "CPU" in line]
    assert len(rows) == 4 and all(float(row.split("|")[4]) > 0 for row in rows)


def test_walking_finds_what_the_nearer_triangle_misses() -> None:
    walk, near = morphable.slopes(morphable.ellipsoid(60, 80), trials=1, finer=4)
    assert float(walk.split("|")[0]) == pytest.approx(1, abs=0.02) and float(near.split("|")[0]) < 0.5
