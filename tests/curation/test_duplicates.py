"""Near-duplicate groups: which face stands for others, by hand-made pairs and by pictures that were copied."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from facegen.curation.columns import add_columns
from facegen.curation.duplicates import duplicates_whole, keep_best
from facegen.curation.embedding import MODEL, embedder, embedding_group
from facegen.data import table
from facegen.data.search import Pairs

SMALL = "efficientnet_lite0@64"
NEAR = 0.95


def _pairs(*found: tuple[int, int, float]) -> Pairs:
    first, second, cosine = (np.array(values) for values in zip(*found, strict=True))
    return Pairs(first, second, cosine.astype(np.float32))


def test_the_best_stands_for_what_is_near_it() -> None:
    """0 - 1 - 2 is a chain: 1 is a copy of 0, but 2 is near neither 0 nor another kept row, so it is kept."""
    chain = _pairs((0, 1, 0.95), (1, 2, 0.94))
    assert keep_best(chain, np.arange(4)).original.tolist() == [0, 0, 2, 3]
    best_in_the_middle = np.array([1, 0, 2, 3])
    kept = keep_best(chain, best_in_the_middle)
    assert kept.original.tolist() == [1, 1, 1, 3]
    np.testing.assert_allclose(kept.cosine, [0.95, np.nan, 0.94, np.nan])


def test_a_copy_belongs_to_the_nearest_kept_one() -> None:
    kept = keep_best(_pairs((0, 2, 0.93), (1, 2, 0.97)), np.arange(3))
    assert kept.original.tolist() == [0, 1, 1] and kept.cosine[2] == np.float32(0.97)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six smooth pictures, one of them wide, and copies of the first (saved as JPEG) and of the fourth (darker)."""
    root = tmp_path_factory.mktemp("source")
    rng = np.random.default_rng(0)
    for number in range(6):
        coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        coarse.resize((96 if number == 5 else 64, 64), Image.Resampling.BICUBIC).save(root / f"{number}.png")
    Image.open(root / "0.png").save(root / "0_copy.jpg", quality=80)
    Image.fromarray((np.asarray(Image.open(root / "3.png")) * 0.9).astype(np.uint8)).save(root / "3_copy.png")
    return root


def test_copies_are_found_and_the_better_picture_is_kept(source: Path) -> None:
    place = table.table_path(source)
    made = add_columns(source, [embedding_group(SMALL), duplicates_whole(NEAR)], workers=0)
    assert made.computed["embedding"] == 8
    rows = table.read(place)
    assert dict(zip(rows["id"].to_pylist(), rows["duplicate_of"].to_pylist(), strict=True)) == {
        **dict.fromkeys(["0", "1", "2", "3", "4", "5"]),
        "0_copy": "0",
        "3_copy": "3",
    }
    groups = dict(zip(rows["id"].to_pylist(), rows["duplicate_group"].to_pylist(), strict=True))
    assert groups["0"] == groups["0_copy"] == 0 and groups["3"] == groups["3_copy"] == 1 and groups["1"] is None
    assert all(value is None or NEAR < value <= 1.0001 for value in rows["duplicate_cosine"].to_pylist())

    table.set_columns(place, pa.table({"id": ["0", "0_copy", "3"], "quality": pa.array([0.2, 0.9, 0.5], pa.float32())}))
    again = add_columns(source, [embedding_group(SMALL), duplicates_whole(NEAR)], workers=0)
    assert again.computed["embedding"] == 0
    rows = table.read(place, ["id", "duplicate_of"]).to_pylist()
    assert {row["id"]: row["duplicate_of"] for row in rows if row["duplicate_of"]} == {"0": "0_copy", "3_copy": "3"}


def test_embeddings_are_unit_vectors_that_name_their_network(source: Path) -> None:
    add_columns(source, [embedding_group(SMALL)], workers=0)
    column = table.read(table.table_path(source), ["embedding"])
    matrix = np.array(column["embedding"].to_pylist())
    assert matrix.shape == (8, 1280)
    np.testing.assert_allclose(np.linalg.norm(matrix, axis=1), 1, atol=1e-5)
    metadata = column.schema.field("embedding").metadata
    assert metadata[MODEL] == SMALL.encode() and len(metadata[b"sha256"]) == 64
    pictures = [np.asarray(Image.open(source / f"{number}.png")) for number in (1, 5)]
    ids = table.read(table.table_path(source), ["id"])["id"].to_pylist()
    expected = matrix[[ids.index("1"), ids.index("5")]]
    embed = embedder(metadata[MODEL].decode())
    np.testing.assert_allclose(embed(pictures), expected, atol=1e-4)
    middle = pictures[1][:, 16:80]
    np.testing.assert_allclose(embed([middle])[0], expected[1], atol=1e-4)
    assert embed([]).shape == (0, 1280)


def test_a_broken_picture_has_no_embedding_and_is_no_duplicate(source: Path, tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / f"{number}.png").write_bytes((source / f"{number}.png").read_bytes())
    (tmp_path / "broken.png").write_bytes((source / "2.png").read_bytes()[:200])
    made = add_columns(tmp_path, [embedding_group(SMALL), duplicates_whole(NEAR)], workers=0)
    assert [name for name, _ in made.problems["embedding"]] == ["broken"]
    rows = table.read(table.table_path(tmp_path), ["id", "embedding", "duplicate_group"])
    assert rows["embedding"].null_count == 1 and rows["duplicate_group"].null_count == 3


def test_what_cannot_be_asked(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"threshold: got 1\.5, expected a cosine"):
        duplicates_whole(1.5)
    with pytest.raises(ValueError, match="extractor: got 'nothing'"):
        add_columns(source, [embedding_group("nothing")], workers=0)
    Image.new("RGB", (16, 16)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="no column 'embedding'; facegen data describe"):
        add_columns(tmp_path, [duplicates_whole()], workers=0)
