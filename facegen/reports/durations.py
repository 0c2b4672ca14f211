"""Seconds as people read them, the same in logs, forecasts and reports."""


def duration(seconds: float) -> str:
    """Two units at the most: 41s, 3m 20s, 2h 05m, 1d 07h."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m {seconds % 60:02d}s"
    if seconds < 86400:
        return f"{seconds // 3600}h {seconds // 60 % 60:02d}m"
    return f"{seconds // 86400}d {seconds // 3600 % 24:02d}h"
