"""A generator with linear features of known distribution, so that its FID3D matrix has a closed form."""

from typing import NamedTuple

import torch
from torch import Tensor

from facegen.metrics.fid3d import Mode


class Population(NamedTuple):
    """Independent normal camera features: their mean and standard deviation (d,)."""

    mean: Tensor
    deviation: Tensor


class ToyGenerator(NamedTuple):
    """Features z * latent + c_g * bend + c_r * follow with z standard normal; everything by feature, so (d,).

    `bend` is what the condition does to a face that is rendered from elsewhere: the fault that FID3D is there to find.
    """

    latent: Tensor
    bend: Tensor
    follow: Tensor
    average: Tensor
    recipes: dict[str, Population]

    def gaussian(self, mode: Mode) -> Population:
        """The distribution of features in a mode."""
        rendering = self.recipes[mode.rendering]
        if mode.conditioning == "same":
            both = self.bend + self.follow
            spread = self.latent**2 + (both * rendering.deviation) ** 2
            return Population(both * rendering.mean, spread.sqrt())
        still = Population(self.average, torch.zeros_like(self.average))
        condition = still if mode.conditioning == "avg" else self.recipes[mode.conditioning]
        mean = self.bend * condition.mean + self.follow * rendering.mean
        spread = self.latent**2 + (self.bend * condition.deviation) ** 2 + (self.follow * rendering.deviation) ** 2
        return Population(mean, spread.sqrt())

    def distance(self, mode: Mode, real: Population) -> float:
        """Fréchet distance of independent normal features: squared differences of means and of deviations."""
        found = self.gaussian(mode)
        return float(((found.mean - real.mean) ** 2 + (found.deviation - real.deviation) ** 2).sum())

    def sample(self, mode: Mode, number: int, draws: torch.Generator) -> Tensor:
        """Features (number, d) of images made in a mode."""
        rendering = self._cameras(mode.rendering, number, draws)
        condition = rendering if mode.conditioning == "same" else self._cameras(mode.conditioning, number, draws)
        return self.latent * _normal(rendering, draws) + self.bend * condition + self.follow * rendering

    def _cameras(self, recipe: str, number: int, draws: torch.Generator) -> Tensor:
        if recipe == "avg":
            return self.average.expand(number, -1)
        population = self.recipes[recipe]
        return population.mean + population.deviation * _normal(population.mean.expand(number, -1), draws)


def _normal(like: Tensor, draws: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=draws, dtype=like.dtype)


def exact_samples(population: Population) -> Tensor:
    """Points (2 d, d) that have exactly the mean of a population and its deviations, and no correlation."""
    d = len(population.mean)
    spread = torch.diag(population.deviation * ((2 * d - 1) / 2) ** 0.5)
    return torch.cat([population.mean + spread, population.mean - spread])


def toy() -> tuple[ToyGenerator, dict[str, Population]]:
    """A generator that bends to its condition, and the real features of its two recipes."""
    draws = torch.Generator().manual_seed(0)
    d = 6

    def positive() -> Tensor:
        return 0.3 + torch.rand(d, generator=draws, dtype=torch.float64)

    recipes = {"ffhq": Population(positive(), positive()), "lpff": Population(-positive(), 2 * positive())}
    generator = ToyGenerator(positive(), 0.2 * positive(), positive(), positive(), recipes)
    real = {name: generator.gaussian(Mode("same", name)) for name in recipes}
    return generator, {name: Population(each.mean + 0.1, each.deviation * 1.1) for name, each in real.items()}
