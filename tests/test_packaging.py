"""The wheel holds what the symbolic links point to: built, installed elsewhere, asked for every configuration."""

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
COMPOSE_ALL = """
import sys
import facegen, facegen.callbacks
from facegen.cli import compose
from facegen.cli.commands import commands
assert facegen.__file__.startswith(sys.argv[1]), facegen.__file__
assert facegen.callbacks.__file__.startswith(sys.argv[1])
count = 0
for command in commands().values():
    with compose.space() as known:
        _, chosen = compose.composed(command.config, [])
    choices = [f"{group}={name}" for group in chosen for name in known.groups.get(group, [])]
    for choice in [[], *([c] for c in choices)]:
        compose.compose(command, choice)
        count += 1
from facegen.data.lists import excluded
assert len(excluded("ffhq")) == 900
print("composed", count)
"""


def run(*command: str, cwd: Path, **environment: str) -> str:
    finished = subprocess.run(command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution and the wheel that is made from it."""
    tree = tmp_path_factory.mktemp("tree")
    for name in ("facegen", "callbacks", "configs"):
        shutil.copytree(ROOT / name, tree / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", "dist", ".", cwd=tree)
    return tree / "dist"


@pytest.mark.slow
def test_wheel_composes_every_configuration_elsewhere(built: Path, tmp_path: Path) -> None:
    target = tmp_path / "installed"
    wheel = next(built.glob("*.whl"))
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index")
    run(*pip, "--target", str(target), str(wheel), cwd=tmp_path)
    output = run(sys.executable, "-c", COMPOSE_ALL, str(target), cwd=tmp_path, PYTHONPATH=str(target))
    assert int(output.split()[-1]) >= len(list((ROOT / "configs").glob("*.yaml")))


@pytest.mark.slow
def test_both_distributions_hold_every_file_once(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {
        f"facegen/{folder}/{path.relative_to(ROOT / folder)}"
        for folder in ("callbacks", "configs")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".yaml")
    }
    assert wanted <= packed
    assert not any(name.startswith(("callbacks/", "configs/")) for name in packed)
