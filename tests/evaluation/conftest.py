"""Small pictures with cameras, a tiny EG3D, and a plan that takes a second."""

from pathlib import Path
from typing import Any

import pytest
import torch

from facegen.data import Recipe
from facegen.evaluation import NamedRecipe, Plan
from tests.models.tiny import photographs, tiny_eg3d


@pytest.fixture
def generator() -> Any:
    torch.manual_seed(0)
    return tiny_eg3d().generator.eval().requires_grad_(False)


@pytest.fixture
def recipes(tmp_path: Path) -> list[NamedRecipe]:
    """Two recipes of 16 pixels with labels: nine faces with their mirror images, and seven."""
    first = Recipe(photographs(tmp_path / "first", 9), labels=True, mirror=True)
    second = Recipe(photographs(tmp_path / "second", 7, size=20), resolution=16, labels=True)
    return [NamedRecipe("first", first), NamedRecipe("second", second)]


@pytest.fixture
def plan() -> Plan:
    return Plan(("fid", "fid3d"), num_images=20, batch_size=8)
