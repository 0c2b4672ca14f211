"""Fixtures shared by all tests."""

from pathlib import Path

import pytest

from tests.golden import golden_root, missing_reason


@pytest.fixture(scope="session")
def golden() -> Path:
    """Folder of the reference numbers (`$FACEGEN_GOLDEN/golden`); the test is skipped where it is absent."""
    if not golden_root().exists():
        pytest.skip(missing_reason())
    return golden_root()
