"""Every published dataset from its folder to a training step, through the command line, on a sample of its layout."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from facegen.cli import compose
from facegen.cli.commands import commands
from facegen.data import Recipe
from facegen.data.selection import combine
from tests.cli.conftest import Facegen
from tests.data.samples.all import PLACES, RECIPES, make_all, places
from tests.models.tiny import overrides, photographs


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make_all(tmp_path_factory.mktemp("datasets"))


@pytest.mark.parametrize("name", PLACES)
def test_index_and_validate(name: str, datasets: dict[str, Path], facegen: Facegen, tmp_path: Path) -> None:
    """A sample as published is indexed without a complaint, twice, and found clean."""
    for folder, layout in PLACES[name]:
        words = (f"root={datasets[name] / folder}", f"layout={layout}")
        status, out, err = facegen("data", "index", *words)
        assert status == 0 and f": {layout}, " in out and "problem" not in out, out + err
        assert "https://" in err and err.count("\n") == 1  # its terms, once
        status, out, _ = facegen("data", "index", *words)
        assert status == 0 and "nothing had changed" in out
        status, out, err = facegen("data", "validate", *words, f"out={tmp_path / 'report.json'}", "workers=0")
        assert status == 0, out + err


@pytest.mark.parametrize("name", RECIPES)
def test_statistics_and_a_training_step(name: str, datasets: dict[str, Path], facegen: Facegen, tmp_path: Path) -> None:
    status, out, err = facegen("data", "stats", f"data={name}", *places(datasets), f"out={tmp_path / 'stats'}")
    assert status == 0 and (tmp_path / "stats" / "index.html").is_file(), out + err
    words = [word for word in overrides(tmp_path, tmp_path / "runs") if not word.startswith(("data", "total_kimg"))]
    words += [f"data={name}", "total_kimg=0.004", *places(datasets)]
    status, out, err = facegen("train", *words)
    assert status == 0, out + err
    assert list((tmp_path / "runs").glob("*/checkpoints/*.ckpt"))


def test_eg3d_trains_on_lpff_and_ffhq(datasets: dict[str, Path], facegen: Facegen, tmp_path: Path) -> None:
    words = [w for w in overrides(tmp_path, tmp_path / "runs", kind="eg3d") if not w.startswith(("data", "total"))]
    words += ["data=lpff_ffhq_rebalanced", "total_kimg=0.004", *places(datasets)]
    status, out, err = facegen("train", *words)
    assert status == 0, out + err


@pytest.mark.parametrize("name", RECIPES)
def test_missing_datasets_are_named_in_one_line(name: str, facegen: Facegen, tmp_path: Path) -> None:
    status, _, err = facegen("train", f"data={name}", f"datasets.root={tmp_path}")
    assert status == 2 and err.count("\n") == 1
    assert f"{tmp_path}/" in err and "does not exist; expected the files of" in err and "FACEGEN_DATASETS" in err


def test_several_recipes_are_one(datasets: dict[str, Path]) -> None:
    words = ["data=[ffhq_cleaned,celebahq_cleaned,sfhq_part3]", *places(datasets)]
    settings = compose.checked(commands()["train"], words)
    assert set(settings.data.sources) == {"ffhq", "celebahq", "sfhq_part3"}
    assert settings.data.sources.ffhq.exclude == "pkg:ffhq_excluded"


def test_a_recipe_takes_sources_of_the_user(datasets: dict[str, Path], tmp_path: Path) -> None:
    """Settings that no YAML lists, a source of another name, and a folder beside published datasets."""
    words = ["data=[lpff,folder]", "data.mirror=true", f"data.root={tmp_path}", "data.sources.lpff.repeat=2"]
    words += places(datasets)
    words += [f"data.sources.large.root={datasets['lpff']}", "data.sources.large.layout=lpff_stylegan"]
    settings = compose.checked(commands()["train"], words)
    assert settings.data.sources.lpff.repeat == 2 and settings.data.root == str(tmp_path)
    photographs(tmp_path / "own", 3, 64)
    recipe = Recipe(combine(str(tmp_path / "own"), OmegaConf.to_container(settings.data.sources, resolve=True)), 16)  # type: ignore[arg-type]
    prefixes = Counter(name.split("/")[0] for name in recipe.rows["id"].to_pylist())
    assert prefixes == {"lpff": 6, "large": 6, "own": 3} and recipe.repeats[:6].tolist() == [2] * 6


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data=[ffhq,fo]"], "data=fo: got 'fo', expected one of"),
        (["data=lpff", "data.sources.lpff.miror=true"], "a source has unknown miror"),
        (["data=lpff", "data.sources.lpff.mirror=maybe"], "expected true or false"),
        (["data=lpff", "data.sauces.lpff.root=x"], "no such setting; did you mean"),
        (["data=lpff", "data.rebalance=often"], "got 'often', expected one of: lpff, eg3d, importance"),
        (["data=curated"], "data has no sources; choose data=ffhq"),
        (
            ["data=[lpff_ffhq_rebalanced,ffhq]"],
            "says lpff, ffhq says null for rebalance; settle it",
        ),
        (["data=[ffhq_rebalanced,lpff_ffhq_rebalanced]"], "{rule: eg3d, copies: null}, lpff_ffhq_rebalanced says lpff"),
        (["data=[ffhq,ffhq_uv]"], "ffhq says true, ffhq_uv says false for mirror; settle it: data.mirror=VALUE"),
        (["data=lpff", "data.sources.lpff.exclude=pkg:ffhq_excluded"], "900 of 900 exclude do not exist"),
        (["data=lpff", "data.conditions=mask"], "data.conditions: got 'mask', expected a list"),
    ],
)
def test_wrong_recipes(words: list[str], message: str, datasets: dict[str, Path], refused: Callable[..., str]) -> None:
    assert message in refused("train", *words, *places(datasets))
