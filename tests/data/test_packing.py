"""Packs: what is in them, that they can be cut off anywhere, and what they refuse."""

import hashlib
import io
import itertools
import json
import os
import resource
import shutil
import signal
import sys
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from facegen.data import Recipe
from facegen.data.dataset import FaceDataset
from facegen.data.headers import ImageError
from facegen.data.packing import PackSettings, pack
from facegen.data.packing.archives import Archive, checked_sha256
from facegen.data.packing.encoding import encode_from
from facegen.data.packing.journal import Journal
from facegen.data.packing.plan import Plan
from facegen.data.validate import validate
from facegen.geometry.cameras import mirror
from tests.data.helpers import noise

ZIP, TAR = PackSettings("zip"), PackSettings("tar", shard_images=70)


STEPS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.scandir")


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 150 images of 24 pixels: several stretches of a journal."""
    root = tmp_path_factory.mktemp("crowd")
    for number in range(150):
        Image.fromarray(noise(24, number)).save(root / f"{number:03d}.png")
    return root


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def contents(path: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def test_zip_with_mirrors(labelled: Path, tmp_path: Path) -> None:
    recipe = Recipe(labelled, labels=True, mirror=True)
    packed = pack(recipe, tmp_path / "out.zip", ZIP)
    with zipfile.ZipFile(packed.path) as archive:
        names = archive.namelist()
        files = {name: archive.read(name) for name in names}
        assert all(info.compress_type == zipfile.ZIP_STORED for info in archive.infolist())
    assert names == [*(f"00000/img{number:08d}.png" for number in range(12)), "dataset.json"]
    labels = json.loads(files["dataset.json"])
    assert [name for name, _ in labels["labels"]] == names[:-1]
    assert labels["ids"][2:4] == ["00000/img00000001"] * 2
    values = np.array([label for _, label in labels["labels"]], dtype=np.float32)
    np.testing.assert_array_equal(values[::2], recipe.label_table)
    np.testing.assert_array_equal(values[1::2], recipe.mirrored_label_table)
    for number in range(6):
        original, flipped = files[names[2 * number]], files[names[2 * number + 1]]
        assert original == (labelled / f"00000/img{number:08d}.png").read_bytes()
        np.testing.assert_array_equal(decoded(flipped), noise(16, number)[:, ::-1])
    assert (packed.manifest["copied"], packed.manifest["encoded"], packed.manifest["mirrored"]) == (6, 6, 6)
    assert validate(packed.path, resolution=16, labels=True).clean
    again = Recipe(packed.path, labels=True).label_table
    np.testing.assert_array_equal(again[1::2], mirror(torch.from_numpy(again[::2])).numpy())


def test_only_the_originals(labelled: Path, tmp_path: Path) -> None:
    packed = pack(Recipe(labelled, mirror=True), tmp_path / "out.zip", PackSettings("zip", mirrors=False))
    assert packed.manifest["images"] == 6 and packed.manifest["mirrored"] == 0
    assert Recipe(packed.path).num_faces == 6
    with zipfile.ZipFile(packed.path) as archive:
        assert json.loads(archive.read("dataset.json"))["labels"] is None


def test_what_changes_is_encoded(folder: Path, tmp_path: Path) -> None:
    recipe = Recipe(folder, resolution=8, filter="box")
    packed = pack(recipe, tmp_path / "out.zip", ZIP)
    assert packed.manifest["copied"] == 0
    wanted, found = FaceDataset(recipe, cache=False), FaceDataset(Recipe(packed.path), cache=False)
    for row in range(12):
        np.testing.assert_array_equal(found.pixels(row), wanted.pixels(row))


def test_what_does_not_change_is_copied(folder: Path, tmp_path: Path) -> None:
    manifest = pack(Recipe(folder), tmp_path / "a.zip", ZIP).manifest
    assert (manifest["copied"], manifest["encoded"]) == (9, 3), "three are JPEG files"
    manifest = pack(Recipe(folder), tmp_path / "b.zip", PackSettings("zip", reencode=True)).manifest
    assert (manifest["copied"], manifest["encoded"]) == (0, 12)


def test_compression(tmp_path: Path) -> None:
    (tmp_path / "flat").mkdir()
    Image.new("RGB", (64, 64), "red").save(tmp_path / "flat" / "0.bmp")
    sizes = [
        pack(Recipe(tmp_path / "flat"), tmp_path / f"{level}.zip", PackSettings("zip", compression=level)).manifest
        for level in (0, 9)
    ]
    assert sizes[0]["shards"][0]["bytes"] > 64 * 64 * 3 > 10 * sizes[1]["shards"][0]["bytes"]


def test_repeats_are_a_list_of_names(labelled: Path, folder: Path, tmp_path: Path) -> None:
    recipe = Recipe([{"root": labelled, "repeat": 2, "mirror": True}, {"root": folder, "ids": ["a/01", "a/02"]}])
    packed = pack(recipe, tmp_path / "out.zip", ZIP)
    names = [f"00000/img{number:08d}.png" for number in range(14)]
    wanted = [name for name in names[:12] for _ in range(2)] + names[12:]
    text = (tmp_path / "out.names.json").read_bytes()
    assert text == json.dumps(wanted, indent=1).encode(), "as LPFF's scripts write it"
    assert packed.manifest["names"]["entries"] == 26
    assert packed.manifest["names"]["sha256"] == hashlib.sha256(text).hexdigest()


def test_weights_are_rounded_in_names_and_exact_in_samples(labelled: Path, tmp_path: Path) -> None:
    recipe = Recipe(labelled, labels=True, rebalance="importance")
    recipe.weights = np.array([1.5, 3.0, 1.5, 2.0, 9.1, 1.6])
    assert Plan(recipe, ZIP).copies.tolist() == [1, 2, 1, 1, 6, 1]
    assert json.loads(Plan(recipe, TAR).sample(4))["weight"] == 9.1


def test_classes(labelled: Path, set_labels: Callable, tmp_path: Path) -> None:
    set_labels(labelled, lambda labels: [[name, number % 3] for number, (name, _) in enumerate(labels)])
    packed = pack(Recipe(labelled, labels=True, mirror=True), tmp_path / "out.zip", ZIP)
    with zipfile.ZipFile(packed.path) as archive:
        labels = json.loads(archive.read("dataset.json"))["labels"]
    assert [label for _, label in labels] == [0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2]


def test_tar_shards(labelled: Path, folder: Path, tmp_path: Path) -> None:
    recipe = Recipe([{"root": labelled, "mirror": True, "repeat": 3}, folder], resolution=16)
    packed = pack(recipe, tmp_path / "out", PackSettings("tar", shard_images=10))
    manifest = json.loads((packed.path / "manifest.json").read_text())
    assert sorted(p.name for p in packed.path.iterdir()) == [
        "faces-000000.tar",
        "faces-000001.tar",
        "faces-000002.tar",
        "manifest.json",
    ]
    samples = {}
    for shard in manifest["shards"]:
        data = (packed.path / shard["name"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (shard["bytes"], shard["sha256"])
        with tarfile.open(packed.path / shard["name"]) as archive:
            members = archive.getmembers()
            assert len(members) == 2 * shard["images"]
            assert {(m.uid, m.gid, m.mtime, m.mode, m.type) for m in members} == {(0, 0, 0, 0o644, tarfile.REGTYPE)}
            samples |= {m.name: archive.extractfile(m).read() for m in members}  # type: ignore[union-attr]
    assert list(samples) == [f"{number:08d}.{kind}" for number in range(24) for kind in ("png", "json")]
    facts = [json.loads(samples[f"{number:08d}.json"]) for number in range(24)]
    assert facts[1] == {"id": "labelled/00000/img00000000", "source": "labelled", "mirrored": True, "repeat": 3}
    assert facts[12]["id"] == "photos/a/01" and facts[12]["repeat"] == 1
    np.testing.assert_array_equal(decoded(samples["00000001.png"]), noise(16, 0)[:, ::-1])


def test_tar_samples_have_cameras(labelled: Path, tmp_path: Path) -> None:
    recipe = Recipe(labelled, labels=True, mirror=True)
    packed = pack(recipe, tmp_path / "out", TAR)
    with tarfile.open(packed.path / "faces-000000.tar") as archive:
        file = archive.extractfile("00000003.json")
        assert file is not None
        camera = json.loads(file.read())["camera"]
    np.testing.assert_array_equal(np.float32(camera), recipe.mirrored_label_table[1])


def test_size_of_shards(tmp_path: Path) -> None:
    (tmp_path / "big").mkdir()
    for number in range(8):
        Image.fromarray(noise(384, number)).save(tmp_path / "big" / f"{number}.png", compress_level=0)
    packed = pack(Recipe(tmp_path / "big"), tmp_path / "out", PackSettings("tar", shard_mb=1))
    assert [shard["images"] for shard in packed.manifest["shards"]] == [2, 2, 2, 2], "443 kB each"
    assert all(shard["bytes"] < 1.02e6 for shard in packed.manifest["shards"])


@pytest.mark.parametrize("settings", [ZIP, TAR])
def test_bytes_depend_on_the_recipe_alone(labelled: Path, tmp_path: Path, settings: PackSettings) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        os.utime(labelled / "00000/img00000000.png", (1, 1 + len(contents(tmp_path))))
        out = tmp_path / name / ("faces.zip" if settings.kind == "zip" else "faces")
        pack(Recipe(labelled, labels=True, mirror=True), out, settings)
    one = contents(tmp_path / "one")
    assert one == contents(tmp_path / "two") and len(one) == 2
    assert str(tmp_path).encode() not in b"".join(one.values())


def test_processes_change_nothing(crowd: Path) -> None:
    plan = Plan(Recipe(crowd, mirror=True), ZIP)
    alone = [image for stretch in encode_from(plan, 70, workers=0) for image in stretch]
    helped = [image for stretch in encode_from(plan, 70, workers=2, worth_seconds=0) for image in stretch]
    assert alone == helped and len(alone) == 230


def test_a_damaged_image_in_a_process(crowd: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(crowd, root)
    (root / "120.png").write_bytes((root / "120.png").read_bytes()[:-20] + bytes(20))
    stretches = encode_from(Plan(Recipe(root), ZIP), 0, workers=1, worth_seconds=0)
    with pytest.raises(ImageError, match=r"120\.png: .*PNG"):
        list(stretches)


def killed(
    action: Callable[[], object], limit: int | None = None, before: Callable[[str, Any], bool] | None = None
) -> int:
    """Run something in a forked process; return the signal that ended it, 0 where it came to its end.

    limit: the process is ended by the write that would make a file larger than this. before: SIGKILL before the first
    step in the file system (audit event and its arguments) for which this is true.
    """
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        if limit is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        if before is not None:
            sys.addaudithook(
                lambda event, values: os.kill(os.getpid(), signal.SIGKILL) if before(event, values) else None
            )
        action()
        os._exit(0)
    return os.WTERMSIG(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("settings", [ZIP, TAR])
def test_killed_in_the_middle_of_a_write(crowd: Path, tmp_path: Path, settings: PackSettings) -> None:
    recipe = Recipe(crowd, mirror=True)  # 300 images
    name = "faces.zip" if settings.kind == "zip" else "faces"
    whole = pack(recipe, tmp_path / "whole" / name, settings, workers=0)
    out, partial = tmp_path / "cut" / name, tmp_path / "cut" / f"{name}.partial"
    size = max(shard["bytes"] for shard in whole.manifest["shards"])
    for limit in (1, 50, size // 3, size // 2, size - 1):
        assert killed(lambda: pack(recipe, out, settings, workers=0), limit) == signal.SIGXFSZ and not out.exists()
    with closing(Journal(partial, Plan(recipe, settings).fingerprint)) as journal:
        assert journal.images >= 64, "what was written before the kills counts"
    pack(recipe, out, settings, workers=0)
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole") and not partial.exists()


@pytest.mark.parametrize("settings", [ZIP, PackSettings("tar", shard_images=5)])
def test_killed_before_every_step(labelled: Path, tmp_path: Path, settings: PackSettings) -> None:
    recipe = Recipe({"root": labelled, "repeat": 2}, mirror=True)
    name = "faces.zip" if settings.kind == "zip" else "faces"
    pack(recipe, tmp_path / "whole" / name, settings, workers=0)
    for number in itertools.count():
        folder = tmp_path / f"cut{number}"
        steps = itertools.count()

        def is_next(event: str, values: Any, folder: Path = folder, number: int = number, steps: Any = steps) -> bool:
            in_folder = event in STEPS and any(str(value).startswith(str(folder)) for value in values)
            return in_folder and next(steps) == number

        def go_on(folder: Path = folder) -> object:
            return pack(recipe, folder / name, settings, workers=0)

        ended = killed(go_on, before=is_next)
        go_on()
        assert contents(folder) == contents(tmp_path / "whole"), f"killed before step {number}"
        assert not (folder / f"{name}.partial").exists()
        if ended == 0:
            return
        assert ended == signal.SIGKILL and number < 100


def test_what_is_finished_is_not_made_again(crowd: Path, tmp_path: Path) -> None:
    recipe, out = Recipe(crowd), tmp_path / "faces"
    first = out.with_name("faces.partial") / "faces-000000.tar"
    assert killed(lambda: pack(recipe, out, TAR, workers=0), before=opens("faces-000001.tar")) == signal.SIGKILL
    before = first.stat()
    pack(recipe, out, TAR, workers=0)
    after = (out / "faces-000000.tar").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def opens(name: str) -> Callable[[str, Any], bool]:
    return lambda event, values: event == "open" and str(values[0]).endswith(name)


def test_killed_between_the_final_names(labelled: Path, tmp_path: Path) -> None:
    recipe = Recipe({"root": labelled, "repeat": 2})
    pack(recipe, tmp_path / "whole" / "faces.zip", ZIP)
    pack(recipe, tmp_path / "cut" / "faces.zip", ZIP)
    partial = tmp_path / "cut" / "faces.zip.partial"
    partial.mkdir()
    (tmp_path / "cut" / "faces.manifest.json").rename(partial / "faces.manifest.json")
    assert pack(recipe, tmp_path / "cut" / "faces.zip", ZIP).is_new
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole") and not partial.exists()


def test_full_disk(crowd: Path, tmp_path: Path) -> None:
    recipe, out = Recipe(crowd), tmp_path / "cut" / "faces.zip"
    whole = pack(recipe, tmp_path / "whole" / "faces.zip", ZIP)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (whole.manifest["shards"][0]["bytes"] // 2, hard))
    try:
        with pytest.raises(OSError, match=r"faces\.zip\.partial: the disk is full; 64 of 150 images are kept there"):
            pack(recipe, out, ZIP)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not out.exists()
    pack(recipe, out, ZIP)
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_nothing_to_do(labelled: Path, tmp_path: Path) -> None:
    first = pack(Recipe(labelled), tmp_path / "out", TAR)
    before = contents(tmp_path)
    again = pack(Recipe(labelled), tmp_path / "out", TAR)
    assert first.is_new and not again.is_new and again.manifest == first.manifest
    assert contents(tmp_path) == before


@pytest.mark.parametrize("settings", [ZIP, TAR])
def test_another_pack_is_in_the_way(labelled: Path, folder: Path, tmp_path: Path, settings: PackSettings) -> None:
    out = tmp_path / ("out.zip" if settings.kind == "zip" else "out")
    pack(Recipe(labelled), out, settings)
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=r"manifest\.json belongs to a pack of other images or settings"):
        pack(Recipe(folder), out, settings)
    with pytest.raises(ValueError, match="of other images or settings"):
        pack(Recipe(labelled), out, PackSettings(settings.kind, compression=9))
    assert contents(tmp_path) == before


def test_other_files_are_in_the_way(labelled: Path, make_zip: Callable, tmp_path: Path) -> None:
    source = make_zip(labelled)
    with pytest.raises(ValueError, match=r"labelled\.zip exists and was not finished by this command"):
        pack(Recipe(source), source, ZIP)
    with pytest.raises(ValueError, match="labelled exists and was not finished by this command"):
        pack(Recipe(source), labelled, TAR)
    (tmp_path / "empty").mkdir()
    assert pack(Recipe(source), tmp_path / "empty", TAR).is_new


def test_an_unfinished_pack_is_in_the_way(labelled: Path, folder: Path, tmp_path: Path) -> None:
    partial = tmp_path / "out.partial"
    partial.mkdir()
    journal = Journal(partial, Plan(Recipe(labelled), TAR).fingerprint)
    with pytest.raises(OSError, match="another process is packing there"):
        pack(Recipe(labelled), tmp_path / "out", TAR)
    journal.close()
    with pytest.raises(ValueError, match=r"out\.partial holds an unfinished pack of other images"):
        pack(Recipe(folder), tmp_path / "out", TAR)
    (partial / "journal.jsonl").write_text('{"finger\n')
    with pytest.raises(ValueError, match=r"journal\.jsonl is damaged"):
        pack(Recipe(labelled), tmp_path / "out", TAR)


def test_files_that_changed_afterwards(labelled: Path, tmp_path: Path) -> None:
    packed = pack(Recipe(labelled), tmp_path / "out.zip", ZIP)
    os.truncate(packed.path, 1000)
    with pytest.raises(ValueError, match=r"out\.zip is missing or has not the \d+ bytes of out\.manifest\.json"):
        pack(Recipe(labelled), tmp_path / "out.zip", ZIP)


def test_the_journal_knows_more_than_the_disk(crowd: Path, tmp_path: Path) -> None:
    recipe, partial = Recipe(crowd), tmp_path / "out.partial"
    shard = partial / "faces-000001.tar"
    assert killed(lambda: pack(recipe, tmp_path / "out", TAR, workers=0), before=opens(shard.name)) == signal.SIGKILL
    journal = Journal(partial, Plan(recipe, TAR).fingerprint)
    archive = Archive(shard, "tar", journal.members, journal.end)
    archive.add("00000070.png", b"x" * 2000)
    journal.advance(archive, 0, 1)
    journal.close()
    os.truncate(shard, 100)
    with pytest.raises(ValueError, match=r"faces-000001\.tar has 100 bytes, expected at least"):
        pack(recipe, tmp_path / "out", TAR, workers=0)


def test_damaged_source(labelled: Path, tmp_path: Path) -> None:
    path = labelled / "00000/img00000003.png"
    data = bytearray(path.read_bytes())
    data[300] ^= 1
    path.write_bytes(data)
    with pytest.raises(ImageError, match=r"img00000003\.png: corrupt PNG \(wrong checksum"):
        pack(Recipe(labelled), tmp_path / "out.zip", ZIP)
    assert not (tmp_path / "out.zip").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "rar"}, "format: got 'rar', expected zip or tar"),
        ({"compression": 10}, "compression: got 10"),
        ({"compression": True}, "compression: got True"),
        ({"shard_mb": 0}, "shard_mb: got 0"),
        ({"shard_images": 1.5}, "shard_images: got 1.5"),
    ],
)
def test_settings_out_of_range(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PackSettings(**{"kind": "tar", **settings})


@pytest.mark.parametrize(("name", "kind"), [("out.tar", "tar"), ("out.zip", "tar"), ("out", "zip")])
def test_names_that_do_not_fit(labelled: Path, tmp_path: Path, name: str, kind: Any) -> None:
    with pytest.raises(ValueError, match=r"out: got .*expected a"):
        pack(Recipe(labelled), tmp_path / name, PackSettings(kind))


def test_zip64_number_of_entries(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "many.zip", "zip")
    for number in range(66000):
        archive.add(f"{number:05d}.png", b"x")
    archive.finish()
    archive.close()
    with zipfile.ZipFile(tmp_path / "many.zip") as found:
        assert len(found.namelist()) == 66000 and found.read("65999.png") == b"x"


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_beyond_four_gigabytes(tmp_path: Path, kind: Any) -> None:
    """The bytes before are a hole in the file, so nothing of that size is written."""
    path, end = tmp_path / "large", 5 << 30
    path.touch()
    os.truncate(path, end)
    archive = Archive(path, kind, [], end)
    archive.add("a.png", b"picture")
    archive.finish()
    archive.close()
    if kind == "zip":
        with zipfile.ZipFile(path) as found:
            assert found.read("a.png") == b"picture" and found.getinfo("a.png").header_offset == end
    else:
        with path.open("rb") as file:
            file.seek(end)
            with tarfile.open(fileobj=file) as found:
                assert found.getnames() == ["a.png"]


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_what_the_disk_changed_is_noticed(tmp_path: Path, kind: Any) -> None:
    path = tmp_path / "archive"
    archive = Archive(path, kind)
    for name in ("a.png", "b.png"):
        archive.add(name, name.encode() * 100)
    archive.finish()
    archive.close()
    read: list[int] = []
    assert checked_sha256(path, archive.members, read.append) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert sum(read) == path.stat().st_size
    with path.open("r+b") as file:
        file.seek(archive.members[1].start + 7)
        file.write(b"?")
    with pytest.raises(ValueError, match=r"archive: b\.png is not what was written"):
        checked_sha256(path, archive.members, read.append)
