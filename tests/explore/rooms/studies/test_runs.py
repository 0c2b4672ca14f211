"""What is shown of runs: figures, curves, samples, settings, and their addresses."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

from facegen.data.pictures import save_png
from facegen.explore.opened import Opened
from facegen.explore.rooms.studies import logged, samples
from facegen.explore.rooms.studies.routes import routes
from facegen.explore.rooms.studies.settings import differences, settings


def write_run(folder: Path, moments: tuple[str, ...] = ("00000.000", "00010.500"), rate: float = 0.1) -> Path:
    """A run with ten rows of figures, some of them strange, and sample grids."""
    folder.mkdir(parents=True)
    rows = [{"kimg": n + 1.0, "time": 3600.0 * n, "loss/total": 1 / (n + 1), "nonfinite": 0} for n in range(10)]
    lines = [json.dumps(row) for row in rows]
    (folder / "metrics.jsonl").write_text("\n".join([*lines, "[1]", '{"loss/total": 3}', '{"kimg": 11, "loss']))
    (folder / "evaluations.jsonl").write_text('{"kimg": 10.5, "fid": 12.5, "name": "x"}\n')
    (folder / "config.yaml").write_text(
        f"name: {folder.name}\nmodel:\n  rate: {rate}\n  layers: [1, 2]\n  none: {{}}\n"
    )
    for number, moment in enumerate(moments):
        save_png(np.full((8, 8, 3), 100 + number, np.uint8), folder / f"samples/{moment}.png")
    return folder


def test_figures_come_in_order_and_broken_rows_are_left_out(tmp_path: Path) -> None:
    every = {"a": logged.rows(write_run(tmp_path / "a"))}
    assert len(every["a"]) == 11
    assert logged.figures(every) == ["loss/total", "fid", "nonfinite"]
    x, y = logged.points(every["a"], "loss/total", "time")
    assert x.tolist() == list(range(10)) and y[0] == 1
    assert logged.points(every["a"], "fid", "kimg")[0].tolist() == [10.5]
    assert logged.points(every["a"], "nothing", "kimg")[0].size == 0


def test_smoothing_is_unbiased_and_halves() -> None:
    assert logged.smoothed(np.full(5, 3.0), 2.0) == pytest.approx(np.full(5, 3.0))
    step = np.r_[np.zeros(200), 1.0, np.ones(3)]
    smoothed = logged.smoothed(step, 4.0)
    assert smoothed[203] == pytest.approx(0.5, abs=1e-6) and logged.smoothed(step, 0) is step
    assert np.isfinite(logged.smoothed(np.array([1.0, np.nan, 2.0]), 1.0)).all()


def test_curves_are_pictures_whatever_is_asked(tmp_path: Path) -> None:
    every = {name: logged.rows(write_run(tmp_path / name)) for name in ("a", "b")}
    plain, log = (logged.curves(every, "loss/total", "time", 2.0, log) for log in (False, True))
    assert plain[:4] == log[:4] == b"\x89PNG" and plain != log
    assert logged.curves({"none": []}, "loss/total")[:4] == b"\x89PNG"


def test_samples_at_a_time_or_the_last_before(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a")
    later = write_run(tmp_path / "b", ("00004.000", "00020.000"))
    (run / "samples/grid.png").write_bytes(b"")
    assert samples.clock([run, later]) == [0, 4, 10.5, 20]
    assert [samples.nearest(run, at) for at in (0, 4, 10.5, 99)] == ["00000.000"] * 2 + ["00010.500"] * 2
    assert samples.nearest(later, 0) == "00004.000" and samples.nearest(tmp_path, 5) is None


def test_only_settings_that_differ(tmp_path: Path) -> None:
    every = {name: settings(write_run(tmp_path / name, rate=rate)) for name, rate in (("a", 0.1), ("b", 0.2))}
    assert differences(every) == [["name", "a", "b"], ["model.rate", "0.1", "0.2"]]
    assert ["model.layers", "[1, 2]", "[1, 2]"] in differences(every, all_of_them=True)
    every["b"]["extra"] = "1"
    assert ["extra", "–", "1"] in differences(every)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a: [", b"x" * (5 * 2**20)])
def test_settings_that_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    run = write_run(tmp_path / "a")
    (run / "config.yaml").write_bytes(content)
    with pytest.raises(ValueError, match=r"a: config.yaml cannot be read"):
        settings(run)


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    for name in ("a", "b c"):
        write_run(tmp_path / "runs" / name)
    study = tmp_path / "runs/study"
    study.mkdir()
    (study / "study.yaml").write_text("question: who?")
    (study / "report.html").write_text("<h1>who?</h1>")
    (tmp_path / "secret.png").write_bytes(b"secret")
    (tmp_path / "runs/a/samples/00099.000.png").symlink_to(tmp_path / "secret.png")
    app = FastAPI()
    routes(app, Opened({}, (tmp_path / "runs",)))
    return TestClient(app)


def test_samples_and_reports_have_addresses(client: TestClient) -> None:
    answer = client.get("/studies/samples/b%20c/00010.500.png")
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(answer.content)).size == (8, 8)
    report = client.get("/studies/report/study")
    assert "who?" in report.text and report.headers["content-security-policy"] == "sandbox"


@pytest.mark.parametrize(
    "address",
    [
        *("samples/a/reals.png", "samples/a/00001.000.png", "samples/zzz/00000.000.png", "samples/a/..%2fconfig.png"),
        *("samples/..%2f..%2fsecret/x.png", "samples/a/..%2f..%2f..%2fsecret.png", "samples/a/00099.000.png"),
        *("report/a", "report/..%2fstudy", "report/study%2f..%2f..%2fsecret.png", "report/", "samples/a/%00.png"),
    ],
)
def test_nothing_else_can_be_read(client: TestClient, address: str) -> None:
    answer = client.get(f"/studies/{address}")
    assert answer.status_code == 404 and b"secret" not in answer.content
