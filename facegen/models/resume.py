"""What a run keeps beside its weights, and what it must have in common with the run that continues it."""

from collections.abc import Mapping
from typing import Any, Protocol

import torch

from facegen.models.gradients import GradientGuard
from facegen.models.statistics import RunningMeans


class Clocked(Protocol):
    """A module whose steps are functions of its configuration and of the images that it has seen."""

    images_seen: int
    guard: GradientGuard
    statistics: RunningMeans

    @property
    def device(self) -> torch.device:
        """Where the module is."""
        ...

    def configuration(self) -> dict[str, Any]:
        """Everything that decides the next step."""
        ...


def progress(module: Clocked) -> dict[str, Any]:
    """Clock, configuration and unfinished statistics, as plain values."""
    return {
        "images_seen": module.images_seen,
        "nonfinite_steps": module.guard.steps,
        "nonfinite_in_a_row": module.guard.in_a_row,
        "configuration": module.configuration(),
        "statistics": module.statistics.state(),
    }


def restore(module: Clocked, stored: Mapping[str, Any]) -> None:
    """Go on from `progress`. Raises ValueError that names the first thing in which the configurations differ."""
    ours = module.configuration()
    for key, value in stored["configuration"].items():
        if ours.get(key) != value:
            raise ValueError(
                f"resume: the checkpoint was trained with {key}={value!r}, this run has {ours.get(key)!r}. "
                "Resume with the same configuration, or start from its weights with finetune_from=PATH."
            )
    module.images_seen = stored["images_seen"]
    module.guard.steps, module.guard.in_a_row = stored["nonfinite_steps"], stored["nonfinite_in_a_row"]
    module.statistics.restore(stored["statistics"], module.device)
