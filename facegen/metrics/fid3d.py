"""FID3D: Fréchet distances of a generator for every pair of a conditioning and a rendering population of cameras."""

from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

from torch import Tensor

from facegen.metrics.frechet import frechet_distance_of, gaussian_of
from facegen.metrics.gaussian import Gaussian
from facegen.metrics.set_moments import SetMoments

AVERAGE, SAME = "avg", "same"


class Mode(NamedTuple):
    """Where the two cameras of a generated image come from.

    `rendering` is the recipe that the rendering camera is drawn from, and that the images are compared with.
    `conditioning` is a recipe, drawn from independently of the rendering camera; "avg", the average frontal camera;
    or "same", the rendering camera itself, which is the usual FID of a pose-conditional generator.
    """

    conditioning: str
    rendering: str

    @property
    def name(self) -> str:
        return f"same {self.rendering}" if self.conditioning == SAME else f"{self.conditioning}->{self.rendering}"


def modes(recipes: Sequence[str]) -> tuple[Mode, ...]:
    """All modes of some recipes: the average camera, every pair, and the same camera; eight of two recipes."""
    reserved = {AVERAGE, SAME} & set(recipes)
    if reserved or len(set(recipes)) < len(recipes) or not recipes:
        raise ValueError(f"recipes: got {list(recipes)}, expected different names, none of them 'avg' or 'same'")
    pairs = [Mode(conditioning, rendering) for conditioning, rendering in product((AVERAGE, *recipes), recipes)]
    return (*pairs, *(Mode(SAME, recipe) for recipe in recipes))


class FID3D(SetMoments):
    """Fréchet distance of each mode; real features are given once per recipe and shared by all modes of it.

    `wanted` are the modes to compute, all of them without it. `compute` gives a dictionary from names of modes to
    0-dimensional float64 tensors; ValueError names what has too few images.
    """

    def __init__(
        self, recipes: Sequence[str], num_features: int, wanted: Sequence[Mode] | None = None, **kwargs: Any
    ) -> None:
        self.recipes = tuple(recipes)
        self.modes = modes(recipes) if wanted is None else tuple(wanted)
        for mode in self.modes:
            if mode.rendering not in self.recipes:
                raise ValueError(
                    f"mode {mode.name}: no real images to compare with; recipes: {', '.join(self.recipes)}"
                )
        super().__init__(len(self.recipes) + len(self.modes), num_features, **kwargs)

    def update_real(self, recipe: str, features: Tensor) -> None:
        """Add features (N, d) of real images of a recipe."""
        if recipe not in self.recipes:
            raise ValueError(f"recipe: got {recipe!r}, expected one of {', '.join(self.recipes)}")
        self.accumulate(self.recipes.index(recipe), features)

    def update(self, mode: Mode, features: Tensor) -> None:
        """Add features (N, d) of images generated in a mode."""
        if mode not in self.modes:
            raise ValueError(f"mode: got {mode!r}, expected one of {', '.join(each.name for each in self.modes)}")
        self.accumulate(len(self.recipes) + self.modes.index(mode), features)

    def compute(self) -> dict[str, Tensor]:
        """Distances () float64 by name of mode. Warns of sets with too few images for their covariance."""
        reals: dict[str, Gaussian] = {}
        found: dict[str, Tensor] = {}
        for index, mode in enumerate(self.modes, start=len(self.recipes)):
            recipe = mode.rendering
            if recipe not in reals:
                reals[recipe] = gaussian_of(self.moments(self.recipes.index(recipe)), f"real images of {recipe}")
            generated = gaussian_of(self.moments(index), f"generated images, {mode.name}")
            found[mode.name] = frechet_distance_of(reals[recipe], generated)
        return found
