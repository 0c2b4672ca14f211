from pathlib import Path

import pytest

from facegen.morphable.procedural_model import ProceduralFaces, procedural_faces

DETAIL = 0.4  # a coarse head, made in a second or two


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> ProceduralFaces:
    """The built-in model, coarse, with the coding of synthetic faces."""
    return procedural_faces(Path(tmp_path_factory.mktemp("head")), DETAIL)
