"""What a run keeps beside its weights, and what it must have in common with the run that continues it."""

from collections.abc import Mapping
from typing import Any, Protocol

import torch

from facegen.checkpoint import network_config
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


class Resumable:
    """What a `Clocked` LightningModule puts into checkpoints, and takes from them; a base beside Lightning's."""

    averaged: str  # the network that is kept: its weights are what `facegen.load` gives
    guard: GradientGuard

    @property
    def nonfinite_steps(self) -> int:
        """Optimiser steps so far whose gradients were not finite."""
        return self.guard.steps

    def on_save_checkpoint(self: Any, checkpoint: dict[str, Any]) -> None:
        """Add the clock, the configuration and the unfinished statistics; plain values only."""
        own = {"averaged": self.averaged, "network": network_config(getattr(self, self.averaged))}
        checkpoint["facegen"] = {**own, **progress(self)}

    def on_load_checkpoint(self: Any, checkpoint: Mapping[str, Any]) -> None:
        """Restore the clock; refuse the checkpoint of another configuration with a ValueError."""
        restore(self, checkpoint["facegen"])


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
