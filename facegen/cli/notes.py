"""What the YAML files say of their own settings: the remark behind `#` on a line."""

import re
from collections.abc import Mapping
from importlib.resources import files

_LINE = re.compile(r"^(?P<indent> *)(?P<key>[\w-]+):(?P<value>[^#]*?)(?:\s#\s*(?P<comment>.*))?$")


def comments(config: str, chosen: Mapping[str, str | None]) -> dict[str, str]:
    """What the primary YAML and the chosen group files say behind `#`, by full key."""
    folder = files("facegen.configs")
    found = _comments(folder.joinpath(f"{config}.yaml").read_text(encoding="utf-8"), "")
    for group, name in chosen.items():
        file = folder.joinpath(str(group), f"{name}.yaml")
        if file.is_file():
            found.update(_comments(file.read_text(encoding="utf-8"), f"{group}."))
    return found


def _comments(text: str, prefix: str) -> dict[str, str]:
    found, open_keys = {}, []  # (indentation, key) of the mappings around the current line
    if text.startswith("# @package _global_"):
        prefix = ""
    for line in text.splitlines():
        if not (match := _LINE.match(line)):
            continue
        depth = len(match["indent"])
        open_keys = [(d, k) for d, k in open_keys if d < depth] + [(depth, match["key"])]
        if match["comment"]:
            found[prefix + ".".join(k for _, k in open_keys)] = match["comment"]
    return found
