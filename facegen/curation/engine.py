"""Where chunks of work are computed: in this process, in a pool of processes, or on Ray. The results are the same.

An engine is a function of a function and items that yields what the function returned, in any order. The function
writes what it makes to disk and returns counts, so nothing large travels between processes.
"""

import logging
import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from typing import Any, Literal, get_args

from facegen.data.processes import spawn_pool

EngineName = Literal["pool", "ray"]
Engine = Callable[[Callable[[Any], int], Sequence[Any]], Iterator[int]]
_RAY_STORE = 128 * 2**20  # bytes of Ray's shared memory: only names and numbers pass through it


@contextmanager
def open_engine(name: EngineName, workers: int) -> Iterator[Engine]:
    """An engine of `workers` processes that start when the first chunk needs them and end with the context.

    `pool` with 0 workers computes in this process. `ray` uses the cluster that RAY_ADDRESS names or that this process
    is connected to, else starts one of `workers` CPUs; all machines must see the same folders.
    Raises ValueError for other names, ModuleNotFoundError where Ray is not installed.
    """
    if name not in get_args(EngineName):
        raise ValueError(f"engine: got {name!r}, expected one of: {', '.join(get_args(EngineName))}")
    if type(workers) is not int or workers < 0:
        raise ValueError(f"workers: got {workers!r}, expected 0 (this process) or more")
    with ExitStack() as stack:
        if name == "ray":
            yield _ray(stack, max(workers, 1))
        elif workers == 0:
            yield map
        else:
            yield _pool(stack, workers)


def _pool(stack: ExitStack, workers: int) -> Engine:
    pools: list[ProcessPoolExecutor] = []

    def run(function: Callable[[Any], int], items: Sequence[Any]) -> Iterator[int]:
        if not pools:
            pools.append(spawn_pool(workers))
            stack.callback(pools[0].shutdown, cancel_futures=True)
        try:
            for future in as_completed([pools[0].submit(function, item) for item in items]):
                yield future.result()
        except BrokenProcessPool as error:
            raise OSError("a curating process was killed (memory?); the same command goes on, try workers=1") from error

    return run


def _ray(stack: ExitStack, workers: int) -> Engine:
    """Ray Data over the items, one block each, so that they are handed out one by one."""
    try:
        import ray
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("engine=ray needs Ray; pip install 'ray[data]', or use engine=pool") from error

    def run(function: Callable[[Any], int], items: Sequence[Any]) -> Iterator[int]:
        if not ray.is_initialized():
            _start_ray(ray, workers)
            stack.callback(ray.shutdown)
        packed = [{"item": pickle.dumps((function, item))} for item in items]
        done = ray.data.from_items(packed, override_num_blocks=len(packed)).map(_unpacked)
        for row in done.iter_rows():
            yield int(row["done"])

    return run


def _unpacked(row: dict[str, Any]) -> dict[str, int]:
    function, item = pickle.loads(row["item"])  # packed by this program's own main process
    return {"done": function(item)}


def _start_ray(ray: Any, workers: int) -> None:
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR, "include_dashboard": False}
    if os.environ.get("RAY_ADDRESS"):
        ray.init(log_to_driver=False, logging_level=logging.ERROR)
    else:
        ray.init(num_cpus=workers, object_store_memory=_RAY_STORE, **quiet)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False  # the caller has one
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.WARNING)
