"""The whole way from photographs to indexed crops, its reasons, and that it can be interrupted anywhere."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facegen.curation.cleaning import Limits
from facegen.curation.fitting.fitters import Fitting
from facegen.curation.pipeline import STAGES, Curated, Settings, curate
from facegen.data import table
from facegen.data.index import build_index
from facegen.data.sources import open_source
from facegen.geometry.camera_checks import check_labels
from tests.curation.conftest import Truth, photograph
from tests.curation.sidecar import sidecar_models

LIMITS = Limits(min_size=60, min_sharpness=60, max_padding=0.2)
SETTINGS = Settings(LIMITS, stylegan_size=64)
NOTHING = {stage: 0 for stage in ("detect", "landmarks", "camera", "quality", "crops", "debug")}
REASONS = {
    ("broken", "", "unreadable"),
    ("empty", "", "no face"),
    ("zcopy", "", "duplicate photograph"),
    ("blurry", "blurry_01", "blurry"),
    ("dark", "dark_01", "too dark"),
    ("small", "small_01", "too small"),
    ("odd", "odd_01", "landmarks implausible"),
    ("cut", "cut_01", "cut off"),
    ("zjpeg", "zjpeg_01", "near duplicate"),
}
KEPT = ["a_01", "b_01", "more_two_01", "more_two_02"]


def run(photographs: Path, out: Path, fitting: Fitting, **changes: Any) -> Curated:
    return curate(photographs, out, sidecar_models(), fitting, **{"settings": SETTINGS, "workers": 0, **changes})


@pytest.fixture(scope="module")
def made(photographs: Path, fitting: Fitting, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Curated]:
    """The folder that the photographs become, and what was said of it."""
    out = tmp_path_factory.mktemp("curated") / "out"
    return out, run(photographs, out, fitting)


def columns(out: Path) -> dict[str, list[Any]]:
    """All values of both tables, and the bytes of every crop."""
    found = {name: table.read(out / name).to_pydict() for name in ("faces.lance", "photos.lance")}
    crops = {path.relative_to(out).as_posix(): [path.read_bytes()] for path in sorted(out.glob("*/*/*.png"))}
    return {f"{name}/{key}": values for name, part in found.items() for key, values in part.items()} | crops


def test_every_reason_and_no_other(made: tuple[Path, Curated]) -> None:
    out, curated = made
    assert {(photo, face, why.partition(":")[0]) for photo, face, why in curated.rejections} == REASONS
    with (out / "rejected.csv").open() as file:
        assert {(row["photo"], row["face"], row["reason"]) for row in csv.DictReader(file)} == REASONS
    stored = table.read(out / "faces.lance")
    kept = [face for face, why in zip(stored["id"].to_pylist(), stored["rejected"].to_pylist(), strict=True) if not why]
    assert kept == KEPT
    assert curated.computed == NOTHING | {"detect": 12, "landmarks": 10, "camera": 9, "quality": 9} | {
        "crops": 5,
        "debug": 10,
    }


def test_published_layout(made: tuple[Path, Curated], photographs: Path) -> None:
    out, curated = made
    for kind, side in (("eg3d", 512), ("stylegan", 64)):
        crops = sorted((out / "crop" / kind).glob("*.png"))
        assert [path.stem for path in crops] == KEPT
        assert {Image.open(path).size for path in crops} == {(side, side)}
    assert (out / "rejected" / "eg3d" / "zjpeg_01.png").exists()
    cameras = json.loads((out / "camera_parameters.json").read_text())
    assert list(cameras) == KEPT and not check_labels(np.array(list(cameras.values()))).malformed
    assert {entry["raw_image_name"] for entry in json.loads((out / "info.json").read_text()).values()} == {
        "a",
        "b",
        "more_two",
    }
    truth = json.loads((photographs / "more" / "two.json").read_text())
    raw = json.loads((out / "raw_lm.json").read_text())
    np.testing.assert_allclose(raw["more_two_02"], truth[1], atol=1e-4)
    assert np.array(json.loads((out / "realign2400_lm.json").read_text())["a_01"]).shape == (68, 2)
    assert {path.stem for path in (out / "debug").glob("*.jpg")} == set(curated.faces["id"].to_pylist())
    assert Image.open(out / "contact_sheet.png").width == 8 * 192


def test_sources_of_both_crops(made: tuple[Path, Curated], fitting: Fitting) -> None:
    out, _ = made
    for kind in ("eg3d", "stylegan"):
        source = open_source(out, f"curated_{kind}")
        assert source.indexed and source.rows["id"].to_pylist() == KEPT
        assert set(source.rows["camera_method"].to_pylist()) == {"coarse head, fitted to landmarks"}
        assert not source.problems and not build_index(out, f"curated_{kind}").problems


def test_landmarks_of_the_index_lie_on_the_crop(made: tuple[Path, Curated], faces: list[Truth]) -> None:
    """The colour under the eyes' corners is that of the photograph at its landmarks."""
    out, _ = made
    rows = table.read(out / "crop" / "eg3d" / "faces.lance", ["id", "landmarks"])
    points = np.reshape(rows["landmarks"][0].as_py(), (68, 2))
    crop = np.asarray(Image.open(out / "crop" / "eg3d" / "a_01.png")).astype(int)
    for number in (30, 36, 45, 48, 54):
        (x, y), (u, v) = points[number].astype(int), faces[0].landmarks[number].astype(int)
        near = faces[0].image[v - 2 : v + 3, u - 2 : u + 3].reshape(-1, 3).astype(int)
        assert np.abs(near - crop[y, x]).max(axis=1).min() < 20


def test_rerun_does_nothing(made: tuple[Path, Curated], photographs: Path, fitting: Fitting) -> None:
    out, _ = made
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file() and path.name != ".lock"}
    again = run(photographs, out, fitting)
    assert again.computed == NOTHING and not again.changed
    assert times == {
        path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file() and path.name != ".lock"
    }


def test_changes_redo_what_they_change(
    made: tuple[Path, Curated], photographs: Path, fitting: Fitting, faces: list[Truth], tmp_path: Path
) -> None:
    root, out = tmp_path / "photographs", tmp_path / "out"
    shutil.copytree(photographs, root)
    shutil.copytree(made[0], out)

    def again(**changes: Any) -> Curated:
        return run(root, out, fitting, **changes)

    # a looser limit: one crop more, and the picture that said why the face was left out
    looser = again(settings=Settings(Limits(min_size=60, min_sharpness=1, max_padding=0.2), 64))
    assert looser.computed == NOTHING | {"crops": 1, "debug": 1} and looser.changed
    assert (out / "crop" / "eg3d" / "blurry_01.png").exists()
    # and back: the crop is set aside, nothing but that picture is computed
    assert again().computed == NOTHING
    assert not (out / "crop" / "eg3d" / "blurry_01.png").exists()
    assert columns(out) == columns(made[0]) | {
        f"rejected/{kind}/blurry_01.png": [(out / "rejected" / kind / "blurry_01.png").read_bytes()]
        for kind in ("eg3d", "stylegan")
    }
    # a crop that was deleted is made again; a new photograph costs its own faces only
    (out / "crop" / "eg3d" / "a_01.png").unlink()
    photograph(root / "new.png", faces[4])
    added = again()
    # (its camera is known: another photograph has the same landmarks)
    assert added.computed == NOTHING | {"detect": 1, "landmarks": 1, "quality": 1, "crops": 2, "debug": 1}
    assert added.faces["rejected"].null_count == 5 and (out / "crop" / "eg3d" / "a_01.png").exists()
    # another size of one crop: crops only
    assert again(settings=Settings(LIMITS, 128)).computed == NOTHING | {"crops": 6}
    # a face taken out by hand
    (tmp_path / "bad.txt").write_text("b_01  # looks wrong\n")
    without = again(settings=Settings(Limits(**{**vars(LIMITS), "exclude": str(tmp_path / "bad.txt")}), 128))
    assert ("b", "b_01", "excluded by hand") in without.rejections
    assert "b_01" not in json.loads((out / "camera_parameters.json").read_text())


def test_stages_can_stop_early(photographs: Path, fitting: Fitting, tmp_path: Path) -> None:
    first = run(photographs, tmp_path / "out", fitting, stages=STAGES[:3])
    assert set(first.computed) == {"detect", "landmarks", "camera"}
    assert "camera" in table.schema(tmp_path / "out" / "faces.lance").names and not (tmp_path / "out" / "crop").exists()
    assert run(photographs, tmp_path / "out", fitting, stages=STAGES[:5]).computed["camera"] == 0


def test_pool_gives_the_same(made: tuple[Path, Curated], photographs: Path, fitting: Fitting, tmp_path: Path) -> None:
    run(photographs, tmp_path / "out", fitting, workers=1)
    assert columns(tmp_path / "out") == columns(made[0])


@pytest.mark.slow
def test_ray_gives_the_same(made: tuple[Path, Curated], photographs: Path, fitting: Fitting, tmp_path: Path) -> None:
    ray = pytest.importorskip("ray", reason="Ray is an optional extra: pip install 'ray[data]'")
    run(photographs, tmp_path / "out", fitting, engine="ray", workers=2)
    assert not ray.is_initialized()
    assert columns(tmp_path / "out") == columns(made[0])


_PROGRAM = """
import sys
from facegen.curation.fitting.fitters import fitting_of
from facegen.curation.pipeline import curate
from tests.curation.sidecar import sidecar_models
from tests.curation.test_pipeline import SETTINGS
if __name__ == "__main__":
    root, out, model = sys.argv[1:]
    curate(root, out, sidecar_models(pause=0.2), fitting_of(model, photometric=False), SETTINGS, workers=1)
"""


def test_killed_and_restarted(made: tuple[Path, Curated], photographs: Path, fitting: Fitting, tmp_path: Path) -> None:
    """kill -9 of the main process in the middle; then the same command gives the same tables and pictures."""
    out, program = tmp_path / "out", tmp_path / "program.py"
    program.write_text(_PROGRAM)
    repository = Path(__file__).parents[2]
    words = [sys.executable, str(program), str(photographs), str(out), fitting.model]
    process = subprocess.Popen(words, env={**os.environ, "PYTHONPATH": str(repository)}, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not list(out.glob(".parts/detect-*/*.parquet")) and time.monotonic() < until and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (out / "crop").exists()
    done = run(photographs, out, fitting)
    assert 0 < done.computed["detect"] < 12
    assert columns(out) == columns(made[0])


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({"stages": ["camera"]}, "stages: got"),
        ({"settings": Settings(stylegan_size=7)}, "stylegan_size"),
        ({"settings": Settings(realign=1)}, "realign_size"),
        ({"engine": "spark"}, "engine: got 'spark'"),
        ({"workers": -1}, "workers: got -1"),
    ],
)
def test_mistakes(photographs: Path, fitting: Fitting, tmp_path: Path, changes: dict[str, Any], answer: str) -> None:
    with pytest.raises(ValueError, match=answer):
        run(photographs, tmp_path / "out", fitting, **changes)


def test_folders_that_cannot_be(photographs: Path, fitting: Fitting, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="lies in the folder of the photographs"):
        run(photographs, photographs / "out", fitting)
    with pytest.raises(ValueError, match="does not exist"):
        run(tmp_path / "nowhere", tmp_path / "out", fitting)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no photographs"):
        run(tmp_path / "empty", tmp_path / "out", fitting)


def test_nothing_kept(photographs: Path, fitting: Fitting, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    shutil.copy(photographs / "empty.png", root)
    curated = run(root, tmp_path / "out", fitting)
    assert len(curated.faces) == 0 and curated.rejections == [("empty", "", "no face")]
    assert json.loads((tmp_path / "out" / "camera_parameters.json").read_text()) == {}
    assert not run(root, tmp_path / "out", fitting).changed
