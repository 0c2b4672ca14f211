from itertools import islice

import numpy as np
import pytest

from facegen.data.sampling import GlobalBatches, epoch_order, positions_to_rows


@pytest.mark.parametrize("count", [1, 2, 7, 1000])
def test_every_epoch_holds_each_item_once(count: int) -> None:
    rows = positions_to_rows(3, count, np.arange(4 * count)).reshape(4, count)
    np.testing.assert_array_equal(np.sort(rows, axis=1), np.tile(np.arange(count), (4, 1)))
    if count == 1000:
        assert len({tuple(row) for row in rows}) == 4
        assert (rows[0] == np.arange(count)).mean() < 0.05


def test_a_position_does_not_depend_on_the_others() -> None:
    positions = np.random.default_rng(0).integers(0, 5000, 200)
    rows = positions_to_rows(1, 37, positions)
    np.testing.assert_array_equal(rows, [positions_to_rows(1, 37, [place])[0] for place in positions])


def test_seeds_differ_and_large_ones_work() -> None:
    orders = [positions_to_rows(seed, 50, np.arange(50)).tolist() for seed in (0, 1, 2**40, 2**63 - 1)]
    assert len({tuple(order) for order in orders}) == 4


def test_the_order_is_part_of_the_format() -> None:
    """A run resumed with another version of numpy must go on with the same images."""
    assert epoch_order(0, 8, 0).tolist() == [0, 2, 1, 5, 4, 3, 6, 7]


@pytest.mark.parametrize("arguments", [(0, 0, [0]), (-1, 4, [0]), (0, 4, [-1])])
def test_impossible_arguments(arguments: tuple) -> None:
    with pytest.raises(ValueError):
        positions_to_rows(*arguments)


@pytest.mark.parametrize("world", [1, 2, 4])
def test_processes_split_every_global_batch(world: int) -> None:
    whole = list(islice(GlobalBatches(10, 8, seed=5, start=16), 6))
    parts = [list(islice(GlobalBatches(10, 8, 5, 16, rank, world), 6)) for rank in range(world)]
    for number, batch in enumerate(whole):
        assert [parts[place % world][number][place // world] for place in range(8)] == batch


def test_resuming_goes_on_where_it_stopped() -> None:
    stream = list(islice(GlobalBatches(10, 4, seed=2), 12))
    assert list(islice(GlobalBatches(10, 4, seed=2, start=20), 7)) == stream[5:]


@pytest.mark.parametrize(("batch_size", "world"), [(0, 1), (6, 4), (1, 2)])
def test_batches_must_split_evenly(batch_size: int, world: int) -> None:
    with pytest.raises(ValueError, match="multiple"):
        GlobalBatches(10, batch_size, 0, world=world)
