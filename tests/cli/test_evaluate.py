"""`facegen evaluate`: what it writes, prints and refuses, and that a killed one goes on."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facegen.cli.evaluate import data_of_run
from tests.cli.conftest import Facegen
from tests.models.tiny import overrides, photographs
from tests.programs import start

QUICK = ["extractor=pixels", "processes=1"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own for each test."""
    monkeypatch.setenv("FACEGEN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def grey(tmp_path: Path) -> Path:
    """Two pictures whose means are 10 and 30."""
    folder = tmp_path / "grey"
    folder.mkdir()
    for index, value in enumerate((10, 30)):
        Image.fromarray(np.full((16, 16, 3), value, np.uint8)).save(folder / f"{index}.png")
    return folder


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_real_images_are_measured_and_named(facegen: Facegen, export: Path, grey: Path, tmp_path: Path) -> None:
    words = [f"checkpoint={export}", "num_images=4", "data=folder", f"data.root={grey}", f"out={tmp_path / 'r.jsonl'}"]
    status, out, _ = facegen("evaluate", *words, "metrics=[pixels,fid]", *QUICK)
    fid, pixels = lines(tmp_path / "r.jsonl")
    assert status == 0 and (fid["metric"], pixels["metric"]) == ("fid", "pixels")
    assert pixels["details"]["real"]["mean"] == [20, 20, 20] and pixels["details"]["real"]["deviation"] == [10, 10, 10]
    assert pixels["counts"] == {"generated": 4, "real": 2} and len(pixels["fingerprints"]["grey"]) == 64
    assert fid["value"] > 0 and fid["checkpoint"]["path"] == str(export)
    assert "fid grey" in out and "FD (pixels) is not FID" in out and "real grey: 2 pictures" in out


def test_the_matrix_of_two_recipes(facegen: Facegen, eg3d_export: Path, tmp_path: Path) -> None:
    first, second = photographs(tmp_path / "a", 9), photographs(tmp_path / "b", 7, size=24)
    words = ["data=folder", f"data.root={first}", "against=folder", f"against.root={second}", "names=[ffhq,lpff]"]
    out = tmp_path / "r.jsonl"
    status, said, _ = facegen("evaluate", f"checkpoint={eg3d_export}", *words, *QUICK, "num_images=8", f"out={out}")
    assert status == 0
    found = {result["name"]: result for result in lines(out) if result["metric"] == "fid3d"}
    assert list(found) == [
        *("avg->ffhq", "avg->lpff", "ffhq->ffhq", "ffhq->lpff", "lpff->ffhq", "lpff->lpff"),
        *("same ffhq", "same lpff"),
    ]
    assert found["avg->lpff"]["counts"] == {"generated": 8, "real": 7}
    assert {result["metric"] for result in lines(out)} > {"fid", "kid", "precision", "coverage", "pixels"}
    assert "about" not in said  # too little to be timed


@pytest.mark.parametrize("kind", ["camera_export", "eg3d_export"])
def test_without_real_images(facegen: Facegen, kind: str, request: pytest.FixtureRequest) -> None:
    checkpoint = request.getfixturevalue(kind)
    status, out, _ = facegen("evaluate", f"checkpoint={checkpoint}", "num_images=3", "batch_size=2", *QUICK)
    assert status == 0 and "pixels" in out


def test_mistakes(refused, export: Path, camera_export: Path, eg3d_export: Path, grey: Path, tmp_path: Path) -> None:
    flat, data = ["evaluate", f"checkpoint={export}", *QUICK], ["data=folder", f"data.root={grey}"]
    assert "num_images: got 1" in refused(*flat, "num_images=1")
    assert "data.root is missing" in refused(*flat, "data=folder")
    assert "did you mean data.root?" in refused(*flat, "data=folder", "data.rot=x")
    assert "did you mean folder?" in refused(*flat, "data=foldr")
    assert "whole number" in refused(*flat, "data=folder", "data.root=x", "data.workers=a")
    assert "did you mean fid3d?" in refused(*flat, *data, "metrics=[fid3]")
    assert "asks a 3D generator" in refused(*flat, *data, "metrics=fid3d")
    assert "add data=NAME" in refused(*flat, "metrics=[fid]")
    assert "processes: got 'many'" in refused(*flat, "processes=many")
    assert "names: got ['a', 'b']" in refused(*flat, *data, "names=[a,b]")
    assert "extractor: got 'resnet'" in refused(*flat[:-2], *data, "extractor=resnet")
    assert "takes labels of 25 numbers" in refused("evaluate", f"checkpoint={eg3d_export}", *data)
    assert "has no labels" in refused("evaluate", f"checkpoint={camera_export}", *data)
    assert "same pictures" in refused(*flat, *data, "against=folder", f"against.root={grey}")
    assert "expected a recipe" in refused(*flat, f"against={tmp_path}")


def test_only_this_packages_classes_are_made_of_a_run(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    for data in ("{_target_: os.system, command: x}", "{_target_: facegen.data.F, root: [{_target_: os.system}]}"):
        path.write_text(f"data: {data}")
        with pytest.raises(ValueError, match=r"has the class 'os\.system'"):
            data_of_run(path)


def test_a_run_has_its_data_and_keeps_its_results(facegen: Facegen, tmp_path: Path) -> None:
    words = overrides(photographs(tmp_path / "a"), tmp_path, "name=r", "total_kimg=0.008", "snapshot_kimg=0.008")
    assert facegen("train", *words)[0] == 0
    for metrics in ("[fid]", "[fid,pixels]"):
        status, out, _ = facegen(
            "evaluate", f"checkpoint={tmp_path / 'r'}", *QUICK, f"metrics={metrics}", "num_images=4"
        )
        assert status == 0
    kept = lines(tmp_path / "r" / "evaluations" / "00000.008.jsonl")
    assert [result["metric"] for result in kept] == ["fid", "pixels"] and "00000.008.jsonl" in out
    assert kept[0]["checkpoint"]["images_seen"] == 8 and kept[0]["counts"] == {"generated": 4, "real": 24}


@pytest.mark.timeout(900)  # starts processes, which import everything again on a busy machine
def test_a_killed_evaluation_goes_on(
    facegen: Facegen, eg3d_export: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = photographs(tmp_path / "a", 6)
    words = ["evaluate", f"checkpoint={eg3d_export}", "data=folder", f"data.root={data}", *QUICK]
    words += ["metrics=[fid]", "num_images=300", "batch_size=32"]
    killed = start(words, tmp_path / "log.txt")
    until = time.monotonic() + 600
    while len(list(cache.rglob("0*.npz"))) < 2 and time.monotonic() < until:  # the real shard and a generated one
        time.sleep(0.02)
    killed.kill()
    killed.join()
    kept = {path: path.stat().st_mtime_ns for path in cache.rglob("0*.npz")}
    assert 2 <= len(kept) < 4
    values = []
    for folder in (cache, tmp_path / "other"):
        monkeypatch.setenv("FACEGEN_CACHE", str(folder))
        assert facegen(*words, f"out={tmp_path / folder.name}.jsonl")[0] == 0
        values.append([(result["name"], result["value"]) for result in lines(tmp_path / f"{folder.name}.jsonl")])
    assert values[0] == values[1] and len(values[0]) == 1
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
