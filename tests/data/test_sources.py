import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facegen.data import open_source
from facegen.data.headers import ImageError
from facegen.data.reader import ImageReader
from facegen.data.sources import Source
from tests.data.helpers import camera, noise


def contents(source: Source) -> dict[str, bytes]:
    reader = ImageReader.of(source.rows)
    return {name: reader.read(row) for row, name in enumerate(reader.ids)}


def test_folder_of_any_nesting(folder: Path) -> None:
    source = open_source(folder)
    ids = source.rows["id"].to_pylist()
    assert source.kind == "folder" and source.name == "photos"
    assert len(ids) == 12 and ids == sorted(ids) and {"a/01", "b/c/00"} <= set(ids)
    assert set(source.rows["codec"].to_pylist()) == {"png", "jpeg"}
    assert source.ignored == 1 and not source.problems
    for name, data in contents(source).items():
        assert next(folder.glob(f"{name}.*")).read_bytes() == data


def test_hidden_files_tables_and_loops_are_not_images(folder: Path) -> None:
    (folder / ".thumbnails").mkdir()
    (folder / "faces.lance").mkdir()
    for name in (".thumbnails/x.png", "faces.lance/y.png", "._z.png"):
        Image.fromarray(noise(4, 0)).save(folder / name)
    (folder / "a" / "loop").symlink_to(folder)
    (folder / "linked.png").symlink_to(folder / "a" / "01.png")
    ids = open_source(folder).rows["id"].to_pylist()
    assert len(ids) == 13 and "linked" in ids


def test_a_dangling_link_is_listed_and_named_when_read(folder: Path) -> None:
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    source = open_source(folder)
    row = source.rows["id"].to_pylist().index("gone")
    with pytest.raises(ImageError, match=r"gone\.png cannot be read"):
        ImageReader.of(source.rows).read(row)


def test_ffhq_layout(tmp_path: Path) -> None:
    for number in (0, 999, 1000, 69999):
        path = tmp_path / f"{number // 1000:02d}000" / f"{number:05d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(noise(4, number)).save(path)
    source = open_source(tmp_path)
    assert source.kind == "ffhq"
    assert source.rows["id"].to_pylist() == ["00000", "00999", "01000", "69999"]


def test_ffhq_layout_needs_the_right_folder(tmp_path: Path) -> None:
    (tmp_path / "01000").mkdir()
    Image.fromarray(noise(4, 0)).save(tmp_path / "01000" / "00000.png")
    assert open_source(tmp_path).kind == "folder"


def test_nvidia_folder_and_zip_are_the_same_faces(labelled: Path, make_zip: Callable[..., Path]) -> None:
    unpacked, packed = open_source(labelled), open_source(make_zip(labelled))
    assert (unpacked.kind, packed.kind) == ("nvidia_folder", "nvidia_zip")
    assert contents(unpacked) == contents(packed)
    for source in (unpacked, packed):
        np.testing.assert_allclose(
            source.rows["camera"].to_pylist(), [camera(i) for i in range(6)], rtol=1e-6, atol=1e-6
        )
        assert not source.problems


def test_pread_at_local_headers_equals_zipfile(folder: Path, make_zip: Callable[..., Path], tmp_path: Path) -> None:
    """Also where the local header's extra field has another length than the central directory's."""
    path = tmp_path / "odd.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number, file in enumerate(sorted(folder.rglob("*.png"))):
            info = zipfile.ZipInfo(file.name)
            info.extra = b"\x99\x99\x04\x00abcd" * number
            archive.writestr(info, file.read_bytes())
            info.extra = b""  # what the central directory will say
    with zipfile.ZipFile(path) as archive:
        expected = {name.removesuffix(".png"): archive.read(name) for name in archive.namelist()}
    assert len(expected) > 4 and contents(open_source(path)) == expected


def test_zip64(tmp_path: Path) -> None:
    path = tmp_path / "large.zip"
    with zipfile.ZipFile(path, "w") as archive, archive.open("a.png", "w", force_zip64=True) as file:
        file.write(b"x" * 100)
    assert contents(open_source(path)) == {"a": b"x" * 100}


@pytest.mark.parametrize("name", ["../x.png", "a/../../x.png", "/etc/x.png", "..\\x.png", "C:/x.png", "../notes.txt"])
def test_zip_names_that_lead_out_are_refused(folder: Path, make_zip: Callable[..., Path], name: str) -> None:
    with pytest.raises(ValueError, match="leads out of the zip"):
        open_source(make_zip(folder, extra=[(name, b"x")]))


def test_compressed_zip_is_refused_with_what_to_do(folder: Path, make_zip: Callable[..., Path]) -> None:
    with pytest.raises(ValueError, match=r"compressed.*zip -0"):
        open_source(make_zip(folder, zipfile.ZIP_DEFLATED))


def test_encrypted_zip_is_refused(folder: Path, make_zip: Callable[..., Path]) -> None:
    path = make_zip(folder)
    data = bytearray(path.read_bytes())
    place = data.index(b"PK\x01\x02")
    while place >= 0:
        data[place + 8] |= 1
        place = data.find(b"PK\x01\x02", place + 1)
    path.write_bytes(bytes(data))
    with pytest.raises(ValueError, match="encrypted"):
        open_source(path)


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.9, 0.999])
def test_truncated_zip(folder: Path, make_zip: Callable[..., Path], keep: float) -> None:
    path = make_zip(folder)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    with pytest.raises(ValueError, match=r"cannot be read as a zip|truncated|damaged"):
        open_source(path)


def test_damaged_local_header(folder: Path, make_zip: Callable[..., Path]) -> None:
    path = make_zip(folder)
    data = bytearray(path.read_bytes())
    data[:4] = b"oops"
    path.write_bytes(bytes(data))
    with pytest.raises(ValueError, match=r"damaged"):
        open_source(path)


def test_duplicate_ids_are_named(folder: Path, make_zip: Callable[..., Path]) -> None:
    Image.fromarray(noise(4, 0)).save(folder / "a" / "01.jpg")
    (problem,) = open_source(folder).problems
    assert (problem.kind, problem.id) == ("duplicate id", "a/01")


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not exist"):
        open_source(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="holds no images"):
        open_source(tmp_path)
    (tmp_path / "x.txt").write_text("")
    with pytest.raises(ValueError, match="is a file"):
        open_source(tmp_path / "x.txt")
    with pytest.raises(ValueError, match=r"holds no images \(1 other files\)"):
        open_source(tmp_path)


def test_reader_parts_and_ends(folder: Path) -> None:
    reader = ImageReader.of(open_source(folder).rows)
    part = reader.part(3, 6)
    assert [part.read(i) for i in range(3)] == [reader.read(i) for i in range(3, 6)]
    assert reader.head(0, 8) == reader.read(0)[:8] and reader.tail(0, 8) == reader.read(0)[-8:]


def test_a_file_that_shrinks_is_named(folder: Path) -> None:
    reader = ImageReader.of(open_source(folder).rows)
    os.truncate(os.fsdecode(reader.uris[0]), 10)
    with pytest.raises(ImageError, match=r"01\.png became shorter"):
        reader.read(0)
