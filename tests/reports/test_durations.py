"""Durations as people read them."""

import pytest

from facegen.reports.durations import duration


@pytest.mark.parametrize(
    ("seconds", "text"), [(41, "41s"), (200.4, "3m 20s"), (7500, "2h 05m"), (111600, "1d 07h"), (59.6, "1m 00s")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
