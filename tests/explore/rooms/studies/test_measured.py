"""What evaluations found, from a study's results.json and from runs."""

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from facegen.explore.rooms.studies import measured
from facegen.study import poses
from tests.explore.rooms.studies.test_runs import write_run

QUICKSTART = Path(__file__).parents[4] / "experiments/quickstart"


def test_matrices_and_figures_of_a_study() -> None:
    results = measured.of_study(QUICKSTART)
    assert results is not None
    html = measured.matrices(results)
    assert html.count("<table>") == 3 and "FFHQ poses" in html and "140.4" in html
    head, rows = measured.figures_table(results)
    assert len(head) == 3 and ["fid3d avg->quickstart_ffhq", "140.4"] in [row[:2] for row in rows]
    place = poses.places(results)[0]
    blocks = poses.of_figure(results, *place)
    assert [len(block.pictures) for block in blocks] == [2, 2]


def test_names_cannot_become_elements() -> None:
    results = measured.of_study(QUICKSTART)
    assert results is not None
    results["runs"]["ffhq"]["title"] = '"><img src=x onerror=alert(1)>'
    found: list[str] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: found.append(tag)
    parser.feed(measured.matrices(results))
    assert "td" in found and {*found} <= {"div", "table", "caption", "thead", "tbody", "tr", "th", "td", "small"}


def test_runs_that_were_measured_while_they_trained(tmp_path: Path) -> None:
    runs = {name: write_run(tmp_path / name) for name in ("a", "b")}
    assert measured.figures_table(measured.of_runs(runs)) == (["figure"], [])
    for number, run in enumerate(runs.values()):
        (run / "evaluations").mkdir()
        line = {"metric": "fid3d", "name": "avg->ffhq", "value": 10.0 + number}
        (run / "evaluations/00010.500.jsonl").write_text(json.dumps(line))
        (run / "evaluations/00002.000.jsonl").write_text(json.dumps({**line, "value": 99.0}))
    results = measured.of_runs(runs)
    assert measured.figures_table(results) == (["figure", "a", "b"], [["fid3d avg->ffhq", "10", "11"]])
    assert measured.matrices(results).count("<table>") == 2


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b'{"runs": {}}'])
def test_results_that_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    assert measured.of_study(tmp_path) is None
    (tmp_path / "results.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"results.json cannot be read"):
        measured.of_study(tmp_path)
