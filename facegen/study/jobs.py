"""Jobs of a study: commands of the program, each in a process of its own, which gives its memory back and may be killed
without harm to the study."""

import ctypes
import fcntl
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple


class Job(NamedTuple):
    """One command: what people call it, and the words after `facegen`."""

    title: str
    words: list[str]

    def __str__(self) -> str:
        return shlex.join(["facegen", *self.words])


# Does all jobs of one stage, which do not depend on each other, and returns when they have ended.
Execute = Callable[[Sequence[Job]], None]


def in_sequence(jobs: Sequence[Job]) -> None:
    """Run jobs one after another as processes whose bars and lines go where ours go.

    Ctrl-C and SIGTERM are handed on once, so that a training saves before it ends. ValueError when a job fails.
    """
    for number, job in enumerate(jobs, 1):
        print(f"[{number}/{len(jobs)}] {job.title}", flush=True)
        run_job(job.words, job.title)


def run_job(words: Sequence[str], title: str) -> None:
    """One command in a process of its own."""
    # A process group of its own: the terminal's Ctrl-C comes to us alone, and we hand it on exactly once.
    process = subprocess.Popen(
        [sys.executable, "-m", "facegen", *words],
        stdin=subprocess.DEVNULL,
        process_group=0,
        close_fds=False,  # so that it holds the study's lock too, see `alone`
        preexec_fn=end_with_parent if sys.platform == "linux" else None,
    )
    with signals_to(process.send_signal):
        status = process.wait()
    if status != 0:
        raise ValueError(f"{title}: ended with status {status}; the command was {Job(title, list(words))}")


def end_with_parent() -> None:
    """Ask Linux for a SIGTERM when the study is killed: a training nobody waits for would be in the way of the next."""
    set_parent_death_signal = 1  # PR_SET_PDEATHSIG of prctl(2)
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)


@contextmanager
def signals_to(send: Callable[[int], Any]) -> Iterator[None]:
    """Hand SIGINT and SIGTERM on by `send`; KeyboardInterrupt at the end if there was one."""
    received: list[int] = []

    def hand_on(number: int, frame: Any) -> None:
        received.append(number)
        send(number)

    before = {number: signal.signal(number, hand_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if received:
            raise KeyboardInterrupt


@contextmanager
def alone(folder: Path, patience: float = 60.0) -> Iterator[None]:
    """Hold the study's folder; wait up to `patience` seconds for another study that holds it, then ValueError.

    The jobs inherit the lock: the training of a killed study needs a moment to save and end, and until then nobody else
    may continue it.
    """
    path = folder / ".lock"
    with path.open("a+") as file:
        _wait_for(file, path, patience)
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        os.set_inheritable(file.fileno(), True)
        yield


def _wait_for(file: IO[str], path: Path, patience: float) -> None:
    end = time.monotonic() + patience
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                file.seek(0)
                holder = file.read().strip()
                raise ValueError(
                    f"{path}: got a study that is at work (process {holder}, or a job that it has started); expected "
                    "none; wait until it ends, or end it"
                ) from None
            time.sleep(0.2)
