"""Compiled loops on several threads: the loops let go of the interpreter lock, Python's pool hands out the work."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch


def each(function: Callable[..., Any], *arguments: Iterable[Any]) -> list[Any]:
    """`list(map(function, *arguments))` on torch.get_num_threads() threads."""
    tasks = list(zip(*arguments, strict=True))
    threads = min(len(tasks), torch.get_num_threads())
    if threads <= 1:
        return [function(*task) for task in tasks]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda task: function(*task), tasks))
