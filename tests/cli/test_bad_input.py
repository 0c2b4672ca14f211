"""Every wrong input of docs/bad_input.md is answered in one line; and the page shows every case."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import bad_input
from benchmarks.bad_input import Case
from benchmarks.typed_cases import Answer, fault_of_refusal
from facegen import cli

PAGE = Path(__file__).parents[2] / "docs" / "bad_input.md"
HERE = [case for case in bad_input.cases() if not case.mount]
DISKS = [case for case in bad_input.cases() if case.mount]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The working directory with all wrong inputs."""
    folder = tmp_path_factory.mktemp("inputs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        bad_input.prepare(folder, cli.main)
    yield folder
    assert not (folder / "pwned.txt").exists()


@pytest.mark.parametrize("case", HERE, ids=lambda case: case.wrong)
def test_answer(case: Case, inputs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(inputs)
    if "device=gpu" in case.words:
        pytest.skip("depends on the machine")
    before = sorted(inputs.rglob("*"))
    status = cli.main(shlex.split(case.words))
    printed = capsys.readouterr()
    assert fault_of_refusal(Answer(status, printed.out, printed.err), case.answer) == ""
    assert sorted(inputs.rglob("*")) == before, "a refused command leaves nothing behind"


@pytest.mark.slow
@pytest.mark.parametrize("case", DISKS, ids=lambda case: case.wrong)
def test_answer_on_a_disk_of_its_own(case: Case, inputs: Path) -> None:
    if not bad_input.can_mount():
        pytest.skip("this process may not mount a disk")
    answer = bad_input.typed(case, inputs)
    assert fault_of_refusal(answer, case.answer) == "", answer.err


def test_page_shows_every_case() -> None:
    page = PAGE.read_text()
    for case in bad_input.cases():
        assert f"| {case.wrong} | `facegen {case.words}` |" in page, "run `python benchmarks/bad_input.py`"
