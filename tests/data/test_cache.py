import multiprocessing
from typing import Any

import numpy as np
import pytest

from facegen.data.cache import PixelCache, wants_cache

SHAPE = (3, 8, 8)


def image(row: int) -> np.ndarray:
    return np.random.default_rng(row).integers(0, 256, SHAPE, dtype=np.uint8)


def fill(cache: PixelCache, rows: list[int]) -> None:
    for row in rows:
        cache.put(row, image(row))


def test_what_is_put_is_got() -> None:
    cache = PixelCache(4, SHAPE)
    assert cache.get(2) is None
    cache.put(2, image(2))
    np.testing.assert_array_equal(cache.get(2), image(2))
    assert cache.get(1) is None and cache.get(3) is None


def test_black_images_count_as_present() -> None:
    cache = PixelCache(1, SHAPE)
    assert cache.get(0) is None
    cache.put(0, np.zeros(SHAPE, dtype=np.uint8))
    assert cache.get(0) is not None


def test_half_written_images_are_absent() -> None:
    cache = PixelCache(1, SHAPE)
    cache.put(0, image(0))
    cache._images[0, 0, 0, 0] ^= 1
    assert cache.get(0) is None


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_share_it(method: str) -> None:
    cache = PixelCache(64, SHAPE)
    context: Any = multiprocessing.get_context(method)
    workers = [context.Process(target=fill, args=(cache, rows)) for rows in ([*range(40)], [*range(63, 20, -1)])]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for row in range(64):
        np.testing.assert_array_equal(cache.get(row), image(row))


def test_auto_is_for_what_fits() -> None:
    assert wants_cache("auto", 2000, 64) and not wants_cache("auto", 70000, 1024)
    assert wants_cache(True, 70000, 1024) and not wants_cache(False, 1, 1)
    with pytest.raises(ValueError, match="auto, true or false"):
        wants_cache("yes", 1, 1)
