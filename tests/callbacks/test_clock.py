"""When callbacks act, what they keep and what they drop."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from facegen.callbacks import Checkpoints, due
from facegen.callbacks.reports import keep_rows
from facegen.callbacks.samples import save_png, tile, to_uint8


def test_due_once_per_interval() -> None:
    moments = [seen for seen in range(3, 301, 3) if due(seen, 3, 50)]
    assert moments == [51, 102, 150, 201, 252, 300]


def test_keep_rows_drops_the_future_and_half_lines(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"images_seen": 8}\n{"images_seen": 16}\n{"images_seen": 24}\n{"images_se')
    keep_rows(path, 16)
    assert [json.loads(line)["images_seen"] for line in path.read_text().splitlines()] == [8, 16]


def test_old_checkpoints_go_and_milestones_stay(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    for kimg in range(1, 11):
        (tmp_path / "checkpoints" / f"{kimg:09.3f}.ckpt").touch()
    Checkpoints(tmp_path, 100, 1, keep=2, keep_every_kimg=4)._prune(batch_size=8)
    kept = sorted(path.stem for path in (tmp_path / "checkpoints").iterdir())
    assert kept == ["00004.000", "00008.000", "00009.000", "00010.000"]
    with pytest.raises(ValueError, match="at least 1"):
        Checkpoints(tmp_path, 100, 1, keep=0)


def test_grids_are_row_by_row(tmp_path: Path) -> None:
    images = torch.arange(6).reshape(6, 1, 1, 1).expand(6, 3, 2, 2) / 5 * 2 - 1
    picture = tile(to_uint8(images), columns=3)
    assert picture.shape == (4, 6, 3)
    assert picture[0, ::2, 0].tolist() == [0, 51, 102]
    assert picture[2, ::2, 0].tolist() == [153, 204, 255]
    again = np.asarray(Image.open(save_png(picture, tmp_path / "samples" / "a.png")))
    assert np.array_equal(again, picture)
