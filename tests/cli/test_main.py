"""The frame: overview, help, exit statuses, and what a relaunched worker sees."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from facegen import cli
from facegen.cli.commands import commands
from tests.cli.conftest import Facegen


def test_overview_lists_every_command_with_its_first_line(facegen: Facegen) -> None:
    status, out, _ = facegen()
    assert status == 0
    for command in commands().values():
        assert f"  {command.name}" in out and command.summary in out
    assert facegen("--help")[1] == out


@pytest.mark.parametrize("name", sorted(commands()))
def test_help_teaches_and_lists_every_setting(facegen: Facegen, name: str) -> None:
    status, out, err = facegen(*name.split(), "--help")
    assert (status, err) == (0, "")
    assert f"facegen {name}" in out and "Examples:" in out and "Settings" in out
    assert len(commands()[name].summary) < 110


def test_help_shows_defaults_and_remarks(facegen: Facegen) -> None:
    out = facegen("generate", "--help")[1]
    row = next(line for line in out.splitlines() if line.strip().startswith("truncation "))
    assert "1.0" in row and "psi" in row


def test_help_shows_what_a_choice_changes(facegen: Facegen) -> None:
    assert "data.root " not in facegen("evaluate", "--help")[1]
    out = facegen("evaluate", "data=folder", "--help")[1]
    assert "(now folder)" in out
    row = next(line for line in out.splitlines() if line.strip().startswith("data.root "))
    assert "???" in row and "folder or zip of images" in row


def test_start_needs_no_torch() -> None:
    code = (
        "import sys; from facegen.cli import main; main([]); sys.exit('torch' in sys.modules or 'hydra' in sys.modules)"
    )
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL).returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)  # processor time: others may be at work on the machine
        times.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    assert min(times) < 0.3


def test_wrong_command_names_the_nearest(refused) -> None:
    assert "did you mean generate?" in refused("genrate")
    assert "got the command 'foo'" in refused("foo")


def test_argv_is_whole_while_running_and_restored(export: Path, tmp_path: Path, monkeypatch) -> None:
    seen = []
    monkeypatch.setattr("facegen.cli.export.run", lambda cfg: seen.append(list(sys.argv)))
    before = list(sys.argv)
    words = ["export", f"checkpoint={export}", f"out={tmp_path}"]
    assert cli.main(words) == 0
    assert seen == [[before[0], *words]] and sys.argv == before


def test_ctrl_c_is_one_line_and_130(facegen: Facegen, export: Path, monkeypatch) -> None:
    def interrupted(cfg: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("facegen.cli.export.run", interrupted)
    status, _, err = facegen("export", f"checkpoint={export}", "out=x")
    assert (status, err) == (130, "facegen: stopped by Ctrl-C\n")


def test_debug_shows_the_traceback(facegen: Facegen, monkeypatch) -> None:
    monkeypatch.setenv("FACEGEN_DEBUG", "1")
    status, _, err = facegen("generate", "checkpoint=/does/not/exist")
    assert status == 2 and "Traceback" in err and err.splitlines()[-1].startswith("facegen: checkpoint")


def test_a_bug_is_not_hidden(facegen: Facegen, monkeypatch) -> None:
    def broken(cfg: object) -> None:
        raise TypeError("a bug")

    monkeypatch.setattr("facegen.cli.export.run", broken)
    with pytest.raises(TypeError, match="a bug"):
        facegen("export", "checkpoint=x", "out=x")


def test_program_prints_one_line_and_exits_2(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "facegen", "generate", "checkpont=x"]
    finished = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert finished.returncode == 2 and finished.stdout == ""
    assert finished.stderr == "facegen: checkpont: `facegen generate` has no such setting; did you mean checkpoint?\n"
    assert list(tmp_path.iterdir()) == []  # no outputs/ folder


def test_broken_pipe_is_quiet() -> None:
    command = [
        sys.executable,
        "-c",
        "import time; time.sleep(0.3); from facegen.cli import main; import sys; sys.exit(main([]))",
    ]
    reader, writer = os.pipe()
    os.close(reader)
    finished = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert finished.stderr == "" and finished.returncode == 128 + signal.SIGPIPE
