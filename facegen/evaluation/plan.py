"""What to measure, and how: plain values that every result repeats."""

import math
from dataclasses import dataclass
from typing import NamedTuple

from facegen.data import Recipe

FROM_FEATURES = ("fid", "kid", "precision_recall", "fid3d", "binned", "matched")
OF_PAIRS = ("ppl", "diversity", "identity")
ADHERENCE = "adherence"
METRICS = (*FROM_FEATURES, *OF_PAIRS, "pixels", ADHERENCE)
OF_3D = ("fid3d", "binned", "matched", "identity")
OF_MODES = ("fid3d", "binned", "matched")


CONDITIONS = ("real", "dropped")


class Denoising(NamedTuple):
    """How a diffusion model makes its pictures; None: as the model says itself.

    conditions: what pictures are told beside their label: what `real` faces of the recipe have, as far as the recipe
    has it, or nothing (`dropped`).
    """

    sampler: str | None = None
    steps: int | None = None
    guidance: float | None = None
    eta: float | None = None
    conditions: str = "real"


_AS_THE_MODEL = Denoising()


class NamedRecipe(NamedTuple):
    """Real pictures, and what they are called in the names of results."""

    name: str
    recipe: Recipe


@dataclass(frozen=True)
class Plan:
    """An evaluation.

    metrics: some of `METRICS`. num_images: generated pictures of each kind; num_real: real ones of each recipe, None
    for all. seed: picture i has the latent of seed + i. truncation: psi. batch_size: pictures made at once.
    replicates: resamplings for intervals of Fréchet distances, 0 for none. denoising: of diffusion models only.
    Raises ValueError for values out of range.
    """

    metrics: tuple[str, ...]
    num_images: int = 10_000
    num_real: int | None = None
    seed: int = 0
    truncation: float = 1.0
    noise_mode: str = "const"
    batch_size: int = 16
    replicates: int = 0
    denoising: Denoising = _AS_THE_MODEL

    def __post_init__(self) -> None:
        from difflib import get_close_matches

        for name in self.metrics:
            if name not in METRICS:
                near = get_close_matches(str(name), METRICS, n=1)
                advice = f"; did you mean {near[0]}?" if near else ""
                raise ValueError(f"metrics: got {name!r}, expected some of {', '.join(METRICS)}{advice}")
        if not self.metrics:
            raise ValueError(f"metrics: got none, expected some of {', '.join(METRICS)}")
        _at_least("num_images", self.num_images, 2)
        _at_least("batch_size", self.batch_size, 1)
        _at_least("replicates", self.replicates, 0)
        if self.replicates == 1:
            raise ValueError("replicates: got 1, expected 0 for no intervals, or at least 2")
        if self.num_real is not None:
            _at_least("num_real", self.num_real, 2)
        _at_least("seed", self.seed, 0)
        if self.seed + self.num_images > 2**32:
            raise ValueError(f"seed: got {self.seed} for {self.num_images} pictures, expected the last below 2^32")
        if not math.isfinite(self.truncation):
            raise ValueError(f"truncation: got {self.truncation}, expected a number such as 0.7; 1 is none")
        if self.noise_mode not in ("const", "random", "none"):
            raise ValueError(f"noise_mode: got {self.noise_mode!r}, expected const, random or none")
        if self.denoising.conditions not in CONDITIONS:
            raise ValueError(f"conditions: got {self.denoising.conditions!r}, expected {' or '.join(CONDITIONS)}")


def _at_least(name: str, value: int, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name}: got {value!r}, expected a whole number of at least {least}")
