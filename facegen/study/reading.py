"""Reads `study.yaml`; every mistake in it is answered in one line that names the file and the place."""

import difflib
import re
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from facegen.study.definition import SEEDS, Evaluated, Pictures, Run, Study

FILE = "study.yaml"
_KEYS = ("question", "about", "seeds", "train", "runs", "evaluate", "pictures", "hardware", "estimate")
_RUN_KEYS = ("title", "overrides", "from", "against")
_MOST_FACES = 64  # beyond that nobody sees anything on a page
_NAME = re.compile(r"[A-Za-z0-9_]+")
# Settings of `facegen train` that the study itself gives.
_OURS = ("name", "runs_dir", "resume", "seed", "wandb", "wandb_group", "wandb_project", "tensorboard")


def read_study(folder: Path) -> Study:
    """Read `study.yaml` of a folder (or the file itself); ValueError says what is wrong with it, and where."""
    path = folder if folder.suffix in (".yaml", ".yml") else folder / FILE
    if not path.is_file():
        raise ValueError(f"study: got {folder}, expected a folder with {FILE}; docs/studies.md shows one")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        hint = "; settings with brackets need their own line, - metrics=[fid,kid], or quotes"
        raise ValueError(f"{path} is not readable YAML ({' '.join(str(error).split())[:200]}){hint}") from None
    try:
        return _study(path.parent, content)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def words_of(value: Any, where: str) -> tuple[str, ...]:
    """Overrides from a list, or from text as one would type it; ValueError unless each is KEY=VALUE."""
    try:
        words = shlex.split(value) if isinstance(value, str) else value
    except ValueError as error:
        raise ValueError(f"{where}: got {value!r}, expected KEY=VALUE words ({error})") from None
    if words is None:
        return ()
    if not isinstance(words, list) or not all(isinstance(word, str) and "=" in word for word in words):
        raise ValueError(f"{where}: got {value!r}, expected a list of KEY=VALUE")
    return tuple(words)


def _study(folder: Path, content: Any) -> Study:
    _check_keys(content, _KEYS, "")
    runs = _runs(_mapping(content, "runs"))
    evaluations = {name: _evaluated(name, value, runs) for name, value in _mapping(content, "evaluate").items()}
    train = words_of(content.get("train"), "train")
    for where, words in [("train", train), *((f"runs.{run.name}.overrides", run.overrides) for run in runs.values())]:
        check_training_words(words, where)
    texts = {key: _text(content, key) for key in ("question", "about", "hardware", "estimate")}
    if not texts["question"]:
        raise ValueError("question is missing: say what the runs are to answer")
    seeds, pictures = _seeds(content.get("seeds", [0])), _pictures(content.get("pictures"))
    return Study(folder, seeds=seeds, train=train, runs=runs, evaluate=evaluations, pictures=pictures, **texts)


def check_training_words(words: Iterable[str], where: str) -> None:
    """ValueError for a setting that the study itself gives to every training."""
    for word in words:
        key = word.partition("=")[0].lstrip("+~")
        if key in _OURS:
            raise ValueError(f"{where}: got {word!r}, but the study gives {key} itself; leave it out")


def check_seeds(numbers: list[Any]) -> tuple[int, ...]:
    """Seeds of a study; ValueError unless they are different whole numbers."""
    whole = all(type(number) is int and number >= 0 for number in numbers)
    if not numbers or not whole or len({*numbers}) < len(numbers):
        raise ValueError(f"seeds: got {numbers!r}, expected different whole numbers such as [0, 1, 2]")
    return tuple(numbers)


def _runs(content: dict[str, Any]) -> dict[str, Run]:
    if not content:
        raise ValueError("runs is missing: name at least one, as in `runs: {baseline: {overrides: [data=synthetic]}}`")
    first = next(iter(content))
    runs = {name: _run(name, value, None if name == first else first) for name, value in content.items()}
    for run in runs.values():
        for key, other in (("from", run.start), ("against", run.against)):
            if other is not None and (other not in runs or other == run.name):
                others = [name for name in runs if name != run.name]
                raise ValueError(f"runs.{run.name}.{key}: got {other!r}, {_expected(other, others)}")
        _check_loop(run, runs)
    return runs


def _evaluated(name: str, value: Any, runs: dict[str, Run]) -> Evaluated:
    where = f"evaluate.{name}"
    if not isinstance(value, dict):
        return Evaluated(words_of(value, where), tuple(runs))
    _check_keys(value, Evaluated._fields, where)
    chosen = value.get("runs", list(runs))
    for each in chosen if isinstance(chosen, list) else [chosen]:
        if each not in runs:
            raise ValueError(f"{where}.runs: got {each!r}, {_expected(str(each), runs)}")
    return Evaluated(words_of(value.get("overrides"), f"{where}.overrides"), tuple(chosen))


def _run(name: str, value: Any, first: str | None) -> Run:
    where = f"runs.{name}"
    _check_name(name, "runs")
    _check_keys(value or {}, _RUN_KEYS, where)
    value = value or {}
    start, against = (None if each is None else str(each) for each in (value.get("from"), value.get("against", first)))
    overrides = words_of(value.get("overrides"), f"{where}.overrides")
    return Run(name, _text(value, "title") or name, overrides, start, against)


def _check_loop(run: Run, runs: dict[str, Run]) -> None:
    seen = [run.name]
    while (start := runs[seen[-1]].start) is not None and start in runs:
        if start in seen:
            raise ValueError(f"runs.{run.name}.from: got a loop, {' from '.join([*seen, start])}")
        seen.append(start)


def _pictures(value: Any) -> Pictures | None:
    if value in (None, False):
        return None
    _check_keys(value, Pictures._fields, "pictures")
    switches = {key: value.get(key, False) for key in ("poses", "turntable")}
    for key, given in switches.items():
        if not isinstance(given, bool):
            raise ValueError(f"pictures.{key}: got {given!r}, expected true or false")
    seeds = str(value.get("seeds", "0-7")).replace(" ", "")
    made = Pictures(seeds, **switches)
    if not re.fullmatch(f"{SEEDS.pattern}(?:,{SEEDS.pattern})*", seeds) or not 1 <= made.num_faces <= _MOST_FACES:
        raise ValueError(f"pictures.seeds: got {seeds!r}, expected up to {_MOST_FACES} such as 0-7 or 0,3,10-12")
    return made


def _seeds(value: Any) -> tuple[int, ...]:
    numbers = value if isinstance(value, list) else [value]
    if (
        not numbers
        or not all(type(number) is int and number >= 0 for number in numbers)
        or len(set(numbers)) < len(numbers)
    ):
        raise ValueError(f"seeds: got {value!r}, expected different whole numbers such as [0, 1, 2]")
    return tuple(numbers)


def _mapping(content: dict[str, Any], key: str) -> dict[str, Any]:
    value = content.get(key) or {}
    if not isinstance(value, dict):
        raise ValueError(f"{key}: got {value!r}, expected NAME: ... for each")
    for name in value:
        _check_name(name, key)
    return value


def _check_name(name: Any, where: str) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"{where}: got the name {name!r}, expected letters, digits and _")


def _text(content: dict[str, Any], key: str) -> str:
    value = content.get(key, "")
    if not isinstance(value, str):
        raise ValueError(f"{key}: got {value!r}, expected text")
    return value.strip()


def _check_keys(value: Any, known: Iterable[str], where: str) -> None:
    if not isinstance(value, dict):
        raise ValueError(f"{where + ': ' if where else ''}got {value!r}, expected a mapping with {', '.join(known)}")
    for key in value:
        if key not in known:
            place = f"{where}.{key}" if where else str(key)
            raise ValueError(f"{place}: a study has no such key, {_expected(str(key), known)}")


def _expected(word: str, names: Iterable[str]) -> str:
    match = difflib.get_close_matches(word, names := list(names), n=1, cutoff=0.6)
    return f"expected one of: {', '.join(names)}" + (f"; did you mean {match[0]}?" if match else "")
