import pytest

from facegen.morphable.procedural import ProceduralHead, build_head


@pytest.fixture(scope="session")
def head() -> ProceduralHead:
    """A coarse head, which is made in a second or two."""
    return build_head(detail=0.4)
