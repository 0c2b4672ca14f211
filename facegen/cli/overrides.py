"""From the words a user types to overrides that Hydra takes: every mistake is answered here, by name."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from facegen.cli import schema
from facegen.cli.commands import nearest

_WORD = re.compile(r"^(?P<sign>\+\+|\+|~)?(?P<key>[A-Za-z_][\w./@-]*)(?:=(?P<value>.*))?$", re.DOTALL)


def quote(text: str) -> str:
    """A value of Hydra's grammar that means exactly this text."""
    text = re.sub(r"(\\*)'", r"\1\1\\'", text)
    text = re.sub(r"(\\+)$", r"\1\1", text)
    return f"'{text}'"


def parse(word: str) -> tuple[str, str, str | None]:
    """Split `+key=value` into sign, key and value; raise ValueError for anything else."""
    match = _WORD.match(word)
    if match is None or (match["value"] is None and match["sign"] != "~"):
        dashed = word.startswith("-")
        hint = f"; settings have no dashes: {word.lstrip('-')}" if dashed and "=" in word else ""
        raise ValueError(f"got {word!r}, expected KEY=VALUE{hint}")
    return match["sign"] or "", match["key"], match["value"]


def as_text_where_needed(word: str) -> str:
    """Quote values outside Hydra's grammar (a path with brackets or accents) and commas, which would mean a sweep."""
    sign, key, value = parse(word)
    if value is None:
        return word
    try:
        parsed = OverridesParser.create().parse_override(word)
        if not parsed.is_sweep_override():
            return word
    except HydraException:
        pass
    return f"{sign}{key}={quote(value)}"


def in_package(word: str, packages: Mapping[str, str]) -> str:
    """`against=NAME` as Hydra wants it, `data@against=NAME`, where a command takes a group under a second name."""
    sign, key, value = parse(word)
    return word if key not in packages or value is None else f"{sign}{packages[key]}={value}"


def check_choice(key: str, value: str, options: Sequence[str], folder: Path | None) -> None:
    """Refuse a choice that a group of configurations does not have, naming those it has."""
    group, _, package = key.partition("@")
    own = (folder / group).glob("*.yaml") if folder else ()
    available = sorted({*options, *(path.stem for path in own)})
    names = [v.strip() for v in value.strip("[]").split(",")]
    for name in names:
        if name not in available and name != "null" and "/" not in name:
            expected = f"{', '.join(available)}{nearest(name, available)}"
            raise ValueError(f"{package or group}={name}: got {name!r}, expected one of: {expected}")


def admit(base: dict[str, Any], word: str, command: str) -> str:
    """Check one value override against the configuration without it, and return what Hydra is to be given.

    A key that the YAML does not list is admitted when the constructor of its node takes it; the rest is refused.
    """
    sign, key, value = parse(word)
    found, parent, last = _walk(base, key)
    if found:
        default = parent[last]
        is_text = isinstance(default, str) and "${" not in default and value is not None and _is_scalar(word)
        if is_text and value is not None and not _takes(parent.get("_target_"), last, word):
            return f"{sign}{key}={quote(value)}"  # `name=001` is text, because the default is
        return word
    if sign in ("+", "++") and "." in key and parent is not None:
        return word  # the signature check that follows names it if it is wrong
    target = parent.get("_target_") if isinstance(parent, dict) else None
    accepted = schema.parameters(target) if isinstance(target, str) else {}
    if not sign and (accepted is None or last in accepted or _in_mapping(base, key)):
        return f"++{word}"
    prefix = key.rpartition(".")[0]
    names = [*_leaves(base), *(f"{prefix}.{name}" for name in accepted or ())]
    raise ValueError(f"{key}: `facegen {command}` has no such setting{_suggest(key, names)}")


def _in_mapping(base: dict[str, Any], key: str) -> bool:
    """Whether a key leads into a mapping whose keys are the user's, as `data.sources` is: its reader checks them."""
    node, parts = base, key.split(".")
    for place, name in enumerate(parts[:-1]):
        target = node.get("_target_")
        if isinstance(target, str) and schema.takes_mapping(schema.annotations(target).get(name)):
            return place + 1 < len(parts)
        node = node.get(name)
        if not isinstance(node, dict):
            return False
    return False


def _is_scalar(word: str) -> bool:
    return isinstance(_value(word), int | float | bool)


def _value(word: str) -> Any:
    return OverridesParser.create().parse_override(word).value()


def _takes(target: Any, name: str, word: str) -> bool:
    """Whether a constructor takes this number or switch as it is, as `learning_rate: float | "auto"` does."""
    annotations = schema.annotations(target) if isinstance(target, str) else {}
    return name in annotations and schema.fits(_value(word), annotations[name])


def _walk(node: Any, key: str) -> tuple[bool, Any, str]:
    """Follow a dotted key: whether it exists, the mapping that should hold it (or None), its last part."""
    *parents, last = key.split(".")
    for name in parents:
        node = node.get(name) if isinstance(node, dict) else None
    return isinstance(node, dict) and last in node, node if isinstance(node, dict) else None, last


def _leaves(node: Any, path: str = "") -> list[str]:
    if not isinstance(node, dict):
        return [path]
    items = ((f"{path}.{k}" if path else str(k), v) for k, v in node.items() if k != "_target_")
    return [leaf for name, value in items for leaf in _leaves(value, name)]


def _suggest(key: str, names: list[str]) -> str:
    last = key.rpartition(".")[2]
    same_end = [name for name in names if name.rpartition(".")[2] == last]
    if same_end:
        return f"; did you mean {same_end[0]}?"
    return nearest(key, names) or "; --help lists its settings"
