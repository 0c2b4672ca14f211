"""Several jobs at a time on one machine: each has its share of the CPUs, or a GPU of its own."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from queue import SimpleQueue
from typing import IO

from facegen.study.jobs import Execute, Job, end_with_parent, in_sequence, signals_to

BETWEEN_BARS = 20.0  # seconds
MEMORY_OF_JOB = 4 * 2**30  # bytes; a small training takes 1.2 GB


def places(at_once: str) -> list[list[int]]:
    """CPUs of each job that runs at a time; `auto`: one job per GPU, without GPUs one per CPU as memory allows.

    Networks that a CPU can train are so small that a second core hardly helps one of them, but doubles two.
    Raises ValueError for anything but `auto` or a whole number of at least 1.
    """
    if at_once != "auto" and (not at_once.isdecimal() or int(at_once) < 1):
        raise ValueError(f"at_once: got {at_once!r}, expected auto or a whole number of at least 1")
    cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    count = _automatic(len(cpus)) if at_once == "auto" else int(at_once)
    return [cpus[start::count] or cpus for start in range(count)]


def _automatic(cpus: int) -> int:
    import psutil
    import torch

    if torch.cuda.is_available():
        return torch.cuda.device_count()
    return max(min(cpus, psutil.virtual_memory().available // MEMORY_OF_JOB), 1)


def side_by_side(shares: Sequence[Sequence[int]]) -> Execute:
    """What runs as many jobs at a time as there are shares of the CPUs; lines of output begin with the job's number.

    Ctrl-C and SIGTERM are handed to all. When a job fails, those at work are asked to save and end: ValueError.
    """

    def execute(jobs: Sequence[Job]) -> None:
        count = min(len(shares), len(jobs))
        if count < 2:
            return in_sequence(jobs)
        free: SimpleQueue[int] = SimpleQueue()
        for place in range(count):
            free.put(place)
        merged = [[cpu for share in shares[place::count] for cpu in share] for place in range(count)]
        _run_all(jobs, merged, free)

    return execute


def _run_all(jobs: Sequence[Job], shares: Sequence[Sequence[int]], free: "SimpleQueue[int]") -> None:
    running: dict[int, subprocess.Popen[bytes]] = {}
    stopped = threading.Event()

    def run(number: int, job: Job) -> None:
        place = free.get()
        try:
            if not stopped.is_set():
                _run(f"[{number}/{len(jobs)}]", job, place, shares[place], running)
        except BaseException:
            stopped.set()  # before the place is free for a job that should not begin any more
            raise
        finally:
            free.put(place)

    def send(signum: int) -> None:
        stopped.set()
        for process in list(running.values()):
            process.send_signal(signum)

    with signals_to(send), ThreadPoolExecutor(len(shares)) as pool:
        futures = [pool.submit(run, number, job) for number, job in enumerate(jobs, 1)]
        _wait(futures, send)
    for future in futures:
        future.result()


def _wait(futures: Sequence["Future[None]"], send: Callable[[int], None]) -> None:
    """Wait in short turns, because Python handles signals between them; end the others when one fails."""
    waiting, asked = set(futures), False
    while waiting:
        done, waiting = wait(waiting, timeout=0.2, return_when=FIRST_EXCEPTION)
        if not asked and any(future.exception() for future in done):
            send(signal.SIGTERM)
            asked = True


def _run(mark: str, job: Job, place: int, cpus: Sequence[int], running: dict[int, "subprocess.Popen[bytes]"]) -> None:
    _say(f"{mark} {job.title}")
    process = subprocess.Popen(
        [sys.executable, "-m", "facegen", *job.words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | _gpu(place),
        process_group=0,
        close_fds=False,
        preexec_fn=(lambda: _settle(cpus)) if sys.platform == "linux" else None,
    )
    running[place] = process
    _pass_on(process.stdout, mark)
    status = process.wait()
    del running[place]
    if status != 0:
        raise ValueError(f"{job.title}: ended with status {status}; the command was {job}")


def _pass_on(output: IO[bytes] | None, mark: str) -> None:
    """Print lines with a mark, and of progress bars, which redraw one line for ever, one state now and then."""
    assert output is not None
    last = time.monotonic()
    for line in io.TextIOWrapper(output, newline="", errors="replace"):
        is_bar = line.endswith("\r")
        if line.strip() and (not is_bar or time.monotonic() - last > BETWEEN_BARS):
            _say(f"{mark} {line.rstrip()}")
            last = time.monotonic() if is_bar else last


def _say(line: str) -> None:
    """A whole line in one piece: `print` would write the line's end by itself, with other threads in between."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _gpu(place: int) -> dict[str, str]:
    import torch

    if not torch.cuda.is_available():
        return {}
    known = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = known.split(",") if known else [str(number) for number in range(torch.cuda.device_count())]
    return {"CUDA_VISIBLE_DEVICES": names[place % len(names)]}


def _settle(cpus: Sequence[int]) -> None:
    os.sched_setaffinity(0, cpus)
    end_with_parent()
