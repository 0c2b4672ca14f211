"""Making the shards that a store does not have, in this process or in several."""

import copy
import pickle
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

import torch
from tqdm import tqdm

from facegen.data.processes import spawn_pool
from facegen.evaluation.store import Store, shard_rows
from facegen.evaluation.streams import Stream, make_shard

_LOOK = 0.5  # seconds between looks at what other processes have written


@contextmanager
def reproducible() -> Iterator[None]:
    """Settings under which the same picture gives the same bits in every process, and as they were afterwards.

    One thread, because the order of sums depends on their number; no TF32, and no choice of kernels by their speed.
    """
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = torch.get_num_threads(), cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32, matmul.allow_tf32
    torch.set_num_threads(1)
    cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32, matmul.allow_tf32 = False, True, False, False
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_num_threads(before[0])
        cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32, matmul.allow_tf32 = before[1:]


def fill(stream: Stream, store: Store, processes: int = 1, rank: int = 0, world: int = 1) -> int:
    """Make what is missing of a stream's shards and return how many were.

    rank, world: this process makes every `world`-th of them. processes: started for the work, on every GPU in turn.
    """
    todo = [number for number in store.missing(stream.rows) if number % world == rank]
    if not todo:
        return 0
    store.describe()
    left = sum(shard_rows(number, stream.rows) for number in todo)
    with tqdm(total=left, desc=stream.title, unit="image", disable=rank > 0, mininterval=0.5) as bar:
        if processes < 2 or len(todo) < 2:
            fill_some(stream, store, todo, bar.update)
        else:
            _share(stream, store, todo, min(processes, len(todo)), bar)
    return len(todo)


def fill_some(stream: Stream, store: Store, numbers: list[int], report: Callable[[int], Any] = lambda n: None) -> None:
    """Make some shards in this process."""
    with reproducible():
        for number in numbers:
            store.write(number, make_shard(stream, number, report))


def _share(stream: Stream, store: Store, todo: list[int], processes: int, bar: Any) -> None:
    """Deal shards out to processes, and watch the folder for the bar."""
    # Plain bytes: torch's way to hand tensors to processes needs more shared memory than containers have.
    packed, device = pickle.dumps(_on_cpu(stream)), stream.device.type
    with spawn_pool(processes) as pool:
        shares = [
            pool.submit(_fill_share, packed, store, todo[n::processes], _nth(device, n)) for n in range(processes)
        ]
        try:
            _watch(shares, store, stream.rows, todo, bar)
            for share in shares:
                share.result()
        except BrokenProcessPool as error:
            raise OSError("a process of the evaluation was killed (memory?); run it again to go on") from error
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _on_cpu(stream: Stream) -> Stream:
    moved = copy.deepcopy(stream)
    moved.to(torch.device("cpu"))
    return moved


def _watch(shares: list[Future[None]], store: Store, rows: int, todo: list[int], bar: Any) -> None:
    waiting = set(todo)
    while waiting and not all(share.done() for share in shares):
        if any(share.done() and share.exception() for share in shares):
            return
        done = {number for number in waiting if store.path(number).exists()}
        bar.update(sum(shard_rows(number, rows) for number in done))
        waiting -= done
        time.sleep(_LOOK)
    bar.update(sum(shard_rows(number, rows) for number in waiting))


def _nth(kind: str, process: int) -> str:
    return f"{kind}:{process % torch.cuda.device_count()}" if kind == "cuda" else kind


def _fill_share(packed: bytes, store: Store, numbers: list[int], device: str) -> None:
    stream: Stream = pickle.loads(packed)
    stream.to(torch.device(device))
    fill_some(stream, store, numbers)
