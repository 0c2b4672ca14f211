"""Every damaged dataset and wrong recipe of docs/bad_datasets.md is answered in a line that names the file."""

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import bad_datasets
from benchmarks.damage import MARK
from benchmarks.dataset_case import SAMPLES, Case
from benchmarks.typed_cases import Answer, last_line
from facegen import cli

PAGE = Path(__file__).parents[2] / "docs" / "bad_datasets.md"
CASES = bad_datasets.cases()
Typed = Callable[[str], Answer]


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every sample, undamaged."""
    folder = tmp_path_factory.mktemp("samples")
    bad_datasets.make_samples(folder)
    return folder


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str]) -> Typed:
    """Run the words after `facegen` in this process."""

    def call(words: str) -> Answer:
        try:
            status = cli.main(shlex.split(words))
        except SystemExit as end:
            status = int(end.code or 0)
        printed = capsys.readouterr()
        return Answer(status, printed.out, printed.err)

    return call


@pytest.mark.timeout(60)  # a command that opens a pipe waits for ever
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.sample}: {case.wrong}")
def test_answer(case: Case, samples: Path, tmp_path: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "here"
    bad_datasets.prepare(case, samples, here)
    monkeypatch.chdir(here)
    before = sorted(here.rglob("*"))
    answer = typed(case.words)
    assert bad_datasets.fault(case, answer) == "", answer
    assert case.status != 2 or sorted(here.rglob("*")) == before, "a refused command leaves nothing behind"
    assert not (here / MARK).exists(), "hostile content was executed"
    line = bad_datasets.line_of(case, answer)
    assert line.count(str(here)) <= 3 and len(line) < 1200, "a line that people can read"


@pytest.mark.parametrize("name", SAMPLES)
def test_the_undamaged_sample_is_clean(
    name: str, samples: Path, tmp_path: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Case(name, "nothing", lambda home: None, "", 0, ())
    bad_datasets.prepare(whole, samples, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    for layout in SAMPLES[name].layouts:
        words = f"root={SAMPLES[name].home} layout={layout}"
        index, validation = typed(f"data index {words}"), typed(f"data validate {words} workers=0")
        assert index.status == 0 and "problem" not in index.out, index
        assert validation.status == 0 and last_line(validation.out).startswith("Everything found"), validation


def test_every_layout_has_five_kinds_of_damage() -> None:
    damaged = [case for case in CASES if "trained on" in case.wrong or case.words.startswith("data")]
    for name in SAMPLES:
        assert len({case.wrong for case in damaged if case.sample == name}) >= 5, name
    assert sum("lpff_stylegan" in case.words for case in damaged) >= 5


def test_page_shows_every_case() -> None:
    page = PAGE.read_text()
    for case in CASES:
        assert f"| {case.wrong} | `facegen {case.words}` |" in page, "run `python benchmarks/bad_datasets.py`"
