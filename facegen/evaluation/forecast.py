"""How long an evaluation will take, from a small timed part of it."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from facegen.data.datamodule import available_cpus
from facegen.evaluation.filling import Job, reproducible
from facegen.evaluation.store import Store
from facegen.evaluation.streams import Stream
from facegen.reports.durations import duration

_TIMED = 16  # pictures
_LEAST = 64  # pictures that are worth timing some
_START = 10.0  # seconds of work that are worth another process, whose start takes about as long


def say_origins(streams: Sequence[Stream], stores: Sequence[Store], jobs: Sequence[Job], say: Callable) -> None:
    """Say of each stream what comes from the cache."""
    missing = {job.store.key: job.rows for job in jobs}
    for stream, store in zip(streams, stores, strict=True):
        left = missing.get(store.key, 0)
        origin = "from the cache" if not left else f"{left:,} to be computed"
        say(f"{stream.title}: {stream.rows:,} pictures, {origin}")


def forecast(jobs: Sequence[Job], processes: int | None, say: Callable[[str], Any]) -> int:
    """Say how long jobs will take, and return how many processes should share them: as told, or None for a choice."""
    long = [job for job in jobs if job.rows > _LEAST]
    rates = [rate_of(job.stream) for job in long]
    seconds = sum(job.rows / rate for job, rate in zip(long, rates, strict=True))
    chosen = processes or max(1, min(_at_hand(jobs), int(seconds / _START)))
    if long:
        shown = ", ".join(
            f"{job.rows:,} {job.stream.title} at {rate * chosen:.3g}/s" for job, rate in zip(long, rates, strict=True)
        )
        several = f" in {chosen} processes" if chosen > 1 else ""
        say(f"about {duration(seconds / chosen)}{several}: {shown}")
    return chosen


def _at_hand(jobs: Sequence[Job]) -> int:
    if jobs and jobs[0].stream.device.type == "cuda":
        return torch.cuda.device_count()
    return available_cpus()


def rate_of(stream: Stream) -> float:
    """Pictures a second: a few to warm up, and a small batch that is timed."""
    count = min(stream.batch_size, _TIMED, stream.rows)
    with reproducible():
        stream.make(0, min(2, count))
        start = time.perf_counter()
        stream.make(0, count)
        return count / max(time.perf_counter() - start, 1e-9)
