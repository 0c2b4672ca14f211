"""A whole study, done in this process: what is written, and what a second time does."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from tests.study.conftest import Done, do, write_study


def test_every_stage_leaves_its_files(done: Done) -> None:
    names = sorted(re.sub(r"-[0-9a-f]{8}$", "", path.name) for path in (done.folder / "runs").iterdir())
    assert names == ["little-s0", "little-s1", "more-s0", "more-s1"]
    assert [job.words[0] for job in done.jobs] == ["train"] * 4 + ["evaluate"] * 4 + ["generate"] * 6
    assert len(list((done.folder / "evaluations").glob("*.jsonl"))) == 4
    assert len(list((done.folder / "pictures").glob("*/grid.png"))) == 4
    assert len(list((done.folder / "pictures").glob("*/video.mp4"))) == 2


def test_results_hold_every_figure_and_nothing_of_this_machine(done: Done) -> None:
    text = (done.folder / "results.json").read_text()
    results = json.loads(text)
    assert str(done.folder.parent) not in text
    assert results["runs"]["more"]["against"] == "little" and results["runs"]["more"]["seeds"]["1"]["images_seen"] == 8
    figures = {(each["metric"], each["name"]): each for each in results["comparisons"]["main"]}
    modes = {name for metric, name in figures if metric == "fid3d"}
    pairs = {f"{told}->{seen}" for told in ("avg", "ffhq", "large") for seen in ("ffhq", "large")}
    assert modes == pairs | {"same ffhq", "same large"}
    figure = figures["fid3d", "avg->large"]
    values = {run: figure["runs"][run]["values"] for run in ("little", "more")}
    found = figure["differences"]["more"]
    assert found["values"] == {seed: values["more"][seed] - values["little"][seed] for seed in ("0", "1")}
    assert found["interval"][0] < found["mean"] < found["interval"][1]
    line = next(
        json.loads(line)
        for path in (done.folder / "evaluations").glob("more-s1-*")
        for line in path.read_text().splitlines()
        if json.loads(line)["name"] == "avg->large"
    )
    assert values["more"]["1"] == line["value"]
    assert results["measured"]["main"]["protocol"]


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for key, value in attrs if key in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_report_is_one_file_with_everything_in_it(done: Done) -> None:
    page = _Page()
    page.feed(done.report.read_text())
    assert "script" not in page.tags and "link" not in page.tags
    assert all(source.startswith(("data:", "#")) for source in page.sources)
    assert page.tags.count("video") == 2 and page.tags.count("img") == 4  # samples and poses; one tick makes no curve
    for words in ("Is more <R1> better?", "FID3D", "more R1 minus little R1", "told \\ seen from", "verdict"):
        assert words in page.text
    assert done.report.stat().st_size < 10e6


def test_second_time_does_nothing_and_writes_the_same(done: Done) -> None:
    before = {name: (done.folder / name).read_bytes() for name in ("results.json", "report.html")}
    logged = sorted((done.folder / "wandb").iterdir()), sorted((done.folder / "tensorboard").iterdir())
    again = do(done.folder.parent, wandb="offline", tensorboard=True)
    assert again.jobs == []
    assert {name: (done.folder / name).read_bytes() for name in before} == before
    assert (sorted((done.folder / "wandb").iterdir()), sorted((done.folder / "tensorboard").iterdir())) == logged


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """One seed, two generators of images, the second from the first, evaluated with what is quickest."""
    words = ["metrics=[fid]", "extractor=pixels", "num_images=8", "processes=1", "device=cpu"]
    runs = {"first": {}, "second": {"from": "first", "overrides": ["total_kimg=0.008"]}}
    write_study(tmp_path, "stylegan2", seeds=[0], runs=runs, evaluate={"fid": words})
    return tmp_path


def test_only_what_changed_is_done_again(small: Path) -> None:
    first = do(small)
    assert [job.words[0] for job in first.jobs] == ["train", "train", "evaluate", "evaluate"]
    assert any(word.startswith("finetune_from=tiny/runs/first-s0-") for word in first.jobs[1].words)
    path = small / "tiny" / "study.yaml"
    content = yaml.safe_load(path.read_text())

    content["evaluate"]["fid"][2] = "num_images=9"
    content["hardware"] = "another computer"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    assert [job.words[0] for job in do(small).jobs] == ["evaluate", "evaluate"]

    content["runs"]["second"]["overrides"] = ["total_kimg=0.012"]
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    assert [job.words[0] for job in do(small).jobs] == ["train", "evaluate"]


def test_one_seed_has_figures_and_no_intervals(small: Path) -> None:
    do(small)
    (figure,) = json.loads((small / "tiny/results.json").read_text())["comparisons"]["fid"]
    found = figure["differences"]["second"]
    assert (found["interval"], found["verdict"], found["standard_deviation"]) == (None, "one seed", None)
    assert "no intervals, no verdicts" in (small / "tiny/report.html").read_text()


def test_failed_job_stops_the_study_and_keeps_what_was_done(small: Path) -> None:
    from facegen.study import conduct, read_study
    from tests.study.conftest import inside, resolved

    def nothing(jobs: object) -> None:
        """A launcher whose jobs end without having done anything."""

    with inside(small), pytest.raises(ValueError, match=r"first-s0-.*: the training stopped at 0 of 0.008 kimg"):
        conduct.conduct(read_study(Path("tiny")), resolved, conduct.Options(seeds=(0,)), nothing)
