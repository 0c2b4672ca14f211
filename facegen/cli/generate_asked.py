"""`facegen generate`: what a diffusion model is asked for, from what a user types."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from facegen.checkpoint import cache_folder
from facegen.cli import generate_cameras as look_from
from facegen.cli import sampling
from facegen.cli.coefficient_files import coefficient_rows
from facegen.cli.generate_hints import hints_of
from facegen.cli.generate_renders import DRAWN
from facegen.evaluation.asked import Asked
from facegen.evaluation.people import drawn_people
from facegen.geometry.cameras import LABEL_SIZE
from facegen.morphable.procedural import load_head


def asked(generator: Any, seeds: list[int], settings: dict[str, Any]) -> Asked:
    """What the pictures of seeds are asked for. Raises ValueError for settings that the model has no use for."""
    count = len(seeds)
    c, conditions = labels(generator, settings["labels"], count), {}
    if settings["class_label"] is not None:
        conditions["class"] = _classes(generator, settings["class_label"], count)
    if (name := of_kind(generator, "text")) is not None and settings["prompt"] is not None:
        conditions[name] = cycled(texts("prompt", settings["prompt"]), count)
    if settings["coefficients"] is not None and "coefficients" in generator.condition_names:
        conditions["coefficients"] = coefficients(generator, settings["coefficients"], seeds)
    return Asked(c, conditions, hints_of(generator, seeds, settings, c))


def negative(generator: Any, count: int, settings: dict[str, Any]) -> dict[str, list[str]] | None:
    """Conditions that guidance leads away from; None for the dropped ones."""
    if settings["negative"] is None:
        return None
    return {str(of_kind(generator, "text")): cycled(texts("negative", settings["negative"]), count)}


def check_conditions(generator: Any, settings: dict[str, Any]) -> None:
    """ValueError for a condition that the model does not have."""
    told = f"it takes {', '.join((*generator.condition_names, *generator.control_names)) or 'nothing but noise'}"
    for name in ("prompt", "negative"):
        if settings[name] is not None and of_kind(generator, "text") is None:
            raise ValueError(f"{name}: got a text, but this model takes none; {told}")
    if settings["class_label"] is not None and "class" not in generator.condition_names:
        raise ValueError(f"class_label: got {settings['class_label']!r}, but this model has no classes; {told}")
    used = "coefficients" in generator.condition_names or generator.control_names
    if settings["coefficients"] is not None and not used:
        raise ValueError(f"coefficients: got {settings['coefficients']}, but this model takes none; {told}")


def of_kind(generator: Any, kind: str) -> str | None:
    """The name of the condition of a kind, such as text."""
    inputs = {} if generator.conditioner is None else generator.conditioner.inputs
    return next((name for name, given in inputs.items() if given["kind"] == kind), None)


def labels(generator: Any, value: Any, count: int) -> Float[Tensor, "seed c_dim"] | None:
    """Cameras or classes; None where they are dropped: `none`, and for classes also `average`."""
    if generator.label_name is None:
        sampling.labels(value, count, 0)
        return None
    if value == "none":
        return None
    if generator.label_name == "camera" and generator.c_dim == LABEL_SIZE:
        return look_from.rendering(generator, value, count)
    return None if value == "average" else sampling.labels(value, count, generator.c_dim)


def _classes(generator: Any, value: Any, count: int) -> Float[Tensor, "seed classes"]:
    size = generator.conditioner.inputs["class"]["size"]
    return sampling.labels(value, count, size, "class_label")


def texts(name: str, value: Any) -> list[str]:
    """Texts from one, a list of them, or a .txt file with one per line."""
    if isinstance(value, str) and value.endswith(".txt"):
        path = Path(value).expanduser()
        if not path.is_file():
            raise ValueError(f"{name}: {path} does not exist; expected a text, a list of texts or a .txt file")
        value = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not found or not all(isinstance(each, str) for each in found):
        raise ValueError(f"{name}: got {value!r}, expected a text, a list of texts or a .txt file with a text per line")
    return found


def cycled(values: Sequence[Any], count: int) -> list[Any]:
    """As many values as there are pictures."""
    return [values[place % len(values)] for place in range(count)]


def coefficients(generator: Any, value: Any, seeds: list[int]) -> Float[Tensor, "seed coefficient"]:
    """Rows as the model's condition takes them, cycled over the seeds. Raises ValueError for another number of them."""
    if value == DRAWN:
        rows = torch.cat(list(drawn_people(load_head(cache_folder()), seeds).values()), dim=1)
    else:
        rows = coefficient_rows(value)
    size = generator.conditioner.inputs["coefficients"]["size"]
    if rows.shape[1] != size:
        raise ValueError(
            f"coefficients: {value} has {rows.shape[1]} numbers per face, expected {size}, as this model was trained "
            "with; coefficients belong to one morphable model"
        )
    return rows[torch.arange(len(seeds)) % len(rows)]
