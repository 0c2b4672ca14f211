"""Making the shards that stores do not have, in this process or in several."""

import copy
import pickle
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tqdm import tqdm

from facegen.data.processes import spawn_pool
from facegen.evaluation.store import Store, shard_rows
from facegen.evaluation.streams import Stream, make_shard

_LOOK = 0.5  # seconds between looks at what other processes have done
_GO = "go"  # a file: work goes on while it is there


class Job(NamedTuple):
    """Shards of a stream that are to be made."""

    stream: Stream
    store: Store
    numbers: list[int]

    @property
    def rows(self) -> int:
        """How many pictures that is."""
        return sum(shard_rows(number, self.stream.rows) for number in self.numbers)

    def bar(self) -> Any:
        """Progress with the time left."""
        return tqdm(total=self.rows, desc=self.stream.title, unit="img", mininterval=_LOOK)


@contextmanager
def reproducible() -> Iterator[None]:
    """Settings under which the same picture gives the same bits in every process, and as they were afterwards.

    One thread, because the order of sums depends on their number; no TF32, and no choice of kernels by their speed.
    """
    matmul: Any = torch.backends.cuda.matmul
    before = torch.get_num_threads(), matmul.allow_tf32
    torch.set_num_threads(1)
    matmul.allow_tf32 = False
    exact = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    try:
        with exact, torch.inference_mode():
            yield
    finally:
        torch.set_num_threads(before[0])
        matmul.allow_tf32 = before[1]


def jobs_of(streams: Sequence[Stream], stores: Sequence[Store], rank: int = 0, world: int = 1) -> list[Job]:
    """What is missing of streams; of several processes each takes every `world`-th shard."""
    pairs = list(zip(streams, stores, strict=True))
    missing = [[n for n in store.missing(stream.rows) if n % world == rank] for stream, store in pairs]
    return [Job(*pair, numbers) for pair, numbers in zip(pairs, missing, strict=True) if numbers]


def fill(jobs: Sequence[Job], processes: int = 1) -> None:
    """Make shards. processes: started for the work when there are two or more, on every GPU in turn."""
    for job in jobs:
        job.store.describe()
    if processes < 2:
        for job in jobs:
            with job.bar() as bar:
                _fill_one(job, bar.update)
    elif jobs:
        with tempfile.TemporaryDirectory(prefix="facegen-") as folder:
            _share(jobs, processes, Path(folder))


def _fill_one(job: Job, report: Callable[[int], Any]) -> None:
    with reproducible():
        for number in job.numbers:
            job.store.write(number, make_shard(job.stream, number, report))


def _share(jobs: Sequence[Job], processes: int, folder: Path) -> None:
    """Deal shards out to processes, which say in files of `folder` how far they are, and stop when `go` is gone."""
    # Plain bytes: torch's way to hand tensors to processes needs more shared memory than containers have.
    packed = pickle.dumps([_on_cpu(jobs), [job.stream.device.type for job in jobs]])
    (folder / _GO).touch()
    with spawn_pool(processes) as pool:
        shares = [pool.submit(_fill_share, packed, n, processes, folder) for n in range(processes)]
        try:
            for place, job in enumerate(jobs):
                _watch(shares, job, place, folder)
        except BrokenProcessPool as error:
            raise OSError("a process of the evaluation was killed (memory?); run it again to go on") from error
        finally:
            (folder / _GO).unlink()


def _on_cpu(jobs: Sequence[Job]) -> list[Job]:
    moved = copy.deepcopy(list(jobs))
    for job in moved:
        job.stream.to(torch.device("cpu"))
    return moved


def _watch(shares: list[Future[None]], job: Job, place: int, folder: Path) -> None:
    """Show how far a job is until it is done. Raises what a process raised."""
    with job.bar() as bar:
        while bar.n < job.rows:
            over = all(share.done() for share in shares)
            for share in (share for share in shares if share.done()):
                share.result()
            if done := sum(path.stat().st_size for path in folder.glob(f"{place}-*")) - bar.n:
                bar.update(done)
            elif over:
                return
            else:
                time.sleep(_LOOK)


def _fill_share(packed: bytes, process: int, processes: int, folder: Path) -> None:
    jobs, kinds = pickle.loads(packed)
    for place, (job, kind) in enumerate(zip(jobs, kinds, strict=True)):
        job.stream.to(torch.device(kind, process % torch.cuda.device_count() if kind == "cuda" else 0))
        with (folder / f"{place}-{process}").open("wb", buffering=0) as progress:
            _fill_one(job._replace(numbers=job.numbers[process::processes]), _reporter(folder, progress))


def _reporter(folder: Path, progress: Any) -> Callable[[int], None]:
    def report(count: int) -> None:
        if not (folder / _GO).exists():
            raise InterruptedError("stopped")
        progress.write(b"." * count)

    return report
