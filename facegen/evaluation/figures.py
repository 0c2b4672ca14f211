"""From stored rows to figures."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from facegen.evaluation.pixels import pixel_statistics
from facegen.evaluation.plan import Plan
from facegen.evaluation.posed_figures import binned, matched
from facegen.evaluation.sides import PAIRS_AT_MOST, Figure, Generated, Real, counts
from facegen.metrics.fid3d import AVERAGE, SAME, Mode
from facegen.metrics.frechet import frechet_distance_of, warn_of_few

Task = Callable[[], list[Figure]]
TRIMMED = 0.01  # of path lengths, at each end
NORMAL_95 = 1.959964  # quantile of the normal distribution


def figures(
    plan: Plan, real: Sequence[Real], made: Mapping[Mode, Generated], pairs: Mapping[str, Tensor]
) -> list[Figure]:
    """All figures of a plan, each with what was warned of while it was computed."""
    found = []
    several_tasks = [*(tasks(plan, real, made) if made else []), *(partial(of_pairs, *each) for each in pairs.items())]
    for task in tqdm(several_tasks, desc="figures", unit="figure", delay=2):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            several = task()
        said = tuple(dict.fromkeys(str(each.message) for each in caught))
        found.extend(figure._replace(warnings=said) for figure in several)
    return found


def tasks(plan: Plan, real: Sequence[Real], made: Mapping[Mode, Generated]) -> list[Task]:
    """What there is to compute: recipe by recipe, then the matrix, then what looks at poses."""
    first = next(iter(made.values()))
    found: list[Task] = [] if real else [partial(pixels, "generated", None, first)]
    for side in real:
        same = made.get(Mode(SAME, side.name), first)
        of_recipe: dict[str, Task] = {
            "fid": partial(frechet, "fid", side.name, side, same, plan.replicates),
            "kid": partial(kernel, side.name, side, same),
            "precision_recall": partial(neighbours, side.name, side, same),
            "pixels": partial(pixels, side.name, side, same),
        }
        found.extend(task for name, task in of_recipe.items() if name in plan.metrics)
    named = {side.name: side for side in real}
    if "fid3d" in plan.metrics:
        for mode, each in made.items():
            found.append(partial(frechet, "fid3d", mode.name, named[mode.rendering], each, plan.replicates))
        found.extend(crossed(named, made, plan.replicates))
    looked_at = [each for mode, each in made.items() if mode.conditioning in (AVERAGE, SAME)]
    if "binned" in plan.metrics:
        found.extend(partial(binned, named[each.mode.rendering], each) for each in looked_at)
    if "matched" in plan.metrics:
        pairs = [(side, each) for each in looked_at for side in real if _is_other(side, each, len(real))]
        found.extend(partial(matched, *pair) for pair in pairs)
    return found


def crossed(real: Mapping[str, Real], made: Mapping[Mode, Generated], replicates: int) -> list[Task]:
    """`Y->X` of a generator with one camera: pictures asked for the cameras of Y, beside the real ones of X.

    Where there are two cameras, modes have these names already. Poses of Y and X differ, and so would the best
    pictures: `of_real` in the details is the distance of real pictures of Y, which a perfect generator would have.
    """
    if any(mode.conditioning != SAME for mode in made):
        return []
    pairs = [(mode.rendering, name) for mode in made for name in real if name != mode.rendering]
    return [partial(_cross, real[asked], made[Mode(SAME, asked)], real[name], replicates) for asked, name in pairs]


def _cross(asked: Real, generated: Generated, other: Real, replicates: int) -> list[Figure]:
    (figure,) = frechet("fid3d", f"{asked.name}->{other.name}", other, generated, replicates)
    of_real = float(frechet_distance_of(other.gaussian, asked.gaussian))
    return [figure._replace(details={**figure.details, "of_real": of_real})]


def _is_other(real: Real, generated: Generated, num_recipes: int) -> bool:
    """Whether poses differ: pictures rendered from a recipe's cameras have its poses already."""
    return num_recipes == 1 or real.name != generated.mode.rendering


def frechet(metric: str, name: str, real: Real, generated: Generated, replicates: int) -> list[Figure]:
    """Fréchet distance, with an interval by `replicates` resamplings."""
    for side in (real, generated):
        warn_of_few(side.moments, side.title)
    figure = Figure(metric, name, float(frechet_distance_of(real.gaussian, generated.gaussian)))
    figure = figure._replace(counts=counts(real, generated))
    if not replicates:
        return [figure]
    from facegen.metrics.frechet_interval import frechet_interval

    times = torch.from_numpy(real.times.astype(np.float64))
    pair = torch.from_numpy(real.features), torch.from_numpy(generated.features)
    found = frechet_interval(*pair, real_weights=times, replicates=replicates)
    details = {"corrected": found.corrected, "corrected_interval": found.corrected_interval, "replicates": replicates}
    return [figure._replace(interval=found.interval, standard_error=found.standard_error, details=details)]


def kernel(name: str, real: Real, generated: Generated) -> list[Figure]:
    """Kernel distance (KID), with its standard error."""
    from facegen.metrics.kernel import kernel_distance

    first, second = torch.from_numpy(real.sample), torch.from_numpy(generated.features[:PAIRS_AT_MOST])
    found = kernel_distance(first, second)
    value, error = float(found.value), float(found.standard_error)
    interval = value - NORMAL_95 * error, value + NORMAL_95 * error
    return [Figure("kid", name, value, interval, error, counts={"generated": len(second), "real": len(first)})]


def neighbours(name: str, real: Real, generated: Generated) -> list[Figure]:
    """Precision, recall, density and coverage."""
    from facegen.metrics.neighbours import neighbour_scores

    first, second = torch.from_numpy(real.sample), torch.from_numpy(generated.features[:PAIRS_AT_MOST])
    scores = neighbour_scores(first, second)
    numbers = {"generated": len(second), "real": len(first)}
    return [Figure(metric, name, float(value), counts=numbers) for metric, value in scores._asdict().items()]


def pixels(name: str, real: Real | None, generated: Generated) -> list[Figure]:
    """Colour, contrast and variety of both sides; the value is the difference of mean colours in 8-bit units."""
    made = pixel_statistics(generated.pixels)
    shown = None if real is None else pixel_statistics(np.repeat(real.pixels, real.times, axis=0))
    value = None if shown is None else float(np.abs(np.subtract(made["mean"], shown["mean"])).mean())
    details = {"generated": made, "real": shown}
    return [Figure("pixels", name, value, details=details, counts=counts(real, generated))]


def of_pairs(metric: str, values: Tensor) -> list[Figure]:
    """Mean over pairs, with its standard error; of path lengths, without the 1 % at both ends."""
    from facegen.metrics.path_length import trimmed_mean

    found = trimmed_mean(values, TRIMMED if metric == "ppl" else 0.0)
    value, error = float(found.value), float(found.standard_error)
    reach = NORMAL_95 * error
    numbers = {"generated": len(values)}
    return [Figure(metric, "", value, (value - reach, value + reach), error, counts=numbers)]
