"""`facegen COMMAND --help`: the command's own text, then every setting with its default and meaning."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from facegen.cli import compose
from facegen.cli.commands import Command
from facegen.cli.notes import comments

_MOST_KEY, _MOST_VALUE = 40, 24  # longer ones push their row to the right instead of all of them


def help_text(command: Command, overrides: Sequence[str] = (), config_dir: Path | None = None) -> str:
    """The help of one command, with the settings as the overrides leave them (`model=paper256 --help`)."""
    cfg, chosen = compose.compose_with_choices(command, overrides, config_dir)
    with compose.space(config_dir) as known:
        available = known.groups
    groups = [
        f"  {group.rpartition('@')[2]}={'|'.join(options)}" + (f"  (now {name})" if name else "")
        for group, name in chosen.items()
        if (options := available.get(group.partition("@")[0]))
    ]
    notes = comments(command.config, chosen)
    rows = [(key, _shown(value), notes.get(key, "")) for key, value in _leaves(OmegaConf.to_container(cfg))]
    rows.sort(key=lambda row: "." in row[0])  # a command's own settings before those of its parts
    parts = [command.help.strip(), "Settings (KEY=VALUE changes one; ??? must be given):\n" + _table(rows)]
    if groups:
        parts.insert(1, "Choices (each is a file of settings):\n" + "\n".join(groups))
    return "\n\n".join(parts)


def _leaves(node: Any, path: str = "") -> list[tuple[str, Any]]:
    if isinstance(node, dict) and (node or not path):
        items = ((f"{path}.{k}" if path else str(k), v) for k, v in node.items() if k != "_target_")
        return [leaf for key, value in items for leaf in _leaves(value, key)]
    return [(path, node)]


def _table(rows: list[tuple[str, str, str]]) -> str:
    keys = min(_MOST_KEY, max(len(key) for key, _, _ in rows))
    values = min(_MOST_VALUE, max(len(value) for _, value, _ in rows))
    return "\n".join(f"  {key:<{keys}}  {value:<{values}}  {comment}".rstrip() for key, value, comment in rows)


def _shown(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
