"""`facegen COMMAND --help`: the command's own text, then every setting with its default and what its YAML says of it."""

from typing import Any

from omegaconf import OmegaConf

from facegen.cli import compose
from facegen.cli.commands import Command
from facegen.cli.notes import comments

_KEY_WIDTH, _VALUE_WIDTH = 34, 26


def help_text(command: Command) -> str:
    """The help of one command."""
    with compose.space() as known:
        cfg, chosen = compose.composed(command.config, [])
    groups = [
        f"  {group}={'|'.join(known.groups[group])}" + (f"  (default: {name})" if name else "")
        for group, name in chosen.items()
    ]
    notes = comments(command.config, chosen)
    lines = [_row(key, value, notes.get(key, "")) for key, value in _leaves(OmegaConf.to_container(cfg))]
    parts = [command.help.strip(), "Settings (KEY=VALUE changes one; ??? must be given):\n" + "\n".join(lines)]
    if groups:
        parts.insert(1, "Choices (each is a file of settings):\n" + "\n".join(groups))
    return "\n\n".join(parts)


def _leaves(node: Any, path: str = "") -> list[tuple[str, Any]]:
    if isinstance(node, dict) and (node or not path):
        return [leaf for k, v in node.items() if k != "_target_" for leaf in _leaves(v, f"{path}.{k}" if path else str(k))]
    return [(path, node)]


def _row(key: str, value: Any, comment: str) -> str:
    shown = "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return f"  {key:<{_KEY_WIDTH}} {shown:<{_VALUE_WIDTH}} {comment}".rstrip()
