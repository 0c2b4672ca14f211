"""How long an evaluation will take, from a small timed part of it."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from facegen.evaluation.filling import reproducible
from facegen.evaluation.store import Store, shard_rows
from facegen.evaluation.streams import Stream

_LEAST = 512  # images below which nobody waits long enough to be told


def forecast(streams: Sequence[Stream], stores: Sequence[Store], processes: int, say: Callable[[str], Any]) -> None:
    """Say what comes from the cache, and how long the rest will take."""
    words, seconds = [], 0.0
    for stream, store in zip(streams, stores, strict=True):
        missing = sum(shard_rows(number, stream.rows) for number in store.missing(stream.rows))
        say(f"{stream.title}: {stream.rows:,} pictures, {_origin(stream.rows, missing)}")
        if missing > _LEAST:
            rate = rate_of(stream) * processes
            words.append(f"{missing:,} {stream.title} at {rate:,.3g}/s")
            seconds += missing / rate
    if words:
        say(f"about {duration(seconds)}: {', '.join(words)}")


def _origin(rows: int, missing: int) -> str:
    if not missing:
        return "all from the cache"
    return "to be computed" if missing == rows else f"{rows - missing:,} from the cache, the rest to be computed"


def rate_of(stream: Stream) -> float:
    """Pictures a second: a small batch to warm up, and one that is timed."""
    count = min(stream.batch_size, 16, stream.rows)
    with reproducible():
        stream.make(0, min(2, count))
        start = time.perf_counter()
        stream.make(0, count)
        return count / max(time.perf_counter() - start, 1e-9)


def duration(seconds: float) -> str:
    """As people say it: 40 s, 4 min 10 s, 2 h 5 min."""
    whole = max(1, round(seconds))
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
