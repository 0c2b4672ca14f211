import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from facegen.data import Recipe, open_source, table
from facegen.data.check import quick_check
from facegen.data.index import build_index
from tests.data.helpers import camera, noise


def scores(root: Path) -> pa.Table:
    ids = open_source(root, use_table=False).rows["id"]
    vectors = pa.array([[float(row)] * 4 for row in range(len(ids))], pa.list_(pa.float32(), 4))
    return pa.table({"id": ids, "quality": pa.array(np.arange(len(ids), dtype=np.float32)), "embedding": vectors})


def test_indexed_rows_are_the_listed_rows(labelled: Path, make_zip: Callable[..., Path]) -> None:
    for root in (labelled, make_zip(labelled)):
        listed = open_source(root)
        indexed = build_index(root)
        assert indexed.path.exists() and indexed.version == 1 and indexed.read == 6
        source = open_source(root)
        assert source.indexed and not listed.indexed
        assert source.rows.select(listed.rows.column_names).replace_schema_metadata(None).equals(listed.rows)
        assert set(source.rows["width"].to_pylist()) == {16} and set(source.rows["mode"].to_pylist()) == {"RGB"}
        assert Recipe(root, labels=True).fingerprint == Recipe(labelled, labels=True).fingerprint


def test_the_table_moves_with_its_folder(folder: Path) -> None:
    build_index(folder)
    moved = folder.rename(folder.with_name("moved"))
    source = open_source(moved)
    assert source.indexed and source.rows["uri"].to_pylist()[0] == str(moved / "a" / "01.png")


def test_running_again_reads_only_what_changed(folder: Path) -> None:
    build_index(folder)
    again = build_index(folder)
    assert again.version is None and again.read == 0
    Image.fromarray(noise(20, 99)).save(folder / "a" / "01.png")
    Image.fromarray(noise(20, 99)).save(folder / "new.png")
    (folder / "a" / "02.png").unlink()
    changed = build_index(folder)
    assert (changed.version, changed.read, len(changed.rows)) == (2, 2, 12)
    assert open_source(folder).indexed


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda root: Image.fromarray(noise(16, 9)).save(root / "new.png"), "1 new images"),
        (lambda root: (root / "00000" / "img00000000.png").unlink(), "1 images gone"),
        (lambda root: os.utime(root / "00000" / "img00000000.png", (1, 1)), "1 images changed"),
        (lambda root: (root / "dataset.json").write_text('{"labels": null}'), r"dataset\.json changed"),
    ],
)
def test_training_says_that_the_index_is_out_of_date(labelled: Path, change: Callable, words: str) -> None:
    build_index(labelled)
    quick_check(Recipe(labelled))
    change(labelled)
    with pytest.raises(ValueError, match=rf"index out of date.*{words}.*facegen data index root="):
        quick_check(Recipe(labelled))
    build_index(labelled)
    quick_check(Recipe(labelled))


def test_columns_of_other_stages_stay_with_unchanged_images(folder: Path) -> None:
    build_index(folder)
    table.set_columns(table.table_path(folder), scores(folder))
    Image.fromarray(noise(16, 99)).save(folder / "a" / "02.png")
    Image.fromarray(noise(16, 98)).save(folder / "new.png")
    build_index(folder)
    rows = open_source(folder).rows
    values = dict(zip(rows["id"].to_pylist(), rows["quality"].to_pylist(), strict=True))
    assert values["a/01"] == 0 and values["a/02"] is None and values["new"] is None and values["b/c/09"] == 11
    assert "embedding" not in rows.column_names
    assert open_source(folder, columns=["embedding"]).rows["embedding"].to_pylist()[0] == [0.0] * 4


def test_headers_in_the_table_are_believed(folder: Path) -> None:
    """The check before training opens no image of an indexed source."""
    Image.fromarray(noise(16, 0)[..., 0]).save(folder / "grey.png")
    build_index(folder)
    rows = open_source(folder).rows
    for path in folder.rglob("*.png"):
        stamp, size = path.stat().st_mtime_ns, path.stat().st_size
        path.write_bytes(b"x" * size)
        os.utime(path, ns=(stamp, stamp))
    assert open_source(folder).rows.equals(rows)
    with pytest.raises(ValueError, match=r"1 problem .*grey\.png"):
        quick_check(Recipe(folder))


def test_unreadable_images_are_reported_every_time(folder: Path) -> None:
    (folder / "bad.png").write_bytes(b"no image")
    for _ in range(2):
        assert [problem.kind for problem in build_index(folder).problems] == ["unreadable"]
    with pytest.raises(ValueError, match=r"bad\.png: not an image"):
        quick_check(Recipe(folder))


def test_duplicate_ids_cannot_be_indexed(folder: Path) -> None:
    Image.fromarray(noise(4, 0)).save(folder / "a" / "01.jpg")
    with pytest.raises(ValueError, match=r"duplicate id.*a/01.*key of the table"):
        build_index(folder)


def test_a_folder_marked_read_only_is_not_written(folder: Path) -> None:
    folder.chmod(0o555)
    with pytest.raises(PermissionError):
        build_index(folder)
    assert not (folder / "faces.lance").exists()
    folder.chmod(0o755)


def test_a_damaged_table_says_what_to_do(folder: Path) -> None:
    build_index(folder)
    for manifest in (folder / "faces.lance" / "_versions").iterdir():
        manifest.write_bytes(b"")
    with pytest.raises(ValueError, match=r"damaged.*facegen data index"):
        open_source(folder)


def test_table_versions_columns_and_releases(folder: Path) -> None:
    path = build_index(folder).path
    assert table.set_columns(path, scores(folder)) == 2
    table.tag(path, "first")
    with pytest.raises(ValueError, match="already"):
        table.tag(path, "first")
    replaced = scores(folder).slice(3, 2).drop_columns(["embedding"])
    assert table.set_columns(path, replaced) == 3
    assert table.read(path, ["quality"])["quality"].null_count == 10
    with pytest.raises(ValueError, match="no column 'nothing'"):
        table.read(path, ["nothing"])
    with pytest.raises(ValueError, match="do not exist, such as 'x'"):
        table.set_columns(path, pa.table({"id": ["x"], "quality": [1.0]}))
    with pytest.raises(ValueError, match="same id twice"):
        table.set_columns(path, pa.table({"id": ["a/01", "a/01"], "quality": [1.0, 2.0]}))
    with pytest.raises(ValueError, match="does not exist; make it"):
        table.read(folder / "a" / "faces.lance")


def test_lance_settings(folder: Path) -> None:
    import lance

    dataset = lance.dataset(str(build_index(folder).path))
    assert dataset.data_storage_version == table.STORAGE_VERSION and dataset.has_stable_row_ids


def test_exports(labelled: Path, tmp_path: Path) -> None:
    rows = build_index(labelled).rows
    table.export_parquet(rows, tmp_path / "rows.parquet")
    assert table.import_parquet(tmp_path / "rows.parquet").equals(rows)
    names = [f"{name}.png" for name in rows["id"].to_pylist()]
    table.export_labels(rows, names, tmp_path / "dataset.json")
    again = json.loads((tmp_path / "dataset.json").read_text())["labels"]
    np.testing.assert_allclose([label for _, label in again], [camera(i) for i in range(6)], atol=1e-6)
    shutil.copy(tmp_path / "dataset.json", labelled / "dataset.json")
    assert not open_source(labelled, use_table=False).problems
    table.export_labels(rows.drop_columns(["camera"]), names, tmp_path / "none.json")
    assert json.loads((tmp_path / "none.json").read_text()) == {"labels": None}
    (tmp_path / "bad.parquet").write_bytes(b"x")
    with pytest.raises(ValueError, match="not a readable Parquet"):
        table.import_parquet(tmp_path / "bad.parquet")


def test_workers_fork_safely_after_a_table_was_read(folder: Path) -> None:
    import warnings
    from itertools import islice

    from facegen.data import FaceDataModule

    build_index(folder)
    with warnings.catch_warnings(record=True) as said:
        batches = list(islice(FaceDataModule(Recipe(folder), 4, workers=2).train_dataloader(), 5))
    assert len(batches) == 5 and not [w for w in said if "fork-safe" in str(w.message)]


def test_a_bare_folder_needs_no_lance(folder: Path) -> None:
    import subprocess
    import sys

    code = f"import sys; from facegen.data import Recipe; Recipe({str(folder)!r}); sys.exit('lance' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
