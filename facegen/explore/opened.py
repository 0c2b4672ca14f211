"""What is open: the faces and folders that the page may read, found from what the person named.

A visitor never sends paths: rooms are asked for things by the names below, and what is not among them is not there.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from facegen.checkpoint import CONFIG_NAME, WEIGHTS_NAME
from facegen.curation.searching import Space
from facegen.data import Recipe

_SPACE = Space()
_PIPELINE = "model_index.json"  # of a folder of diffusers
_MODELS = (".pkl", ".pickle", ".ckpt", ".pth", ".safetensors")


class Opened(NamedTuple):
    """`recipes`: faces by name. `folders`: runs, exports, studies, and folders that hold some of them.

    `space`: where likeness of faces is measured. `outdir`: where the page writes, such as recipes.
    """

    recipes: Mapping[str, Recipe]
    folders: tuple[Path, ...]
    space: Space = _SPACE
    outdir: Path = Path()

    def runs(self) -> dict[str, Path]:
        """Run folders by name, those that have come since the page was opened among them."""
        return _named(path for folder in self.folders for path in _among(folder) if is_run(path))

    def generators(self) -> dict[str, Path]:
        """Runs with a checkpoint, exports, and files of weights, by name."""
        return _named(path for folder in self.folders for path in _among(folder) if _has_generator(path))

    def studies(self) -> dict[str, Path]:
        """Folders of studies by name."""
        return _named(path for folder in self.folders for path in _among(folder) if is_study(path))


def opened(
    paths: Iterable[str | Path],
    recipes: Mapping[str, Recipe],
    space: Space = _SPACE,
    outdir: str | Path = ".",
) -> Opened:
    """Sort paths into faces and folders; `recipes` are further faces. What `runs/` holds is looked for inside it.

    Raises ValueError for a path that does not exist, and one without images, runs, studies or weights.
    """
    faces, folders = dict(recipes), []
    for path in (Path(each).expanduser().absolute() for each in paths):
        if not path.exists():
            raise ValueError(f"{path} does not exist; expected a folder or zip of images, a run, an export or a study")
        if any(is_run(each) or is_study(each) or _has_generator(each) for each in _among(path)):
            folders.append(path)
        else:
            recipe = Recipe(path)
            faces[_free(recipe.source_names[0], faces)] = recipe
    return Opened(faces, tuple(folders), space, Path(outdir).expanduser().absolute())


def is_run(path: Path) -> bool:
    """Whether `facegen train` wrote this folder."""
    return (path / "config.yaml").is_file() and (path / "metrics.jsonl").is_file()


def is_study(path: Path) -> bool:
    """Whether this is a folder that `facegen study` takes."""
    return (path / "study.yaml").is_file()


def _has_generator(path: Path) -> bool:
    if path.is_file():
        return path.suffix in _MODELS
    exported = (path / CONFIG_NAME).is_file() and (path / WEIGHTS_NAME).is_file()
    return exported or (path / _PIPELINE).is_file() or (is_run(path) and any((path / "checkpoints").glob("*.ckpt")))


def _among(path: Path) -> Iterator[Path]:
    """A path, and the folders directly in it."""
    yield path
    if path.is_dir():
        yield from sorted(each for each in path.iterdir() if each.is_dir() and not each.name.startswith("."))


def _named(paths: Iterable[Path]) -> dict[str, Path]:
    """Paths by their names, made different where two have the same."""
    found: dict[str, Path] = {}
    for path in paths:
        found[_free(path.name, found)] = path
    return found


def _free(name: str, taken: Mapping[str, object]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name} ({number})"
    return free
