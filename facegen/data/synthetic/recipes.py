"""Recipes and batches of synthetic faces that are made on first use."""

from pathlib import Path

from facegen.data.datamodule import FaceDataModule
from facegen.data.poses import PoseName
from facegen.data.recipe import Recipe
from facegen.data.synthetic.source import cache_folder, synthesize, version


def synthetic_recipe(
    num_images: int = 10_000,
    resolution: int = 128,
    poses: PoseName = "ffhq",
    faces_seed: int = 0,
    root: str | None = None,
    mirror: bool = False,
    labels: bool = False,
    make_workers: int | None = None,
) -> Recipe:
    """Recipe over a synthetic source that is made on first use, in a cache folder unless `root` names another."""
    place = (
        Path(root) if root else cache_folder() / f"synthetic-{poses}-{resolution}-{num_images}-{faces_seed}-{version()}"
    )
    made = synthesize(place, num_images, resolution, poses, faces_seed, make_workers)
    return Recipe(str(made), resolution, mirror=mirror, labels=labels)


def synthetic_data(
    num_images: int = 10_000,
    resolution: int = 128,
    poses: PoseName = "ffhq",
    faces_seed: int = 0,
    root: str | None = None,
    mirror: bool = False,
    labels: bool = False,
    batch_size: int = 32,
    workers: int = 2,
    seed: int = 0,
    cache: bool | str = "auto",
    check: bool = True,
) -> FaceDataModule:
    """Batches of `synthetic_recipe`. `faces_seed` chooses the faces, `seed` their order."""
    recipe = synthetic_recipe(num_images, resolution, poses, faces_seed, root, mirror, labels)
    return FaceDataModule(recipe, batch_size, workers, seed, cache, check)
