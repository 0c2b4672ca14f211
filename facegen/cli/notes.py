"""What the YAML files say of their own settings: the remark behind `#` on a line."""

import re
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable

import yaml

_LINE = re.compile(r"^(?P<indent> *)(?P<key>[\w-]+):(?P<value>[^#]*?)(?:\s#\s*(?P<comment>.*))?$")


def comments(config: str, chosen: Mapping[str, str | None]) -> dict[str, str]:
    """What the primary YAML and the chosen group files say behind `#`, by full key."""
    folder = files("facegen.configs")
    found: dict[str, str] = {}
    for group, name in chosen.items():
        group, _, package = group.partition("@")
        found.update(_file_comments(folder.joinpath(group), str(name), f"{package or group}."))
    return found | _comments(folder.joinpath(f"{config}.yaml").read_text(encoding="utf-8"), "")


def _file_comments(folder: Traversable, name: str, prefix: str) -> dict[str, str]:
    """Remarks of one file of a group, over those of the files of the same group that it builds upon."""
    file = folder.joinpath(f"{name}.yaml")
    if not file.is_file():
        return {}
    text = file.read_text(encoding="utf-8")
    found: dict[str, str] = {}
    for base in yaml.safe_load(text).get("defaults", []):
        if isinstance(base, str) and base != "_self_":
            found.update(_file_comments(folder, base, prefix))
    return found | _comments(text, "" if text.startswith("# @package _global_") else prefix)


def _comments(text: str, prefix: str) -> dict[str, str]:
    found: dict[str, str] = {}
    open_keys: list[tuple[int, str]] = []  # (indentation, key) of the mappings around the current line
    for line in text.splitlines():
        if not (match := _LINE.match(line)):
            continue
        depth = len(match["indent"])
        open_keys = [(d, k) for d, k in open_keys if d < depth] + [(depth, match["key"])]
        if match["comment"]:
            found[prefix + ".".join(k for _, k in open_keys)] = match["comment"]
    return found
