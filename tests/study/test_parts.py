"""Parts of results and report that are easily wrong alone: what is shared, the matrix, poses over seeds, media."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from facegen.cli.pictures import save_video
from facegen.study import media, poses
from facegen.study.answers import figure_name
from facegen.study.comparison import compare
from facegen.study.matrix import matrix, of_difference, values_of
from facegen.study.numbers import limits, number, signed
from facegen.study.results import _compact, _shared, read_lines
from facegen.study.stages import _grid


def line(metric: str, name: str, value: float, **more: Any) -> dict[str, Any]:
    measured = {
        "protocol": {"extractor": "x", "radius": 2.7},
        "fingerprints": {"ffhq": "f"},
        "versions": {"torch": "2"},
    }
    return {"metric": metric, "name": name, "value": value, "warnings": [], **measured, **more}


def test_what_all_lines_share_is_said_once() -> None:
    other = line("fid", "b", 2.0, protocol={"extractor": "x", "radius": 3.0})
    lines = {"run": {"0": [line("fid", "a", 1.0)], "1": [other]}}
    shared = _shared(lines)
    assert shared == {"protocol": {"extractor": "x"}, "fingerprints": {"ffhq": "f"}, "versions": {"torch": "2"}}
    assert lines["run"]["0"][0] == {"metric": "fid", "name": "a", "value": 1.0, "protocol": {"radius": 2.7}}
    assert lines["run"]["1"][0]["protocol"] == {"radius": 3.0}


def test_lines_keep_no_path_and_no_nan(tmp_path: Path) -> None:
    details = {"map": [[1.23456789, None]], "count": 12345678}
    row = {
        **line("fid", "a", float("nan"), details=details),
        "checkpoint": {"path": "/secret"},
        "time": {"started": "now"},
    }
    (tmp_path / "x.jsonl").write_text(json.dumps(row) + "\n\n")
    (found,) = read_lines(tmp_path / "x.jsonl")
    assert found["value"] is None and "checkpoint" not in found and "time" not in found
    assert found["details"] == {"map": [[1.23457, None]], "count": 12345678}
    (tmp_path / "x.jsonl").write_text("{")
    with pytest.raises(ValueError, match=r"x.jsonl: not readable .* delete it"):
        read_lines(tmp_path / "x.jsonl")


def test_lists_of_numbers_are_on_one_line_and_strings_untouched() -> None:
    content = {"a": [1.5, None, 3], "b": ["x=[1,\n 2]", "y"], "c": [[1, 2], [3]]}
    text = _compact(json.dumps(content, indent=1))
    assert json.loads(text) == content and "[ 1.5, null, 3 ]" in text


def test_matrix_orders_its_rows_and_takes_differences() -> None:
    names = ["same ffhq", "large->ffhq", "avg->ffhq", "ffhq->ffhq"]
    first = {
        str(seed): [line("fid3d", name, 10.0 * place + seed) for place, name in enumerate(names)] for seed in (0, 1)
    }
    second = {seed: [{**each, "value": each["value"] - 5} for each in lines] for seed, lines in first.items()}
    found = matrix(compare({"a": first, "b": second}, {"a": None, "b": "a"}))
    assert found is not None and found.told == ["average", "large", "ffhq", "same"] and found.seen_from == ["ffhq"]
    assert values_of(found, "b") == [[15.5], [5.5], [25.5], [-4.5]]
    cells = [cell for cell in of_difference(found, "b", "x").iter("td") if cell.get("class")]
    assert [cell.get("class") for cell in cells] == ["better"] * 4 and cells[0].text == "-5"
    assert matrix([]) is None


def binned(values: list[float | None]) -> dict[str, Any]:
    part = {"frechet": values, "kernel": values, "frechet_all": values, "standard_error": [9.0] * len(values)}
    part |= {"kernel_error": [9.0] * len(values), "num_real": [70] * len(values), "num_generated": [70] * len(values)}
    flat = {"yaw": part, "pitch": part, "map": {key: [value] * len(values) for key, value in part.items()}}
    edges = list(range(-90, 91, 180 // len(values)))
    bins = {"yaw_edges_degrees": edges, "pitch_edges_degrees": edges, "fold_yaw": False}
    return {**flat, "bins": bins, "num_per_bin": 64, "components": 8}


def test_poses_over_seeds_are_means_with_students_bars() -> None:
    found = poses.over_seeds([binned([1.0, None, 4.0]), binned([3.0, 5.0, 4.0])])
    assert found["yaw"]["frechet"][0] == 2.0 and np.isnan(found["yaw"]["frechet"][1])
    half = 12.706204736432095  # Student's t with one degree of freedom, times a standard error of 1
    assert found["yaw"]["standard_error"][0] * 1.96 == pytest.approx(half, rel=1e-6)
    assert found["yaw"]["standard_error"][2] == 0 and found["yaw"]["num_real"] == [70] * 3
    assert poses.over_seeds([binned([1.0])])["yaw"]["standard_error"] == [9.0]


def test_every_binned_figure_has_curves_and_a_map_for_each_run() -> None:
    def run(value: float) -> dict[str, Any]:
        lines = [line("binned_fid", "same ffhq", value, details=binned([value, 2.0, 3.0]))]
        return {"title": f"run {value:g}", "seeds": {"0": {"evaluations": {"main": lines}}}}

    curves, maps = poses.blocks({"runs": {"a": run(1.0), "b": run(2.0)}})
    assert [len(curves.pictures), len(maps.pictures)] == [2, 2]
    assert "same ffhq" in curves.heading and "run 2" in maps.pictures[1].says
    assert poses.blocks({"runs": {}}) == []


def content_of(source: str | None) -> bytes:
    assert source is not None
    return base64.b64decode(source.partition("base64,")[2])


def test_large_pictures_are_made_smaller_and_small_ones_kept(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name, side in (("small", 32), ("large", 1600)):
        Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(tmp_path / f"{name}.png")
    small, large = (media.picture(tmp_path / f"{name}.png", "x") for name in ("small", "large"))
    assert content_of(small.get("src")) == (tmp_path / "small.png").read_bytes()
    shrunk = content_of(large.get("src"))
    assert len(shrunk) < (tmp_path / "large.png").stat().st_size / 4 and (large.get("src") or "").startswith(
        "data:image/webp"
    )
    with Image.open(io.BytesIO(shrunk)) as image:
        assert max(image.size) == 1400


def test_large_films_are_made_smaller(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    save_video((rng.integers(0, 256, (800, 1000, 3), dtype=np.uint8) for _ in range(3)), tmp_path / "v.mp4", 24)
    shown = content_of(media.film(tmp_path / "v.mp4", "x").get("src"))
    assert len(shown) < (tmp_path / "v.mp4").stat().st_size / 2
    with av.open(io.BytesIO(shown), "r") as film:
        frames = list(film.decode(video=0))
    assert len(frames) == 3 and (frames[0].width, frames[0].height) == (700, 560)


@pytest.mark.parametrize(
    ("count", "grid"), [(8, "4x2"), (4, "2x2"), (1, "1x1"), (7, "3x3"), (6, "3x2"), (12, "4x3"), (2, "2x1")]
)
def test_grids_have_no_empty_cells_where_that_is_possible(count: int, grid: str) -> None:
    assert _grid(count) == grid


def test_numbers_as_people_read_them() -> None:
    assert [number(v) for v in (0.012345, 12.345, 1234.5)] == ["0.01235", "12.35", "1,234"]
    assert (signed(-1.2345), signed(2), limits(None), limits([1.0, 2.0])) == ("-1.23", "+2", "", "[1, 2]")
    assert figure_name({"metric": "fid3d", "name": "avg->ffhq"}) == "fid3d avg → ffhq"
    assert figure_name({"metric": "ppl", "name": ""}) == "ppl"
