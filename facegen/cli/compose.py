"""Configuration of one command: Hydra's compose API, with no outputs/ folder and no log hijack."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import hydra
import yaml
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from facegen.cli import heuristics, schema
from facegen.cli import overrides as words
from facegen.cli.agreement import check_agreement
from facegen.cli.commands import Command
from facegen.cli.notes import comments


class Options(NamedTuple):
    """The options with dashes that every command has."""

    help: bool = False
    show: bool = False
    config_dir: Path | None = None


def split_options(command: str, arguments: Sequence[str]) -> tuple[Options, list[str]]:
    """Separate `--help`, `--cfg job` and `--config-dir DIR` from the overrides."""
    options, rest, queue = Options(), [], list(arguments)
    while queue:
        word = queue.pop(0)
        name, equals, value = word.partition("=")
        if word in ("-h", "--help"):
            options = options._replace(help=True)
        elif name in ("--cfg", "-c"):
            value = value if equals else (queue.pop(0) if queue else "")
            if value != "job":
                raise ValueError(f"--cfg: got {value!r}, expected `--cfg job`, which prints the configuration")
            options = options._replace(show=True)
        elif name in ("--config-dir", "-cd"):
            value = value if equals else (queue.pop(0) if queue else "")
            options = options._replace(config_dir=_folder(value))
        elif word.startswith("-") and not equals:
            raise ValueError(
                f"got the option {word}, expected --help, --cfg job or --config-dir DIR, then KEY=VALUE; "
                f"`facegen {command} --help` lists the settings"
            )
        else:
            rest.append(word)
    return options, rest


def _folder(text: str) -> Path:
    path = Path(text).expanduser()
    if not text or not path.is_dir():
        raise ValueError(f"--config-dir: got {text!r}, expected an existing folder of YAML files")
    return path.resolve()


class Space(NamedTuple):
    """Where configurations are looked up: the packaged ones and a user's folder."""

    groups: dict[str, list[str]]
    search: list[str]
    folder: Path | None


@contextmanager
def space(folder: Path | None = None) -> Iterator[Space]:
    heuristics.register()
    with hydra.initialize_config_module("facegen.configs", version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        groups = {name: loader.get_group_options(name) for name in loader.list_groups("")}
        groups = {name: options for name, options in groups.items() if options and name != "hydra"}
        for extra in sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder else ():
            groups.setdefault(extra, [])
        search = [f"hydra.searchpath=[{words.quote(f'file://{folder}')}]"] if folder else []
        yield Space(groups, search, folder)


def compose(command: Command, overrides: Sequence[str], config_dir: Path | None = None) -> DictConfig:
    """Compose a command's configuration; ValueError names an unknown key or choice and the nearest that exists."""
    return compose_with_choices(command, overrides, config_dir)[0]


def composed(config: str, overrides: Sequence[str]) -> tuple[DictConfig, dict[str, str | None]]:
    """Hydra's result, and which file each group of configurations comes from. Call it inside `space`."""
    cfg = hydra.compose(config, list(overrides), return_hydra_config=True)
    chosen = {group: name for group, name in cfg.hydra.runtime.choices.items() if not group.startswith("hydra/")}
    with open_dict(cfg):
        del cfg["hydra"]
    return cfg, chosen


def compose_with_choices(
    command: Command, overrides: Sequence[str], config_dir: Path | None = None
) -> tuple[DictConfig, dict[str, str | None]]:
    """`compose`, and which file each group of configurations comes from."""
    with space(config_dir) as known:
        second = packages(command.config)
        typed = [words.as_text_where_needed(word) for word in overrides]
        choices, values = _split_choices([words.in_package(word, second) for word in typed], known)
        _check_agreement(command.config, known.search, choices, [words.parse(word)[1] for word in values])
        base, chosen = composed(command.config, [*known.search, *choices])
        plain: Any = OmegaConf.to_container(base)
        admitted = [words.admit(plain, word, command.name) for word in values]
        if (cfg := _settled(base, admitted, known)) is None:
            cfg, chosen = composed(command.config, [*known.search, *choices, *admitted])
        given: Any = OmegaConf.to_container(cfg)
        schema.check_defaults(plain, given)
        return cfg, chosen | _several(choices)


def _settled(cfg: DictConfig, values: Sequence[str], known: Space) -> DictConfig | None:
    """A composed configuration with values put in place as Hydra does it last, so that files are read only once.

    None for what is more than a value (a group, `~key`, `+key`) and for what does not fit, which Hydra has words for.
    """
    parts = [words.parse(word) for word in values]
    if any(sign not in ("", "++") or key.partition("@")[0] in known.groups for sign, key, _ in parts):
        return None
    try:
        for override in OverridesParser.create().parse_overrides(list(values)):
            added = override.is_force_add()
            OmegaConf.update(cfg, override.key_or_group, override.value(), merge=True, force_add=added)
    except (HydraException, OmegaConfBaseException):
        return None
    return cfg


def _check_agreement(config: str, search: Sequence[str], choices: Sequence[str], settled: Sequence[str]) -> None:
    """Look at the files of each list of choices one by one, as each would be alone."""
    for key, value in _several(choices).items():
        names, name_of_group = [name.strip() for name in str(value).split(",")], key.partition("@")[2] or key
        alone = [composed(config, [*search, f"{key}={name}"])[0] for name in names]
        nodes = [OmegaConf.to_container(OmegaConf.select(cfg, name_of_group)) for cfg in alone]
        check_agreement(name_of_group, dict(zip(names, nodes, strict=True)), settled)


def packages(config: str) -> dict[str, str]:
    """Groups that a command takes a second time, by what they are called there: {"against": "data@against"}."""
    text = files("facegen.configs").joinpath(f"{config}.yaml").read_text(encoding="utf-8")
    every = [entry for entry in yaml.safe_load(text).get("defaults", []) if isinstance(entry, dict)]
    keys = [key.removeprefix("optional ") for entry in every for key in entry]
    return {key.partition("@")[2]: key for key in keys if "@" in key}


def _several(choices: Sequence[str]) -> dict[str, str | None]:
    """Choices of several files (`data=[a,b]`), which Hydra does not list."""
    return {key: value.strip("[]") for _, key, value in map(words.parse, choices) if value and value[0] == "["}


def _split_choices(overrides: list[str], known: Space) -> tuple[list[str], list[str]]:
    """Overrides that choose a file of a group (`model=paper256`), and the rest."""
    choices, values = [], []
    for word in overrides:
        sign, key, value = words.parse(word)
        group = key.split("@")[0]
        if group in known.groups and sign != "~" and value is not None and not value.startswith("{"):
            words.check_choice(key, value, known.groups[group], known.folder)
            choices.append(word)
        else:
            values.append(word)
    return choices, values


def checked(command: Command, overrides: Sequence[str], config_dir: Path | None = None) -> DictConfig:
    """`compose`, then refuse missing mandatory values and everything that the constructors would not take.

    A command whose configuration has the key `chosen` is told there which files were chosen.
    """
    cfg, chosen = compose_with_choices(command, overrides, config_dir)
    if missing := sorted(OmegaConf.missing_keys(cfg)):
        meaning = comments(command.config, chosen).get(missing[0], "")
        raise ValueError(
            f"{missing[0]} is missing: add {missing[0]}=VALUE{f' ({meaning})' if meaning else ''}; "
            f"`facegen {command.name} --help` shows examples"
        )
    if "chosen" in cfg:
        cfg["chosen"] = {group.rpartition("@")[2]: name for group, name in chosen.items()}
    schema.check_targets(OmegaConf.to_container(cfg, resolve=True))
    return cfg


def as_yaml(cfg: DictConfig) -> str:
    """The configuration with its interpolations resolved; missing values stay `???`."""
    resolved = OmegaConf.to_container(cfg, resolve=not OmegaConf.missing_keys(cfg))
    return OmegaConf.to_yaml(OmegaConf.create(resolved))  # type: ignore[arg-type]
