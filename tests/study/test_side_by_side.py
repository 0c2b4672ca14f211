"""Several jobs at a time: really at a time, each with its CPUs; output that can be told apart; failures and Ctrl-C."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from facegen.study.jobs import Job
from facegen.study.side_by_side import places, side_by_side

# Stands for the program: `meet FOLDER NAME` waits for the other job, `wait FOLDER NAME` for a signal, `fail` fails.
PROGRAM = """#!{python}
import os, pathlib, signal, sys, time
what, folder, name = (sys.argv[3:] + ["", ""])[:3]
if what == "fail":
    time.sleep(1)
    sys.exit(3)
here = pathlib.Path(folder)
(here / name).write_text(" ".join(map(str, sorted(os.sched_getaffinity(0)))))
def save(number, frame):
    (here / f"{{name}}-saved").touch()
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
signal.signal(signal.SIGINT, save)
end = time.monotonic() + 60
while time.monotonic() < end and (what == "wait" or len(list(here.iterdir())) < 2):
    time.sleep(0.05)
print("bar 1", end="\\r")
print("bar 2", end="\\r")
print(f"{{name}} has met", flush=True)
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for jobs of a program that is not facegen."""
    path = tmp_path / "program"
    path.write_text(PROGRAM.format(python=sys.executable))
    path.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(path))
    folder = tmp_path / "jobs"
    folder.mkdir()
    return folder


def test_jobs_run_at_the_same_time(program: Path, capfd: pytest.CaptureFixture[str]) -> None:
    cpus = sorted(os.sched_getaffinity(0))
    shares = [cpus[:1], cpus[1:] or cpus]
    side_by_side(shares)([Job(f"job {name}", ["meet", str(program), name]) for name in "ab"])
    assert [(program / name).read_text() for name in "ab"] == [" ".join(map(str, share)) for share in shares]
    lines = capfd.readouterr().out.splitlines()
    assert {"[1/2] job a", "[2/2] job b", "[1/2] a has met", "[2/2] b has met"} == set(lines)  # bars come now and then


def test_a_failure_ends_the_others_after_they_have_saved(program: Path) -> None:
    jobs = [Job("one", ["wait", str(program), "a"]), Job("two", ["fail"]), Job("three", ["wait", str(program), "c"])]
    with pytest.raises(ValueError, match="two: ended with status 3"):
        side_by_side([[cpu] for cpu in sorted(os.sched_getaffinity(0)) * 2][:2])(jobs)
    assert (program / "a-saved").exists() and not (program / "c").exists()


def test_ctrl_c_reaches_all(program: Path) -> None:
    def interrupt() -> None:
        while len(list(program.iterdir())) < 2:
            time.sleep(0.05)
        time.sleep(0.5)  # until their handlers are in place
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    cpus = sorted(os.sched_getaffinity(0))
    with pytest.raises(KeyboardInterrupt):
        side_by_side([cpus, cpus])([Job(name, ["wait", str(program), name]) for name in "ab"])
    assert {"a-saved", "b-saved"} <= {path.name for path in program.iterdir()}


def test_places_share_all_cpus() -> None:
    cpus = sorted(os.sched_getaffinity(0))
    assert places("1") == [cpus]
    assert sorted(cpu for share in places(str(len(cpus))) for cpu in share) == cpus
    assert places("auto") and len(places("3")) == 3
    for wrong in ("0", "many", "-1"):
        with pytest.raises(ValueError, match="at_once: got"):
            places(wrong)
