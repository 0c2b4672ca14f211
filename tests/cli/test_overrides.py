"""Overrides as users type them: what is admitted, what is refused, and with which words."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig

from facegen.cli import compose, overrides
from facegen.cli.commands import commands
from tests.cli.conftest import Facegen

Refused = Callable[..., str]


def composed(*words: str) -> DictConfig:
    return compose.compose(commands()["generate"], words)


@pytest.mark.parametrize(
    "text", ["a b", "C:\\x\\", "it's", "\\'", "é(1)/{x}", "a,b", "", "x=[1", "50%", "#1", '"q"', "\\\\'\\"]
)
def test_quote_round_trips(text: str) -> None:
    assert OverridesParser.create().parse_override(f"key={overrides.quote(text)}").value() == text


@pytest.mark.parametrize("value", ["0,3,5-9", "0-7", "5", "/a b/é (1),2/x=y"])
def test_text_stays_text(value: str) -> None:
    cfg = composed(f"outdir={value}", f"seeds={value}")
    assert (cfg.outdir, cfg.seeds) == (value, value)


def test_default_decides_whether_digits_are_text() -> None:
    assert composed("outdir=001")["outdir"] == "001"
    assert composed("fps=25")["fps"] == 25


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["truncation=abc"], "truncation: got 'abc', expected a number (the default is 1.0)"),
        (["frames=1.5"], "frames: got 1.5, expected a whole number"),
        (["depth=3"], "depth: got 3, expected true or false"),
        (["chekpoint=x"], "did you mean checkpoint?"),
        (["--seeds=3"], "settings have no dashes: seeds=3"),
        (["seeds"], "got 'seeds', expected KEY=VALUE"),
        (["=3"], "got '=3', expected KEY=VALUE"),
        (["+foo=1"], "foo: `facegen generate` has no such setting"),
        (["~foo"], "foo: `facegen generate` has no such setting"),
        (["hydra.run.dir=x"], "has no such setting"),
        (["fps.x=3"], "has no such setting"),
        (["--foo"], "got the option --foo"),
        (["--cfg", "all"], "expected `--cfg job`"),
        (["--config-dir"], "expected an existing folder"),
        ([], "checkpoint is missing: add checkpoint=VALUE (run folder"),
    ],
)
def test_refused_with_words(refused: Refused, words: list[str], expected: str) -> None:
    assert expected in refused("generate", *words)


def test_cfg_job_prints_without_running(facegen: Facegen) -> None:
    status, out, _ = facegen("generate", "checkpoint=/does/not/exist", "fps=12", "--cfg", "job")
    assert status == 0 and "checkpoint: /does/not/exist\n" in out and "fps: 12\n" in out


BASE = {"model": {"_target_": "fractions.Fraction", "numerator": 1}, "name": "x", "size": 3}


def test_key_that_only_the_constructor_knows_is_admitted() -> None:
    assert overrides.admit(BASE, "model.denominator=2", "train") == "++model.denominator=2"
    with pytest.raises(ValueError, match=r"did you mean model\.denominator\?"):
        overrides.admit(BASE, "model.denominater=2", "train")


def test_suggestion_finds_the_same_name_elsewhere() -> None:
    with pytest.raises(ValueError, match=r"did you mean model\.numerator\?"):
        overrides.admit(BASE, "numerator=2", "train")


def test_choice_of_a_group(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.yaml").write_text("x: 1\n")
    overrides.check_choice("data", "mine", ["folder"], tmp_path)
    with pytest.raises(ValueError, match=r"expected one of: folder, mine; did you mean folder\?"):
        overrides.check_choice("data", "foldr", ["folder"], tmp_path)


def test_a_number_where_text_is_the_default_stays_a_number_when_the_constructor_takes_one() -> None:
    words = ["model.learning_rate=1e-3", "model.r1_gamma=2", "name=001"]
    cfg = compose.compose(commands()["train"], words)
    assert cfg.model.learning_rate == 0.001 and cfg.model.r1_gamma == 2 and cfg.name == "001"
