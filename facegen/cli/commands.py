"""What commands there are, read from this folder without importing them, and the overview of `facegen` alone."""

import ast
import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

EXAMPLES = """\
Examples:
  facegen train                                        a first generator on synthetic faces
  facegen train data=folder data.root=~/photographs    on your own pictures
  facegen train resume=auto                            go on where the last run stopped
  facegen generate checkpoint=runs/NAME seeds=0-7      pictures from a run
  facegen invert checkpoint=runs/NAME images=face.png  a photograph's place in a generator
  facegen fit photo.jpg mesh=glb                       3D shape, camera, light and albedo of a face
  facegen train data=lpff_ffhq datasets.root=/datasets  published datasets, read where they lie
  facegen data curate root=~/photographs out=~/faces   raw photographs to aligned faces with cameras
  facegen data validate root=~/photographs             find bad files before they cost a night
  facegen data search root=~/faces where="quality > 0.8" out=good     faces by text, example or column, as a recipe
  facegen explore open=[~/faces,runs]                  look at datasets, generators and studies in the browser

Settings are KEY=VALUE, without dashes. `facegen COMMAND --help` explains one command and lists its settings.
`--cfg job` prints the configuration instead of running, `--config-dir DIR` adds a folder of your own YAML files.
FACEGEN_DEBUG=1 in the environment shows the traceback behind a one-line error."""


@dataclass(frozen=True)
class Command:
    """One command: the words that call it, its module, its help text and the name of its primary configuration.

    `positional`: the setting that a first word without `=` means, as in `facegen study FOLDER`.
    """

    name: str
    module: str
    help: str
    config: str
    positional: str = ""

    @property
    def summary(self) -> str:
        """First line of the help text."""
        return self.help.strip().splitlines()[0]

    def named(self, overrides: Sequence[str]) -> list[str]:
        """Overrides in which a word without a name has the one of the positional setting."""
        bare = [word for word in overrides if "=" not in word and not word.startswith(("~", "-"))]
        if not self.positional or not bare:
            return list(overrides)
        return [f"{self.positional}={word}" if word == bare[0] else word for word in overrides]


def _constants(path: Path) -> dict[str, str]:
    """String constants assigned at the top of a module."""
    found: dict[str, str] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text)))
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str(text)))
            ):
                found[name] = text
    return found


@cache
def commands() -> dict[str, Command]:
    """Every module of this folder that has HELP and CONFIG, by the words a user types (`data_index` -> `data index`).

    The constants are read from the source: importing a command would import torch, and `facegen --help` must be quick.
    """
    found = {}
    for path in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        constants = _constants(path)
        if {"HELP", "CONFIG"} <= constants.keys():
            name = path.stem.rstrip("_").replace("_", " ")  # import_.py: `import` is a keyword
            found[name] = Command(
                name,
                f"facegen.cli.{path.stem}",
                constants["HELP"],
                constants["CONFIG"],
                constants.get("POSITIONAL", ""),
            )
    return found


def find(words: Sequence[str]) -> tuple[Command | None, str, list[str]]:
    """Split an argument list into the command, the group of commands it names instead (`data`), and the rest.

    Raises ValueError, with the nearest name, where the first words are neither.
    """
    known = commands()
    for length in (2, 1):
        name = " ".join(words[:length])
        if len(words) >= length and name in known:
            return known[name], "", list(words[length:])
    group = words[0]
    members = [name for name in known if name.startswith(f"{group} ")]
    rest = list(words[1:])
    if members and (not rest or rest[0].startswith("-")):
        return None, group, rest
    typed = f"{group} {rest[0]}" if members else group
    raise ValueError(
        f"got the command {typed!r}, expected one of: {', '.join(members or known)}{nearest(typed, members or known)}"
    )


def nearest(word: str, names: Sequence[str] | dict[str, Command]) -> str:
    """`; did you mean X?` for the nearest of some names, or nothing."""
    match = difflib.get_close_matches(word, list(names), n=1, cutoff=0.6)
    return f"; did you mean {match[0]}?" if match else ""


def overview(group: str = "") -> str:
    """The text of `facegen` alone, or of `facegen data`: the commands with one line each, and examples."""
    chosen = [item for item in commands().items() if item[0].startswith(f"{group} " if group else "")]
    listed = dict(sorted(chosen, key=lambda item: " " in item[0]))  # groups of commands come last
    width = max(map(len, listed), default=0)
    title = "facegen: train, fit and judge face generators on curated face datasets."
    lines = [f"Commands of `facegen {group}`:" if group else title + "\n\nCommands:"]
    lines += [f"  {name:<{width}}  {command.summary}" for name, command in listed.items()]
    closing = f"`facegen {group} COMMAND --help` explains one of them." if group else EXAMPLES
    return "\n".join(lines) + "\n\n" + closing
