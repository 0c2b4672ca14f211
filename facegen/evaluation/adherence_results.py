"""Adherence as figures of an evaluation: each beside chance, and beside what judges make of the real pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

from facegen.data.dataset import FaceDataset
from facegen.data.sampling import epoch_order
from facegen.evaluation.plan import ADHERENCE, NamedRecipe, Plan
from facegen.evaluation.sides import Figure

MOST_FACES = 1024  # that pictures are asked to be like; judges take as long as a small generator


def adherence_figures(
    generator: Any,
    plan: Plan,
    real: Sequence[NamedRecipe],
    judges: Mapping[str, Any],
    rank: int = 0,
    world: int = 1,
) -> list[Figure]:
    """Figures of pictures that are asked to be like faces of each recipe. Raises ValueError without judges."""
    if ADHERENCE not in judges:
        raise ValueError(
            "metrics: got adherence, but nothing that looks at pictures; add parser=FOLDER or regressor=FOLDER"
        )
    found = []
    for named in real:
        found += _of_recipe(generator, plan, named, judges[ADHERENCE], rank, world)
    return found


def _of_recipe(generator: Any, plan: Plan, named: NamedRecipe, judges: Any, rank: int, world: int) -> list[Figure]:
    from facegen.evaluation.adherence import CHANCE, measure

    dataset, crowd = FaceDataset(named.recipe, cache=False), named.recipe.crowd
    count = min(plan.num_images, len(crowd), MOST_FACES)
    items = crowd[epoch_order(0, len(crowd), 0)[:count]].tolist()
    sizes: dict[str, Any] = {"seed": plan.seed, "batch_size": plan.batch_size, "rank": rank, "world": world}
    made = measure(generator, dataset, items, judges, plan.denoising, **sizes).figures
    shown = measure(None, dataset, items, judges, **sizes).figures
    return [
        Figure(
            ADHERENCE,
            f"{name}, {named.name}",
            value,
            details={"chance": made.get(f"{CHANCE}{name}"), "real": shown.get(name)},
            counts={"generated": count, "real": count},
        )
        for name, value in made.items()
        if not name.startswith(CHANCE)
    ]
