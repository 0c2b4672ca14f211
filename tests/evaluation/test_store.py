"""Shards are read back, and count as missing where anything is wrong with them."""

from pathlib import Path

import numpy as np
import pytest

from facegen.evaluation.store import SHARD, Store, num_shards, shard_rows


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path, {"a": 1})
    for number in (0, 1):
        values = np.arange(number * SHARD, (number + 1) * SHARD)
        store.write(number, {"x": values, "y": np.stack([values, values], 1)})
    return store


def test_rows_come_back_in_order(store: Store) -> None:
    rows = store.all(SHARD + 5)
    assert np.array_equal(rows["x"], np.arange(SHARD + 5)) and rows["y"].shape == (SHARD + 5, 2)
    assert store.missing(2 * SHARD) == [] and store.missing(2 * SHARD + 1) == [2]
    assert num_shards(SHARD + 1) == 2 and shard_rows(1, SHARD + 1) == 1


def test_another_description_is_another_store(store: Store, tmp_path: Path) -> None:
    assert Store(tmp_path, {"a": 2}).missing(1) == [0] and Store(tmp_path, {"a": 1}).missing(1) == []


@pytest.mark.parametrize("damage", ["half", "empty", "bit", "text", "short", "gone"])
def test_a_damaged_shard_is_missing(store: Store, damage: str) -> None:
    path = store.path(1)
    data = path.read_bytes()
    middle = len(data) // 2
    flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
    changed = {"half": data[:middle], "empty": b"", "bit": flipped, "text": b"no zip"}
    if damage == "short":
        store.write(1, {"x": np.arange(3)})
        assert store.missing(SHARD + 3) == []
    elif damage == "gone":
        path.unlink()
    else:
        path.write_bytes(changed[damage])
    assert store.missing(2 * SHARD) == [1]
    with pytest.raises(ValueError, match="1 shards disappeared"):
        store.all(2 * SHARD)


def test_a_pickle_is_not_read(store: Store) -> None:
    with store.path(0).open("wb") as file:
        np.savez(file, x=np.array([{"a": 1}] * SHARD, dtype=object))
    assert store.missing(SHARD) == [0]


def test_the_description_lies_beside_the_shards(store: Store) -> None:
    store.describe()
    assert '"a": 1' in (store.folder / "about.json").read_text()
