"""`facegen study`: the plan, mistakes in one line, launchers, and a kill in the middle."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facegen.checkpoint import checkpoint_files, read_checkpoint
from facegen.cli.launchers import launched
from facegen.cli.study import resolved
from facegen.study import conduct, read_study
from facegen.study.jobs import Job, alone, in_sequence
from tests.cli.conftest import Facegen
from tests.programs import start
from tests.study.conftest import do, write_study

SHIPPED = sorted(Path(__file__).parents[2].glob("experiments/**/study.yaml"))


def test_plan_names_folders_and_commands_and_does_nothing(tmp_path: Path, facegen: Facegen) -> None:
    folder = write_study(tmp_path, "stylegan2", hardware="one CPU", estimate="a minute", evaluate={})
    before = sorted(folder.iterdir())
    status, out, _ = facegen("study", str(folder), "dry=true", "seeds=[1]", "train='total_kimg=0.008 threads=2'")
    assert status == 0 and sorted(folder.iterdir()) == before
    assert "hardware: one CPU" in out and "time: a minute" in out and "little-s1-" in out and "-s0-" not in out
    command = next(line for line in out.splitlines() if line.startswith("  facegen train "))
    assert "total_kimg=0.008 threads=2 seed=1" in command and f"runs_dir={folder}/runs" in command


def test_a_path_needs_no_name(tmp_path: Path, refused: Callable[..., str]) -> None:
    assert refused("study", str(tmp_path)) == refused("study", f"study={tmp_path}")
    assert "expected a folder with study.yaml" in refused("study", str(tmp_path))
    assert "study is missing" in refused("study")
    assert "expected KEY=VALUE" in refused("study", str(tmp_path), "another")


def test_mistakes_are_one_line(tmp_path: Path, refused: Callable[..., str]) -> None:
    folder = write_study(tmp_path, "stylegan2", evaluate={"fid": ["num_image=3"]})
    assert "evaluation fid: num_image: " in refused("study", str(folder))
    assert "the study gives seed itself" in refused("study", str(folder), "train='seed=3'")
    assert "seeds: got [-1]" in refused("study", str(folder), "seeds=[-1]")
    assert "pip install hydra-submitit-launcher" in refused("study", str(folder), "launcher=submitit_slurm")
    assert not (folder / "runs").exists()


def test_hydras_basic_launcher_runs_the_jobs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    execute = launched("basic", [], tmp_path / "jobs")
    execute([Job("first", ["--version"]), Job("second, 'quoted' [x=1]", ["--version"])])
    assert capfd.readouterr().out.count("facegen 0") == 2
    with pytest.raises(ValueError, match="broken: ended with status 2; the command was facegen nonsense a=b"):
        execute([Job("broken", ["nonsense", "a=b"])])


def test_jobs_run_one_after_another_and_stop_at_a_failure(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="bad: ended with status 2"):
        in_sequence([Job("good", ["--version"]), Job("bad", ["nonsense"]), Job("never", ["--version"])])
    out = capfd.readouterr().out
    assert out.count("facegen 0") == 1 and "[2/3] bad" in out and "never" not in out


def test_two_studies_do_not_share_a_folder(tmp_path: Path) -> None:
    with alone(tmp_path), pytest.raises(ValueError, match=rf"process {os.getpid()}"), alone(tmp_path, patience=0.1):
        pass
    with alone(tmp_path, patience=0.1):
        pass


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.parent.name))
def test_every_run_of_every_shipped_study_composes(path: Path) -> None:
    study = read_study(path.parent)
    options = conduct.Options(seeds=study.seeds[:1], train=("datasets.root=/datasets",), evaluate=("num_images=9",))
    every = conduct.plan(study, resolved, options)
    assert [each.run.name for each in every] == list(study.runs)
    assert len({each.folder for each in every}) == len(every)
    assert (path.parent / "README.md").is_file()


def wait_for(condition: Callable[[], Any], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_in_a_training_it_goes_on_to_the_same_result(tmp_path: Path) -> None:
    evaluation = ["metrics=[fid]", "extractor=pixels", "num_images=8", "processes=1", "device=cpu"]
    for name in ("killed", "unbroken"):
        (tmp_path / name).mkdir()
        runs = {"one": {"overrides": ["total_kimg=0.2", "snapshot_kimg=0.02"]}}
        write_study(tmp_path / name, "stylegan2", seeds=[0], runs=runs, evaluate={"fid": evaluation})
    first = start(["study", "tiny"], tmp_path / "1.txt", tmp_path / "killed")
    runs = tmp_path / "killed/tiny/runs"
    wait_for(lambda: any(len(checkpoint_files(run)) > 1 for run in runs.glob("one-*")))
    first.kill()  # the study alone: its training is told so by the system, saves and ends
    first.join()
    second = start(["study", "tiny"], log := tmp_path / "2.txt", tmp_path / "killed")
    second.join()
    assert second.exitcode == 0 and "continuing from" in log.read_text(), log.read_text()
    do(tmp_path / "unbroken")
    states, figures = [], []
    for name in ("killed", "unbroken"):
        (run,) = (tmp_path / name / "tiny/runs").iterdir()
        states.append(read_checkpoint(checkpoint_files(run)[-1])["state_dict"])
        figures.append(json.loads((tmp_path / name / "tiny/results.json").read_text())["comparisons"])
    assert figures[0] == figures[1]
    assert all((states[0][key] == states[1][key]).all() for key in states[1])
