"""Recipes and batches of synthetic faces that are made on first use."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from facegen.data.datamodule import FaceDataModule
from facegen.data.poses import PoseName
from facegen.data.recipe import Recipe
from facegen.data.synthetic.faces import RESOLUTIONS
from facegen.data.synthetic.source import cache_folder, synthesize, version

_DESCRIBED = ("captions", "sketch")  # columns that are made on request
_SOURCE = ("num_images", "poses", "faces_seed", "root")  # settings that each source may have for itself


def synthetic_recipe(
    num_images: int = 10_000,
    resolution: int = 128,
    poses: PoseName = "ffhq",
    faces_seed: int = 0,
    root: str | None = None,
    mirror: bool = False,
    labels: bool = False,
    added: Mapping[str, Mapping[str, Any]] | None = None,
    rebalance: str | dict[str, Any] | None = None,
    conditions: list[str] | None = None,
    make_workers: int | None = None,
    describe: Callable[[Path, Sequence[str]], object] | None = None,
) -> Recipe:
    """Recipe over a synthetic source that is made on first use, in a cache folder unless `root` names another.

    resolution: of the recipe; faces are rendered at this size, or at the smallest there is and made smaller.
    added: further synthetic sources by name, each a mapping {num_images, poses, faces_seed, root} of what differs.
    rebalance: a rule for how often each face comes, by its pose (see `facegen.data.balance`).
    conditions: columns that come with every image: parts, landmarks, coefficients_identity, coefficients_expression,
        coefficients_albedo, coefficients_light; and captions and sketch, which `describe(root, columns)` adds to the
        table of a source (`facegen.curation.describing.describe`), and does nothing where they are there.
    Raises ValueError for an unknown setting of an added source, or one with the name of the first, its `poses`.
    """
    if poses in (added or {}):
        raise ValueError(f"added: got the name {poses}, which the first source has; choose another")
    first: dict[str, Any] = {"num_images": num_images, "poses": poses, "faces_seed": faces_seed, "root": root}
    sources = {poses: first} | {
        name: {**first, "root": None, **_known(name, own)} for name, own in (added or {}).items()
    }
    made = {name: str(_made(resolution, make_workers, **settings)) for name, settings in sources.items()}
    wanted = [name for name in _DESCRIBED if name in (conditions or ())]
    if wanted and describe is not None:
        for source in made.values():
            describe(Path(source), wanted)
    roots: Any = made if added else made[poses]
    return Recipe(roots, resolution, mirror=mirror, labels=labels, rebalance=rebalance, conditions=conditions)


def _known(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    for key in settings:
        if key not in _SOURCE:
            raise ValueError(f"added.{name}: got the setting {key!r}, expected some of {', '.join(_SOURCE)}")
    return dict(settings)


def _made(
    resolution: int, workers: int | None, num_images: int, poses: PoseName, faces_seed: int, root: str | None
) -> Path:
    side = max(resolution, RESOLUTIONS[0])
    name = f"synthetic-{poses}-{side}-{num_images}-{faces_seed}-{version()}"
    return synthesize(Path(root) if root else cache_folder() / name, num_images, side, poses, faces_seed, workers)


def synthetic_data(
    num_images: int = 10_000,
    resolution: int = 128,
    poses: PoseName = "ffhq",
    faces_seed: int = 0,
    root: str | None = None,
    mirror: bool = False,
    labels: bool = False,
    added: dict[str, Any] | None = None,
    rebalance: str | dict[str, Any] | None = None,
    conditions: list[str] | None = None,
    batch_size: int = 32,
    workers: int = 2,
    seed: int = 0,
    cache: bool | str = "auto",
    check: bool = True,
    describe: Callable[[Path, Sequence[str]], object] | None = None,
) -> FaceDataModule:
    """Batches of `synthetic_recipe`. `faces_seed` chooses the faces, `seed` their order."""
    faces = (num_images, resolution, poses, faces_seed, root, mirror, labels, added, rebalance, conditions)
    recipe = synthetic_recipe(*faces, describe=describe)
    return FaceDataModule(recipe, batch_size, workers, seed, cache, check)
