"""Synthetic faces large enough to be judged, as pictures with their landmarks."""

import numpy as np
import pytest

from facegen.data.synthetic.faces import Settings, make_face
from facegen.morphable.procedural import ProceduralHead
from tests.curation.conftest import DETAIL, Truth


@pytest.fixture(scope="session")
def large(procedural: ProceduralHead) -> list[Truth]:
    """Two faces of 256 pixels."""
    made = [make_face(procedural, Settings(5, 256, "ffhq", DETAIL), number) for number in range(2)]
    return [Truth(face.picture.image, face.picture.landmarks.astype(np.float64), face.label) for face in made]
