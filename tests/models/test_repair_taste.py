"""A taste learnt from ratings, as a judge of pictures that were not rated."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from torch import Tensor

import facegen.models.repair.tasting as tasting
from facegen.curation.embedding import COLUMN, MODEL
from facegen.curation.taste.source import ratings_of
from facegen.data import table
from facegen.data.index import build_index

SIDE, COUNT = 8, 40


def embedded(pictures: list[np.ndarray]) -> np.ndarray:
    """Unit vectors that say how light a picture is, and little else."""
    light = np.array([picture.mean() / 255 for picture in pictures])
    return np.stack([np.cos(light), np.sin(light), np.zeros_like(light)], axis=1).astype(np.float32)


@pytest.fixture
def rated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Grey pictures with embeddings, of which somebody likes the light ones."""
    monkeypatch.setattr(tasting, "embedder", lambda model, weights, device: embedded)
    shades = {f"{n:02d}": np.full((SIDE, SIDE, 3), 255 * n // COUNT, np.uint8) for n in range(COUNT)}
    for name, shade in shades.items():
        Image.fromarray(shade).save(tmp_path / f"{name}.png")
    build_index(tmp_path)
    field = pa.field(COLUMN, pa.list_(pa.float32(), 3), metadata={MODEL: "light"})
    values = pa.array(list(embedded(list(shades.values()))), field.type)
    schema = pa.schema([pa.field("id", pa.string()), field])
    table.set_columns(table.table_path(tmp_path), pa.table([pa.array(shades), values], schema=schema))
    return tmp_path


def greys(*shades: int) -> Tensor:
    return torch.tensor(shades, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, SIDE, SIDE)


def test_what_was_liked_is_liked_in_new_pictures(rated: Path) -> None:
    for number in range(COUNT):
        ratings_of(rated).add(f"{number:02d}", "like" if number > COUNT // 2 else "dislike")
    learnt = tasting.learnt_taste(rated)
    dark, light = learnt.taste(greys(40, 220)).tolist()
    assert dark < 0.2 and light > 0.8 and learnt.rated == COUNT
    ratings_of(rated).add("30", "dislike")
    assert tasting.learnt_taste(rated).name != learnt.name  # what was chosen by another taste is chosen again


def test_a_taste_needs_ratings_of_both_kinds(rated: Path) -> None:
    ratings_of(rated).add("01", "like")
    with pytest.raises(ValueError, match=r"rate more faces \(facegen data taste"):
        tasting.learnt_taste(rated)
