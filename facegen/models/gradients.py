"""Gradients of one step: averaged over processes, and watched, for a network of NaN trains on in silence."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from facegen.models.distributed import average_gradients

_MOST = 1e5  # what an infinite gradient becomes


class TrainingDiverged(RuntimeError):
    """Gradients stayed non-finite: going on would only write noise."""


class GradientGuard:
    """Counts optimiser steps with gradients that are not finite; `limit` of them in a row end the training."""

    def __init__(self, limit: int) -> None:
        self.limit, self.steps, self.in_a_row = limit, 0, 0

    def check(
        self, network: nn.Module, where: str, advice: str, warn: Callable[[str], None], rounds: int = 1
    ) -> Tensor | None:
        """Average the gradients over processes and `rounds`, and return their norm; None where it is not finite.

        What is not finite is then replaced, as the reference does. where, advice: what messages say of the step and of
        what to change. Raises TrainingDiverged.
        """
        for parameter in network.parameters():
            if parameter.grad is None:  # a term without influence still lets Adam's averages decay, as published
                parameter.grad = torch.zeros_like(parameter)
        named = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
        gradients = list(named.values())
        if rounds > 1:
            for gradient in gradients:
                gradient /= rounds
        average_gradients(gradients)
        norm = torch.nn.utils.get_total_norm(gradients)
        if bool(norm.isfinite()):
            self.in_a_row = 0
            return norm
        self._count(
            [name for name, gradient in named.items() if not bool(gradient.isfinite().all())], where, advice, warn
        )
        for gradient in gradients:
            torch.nan_to_num(gradient, nan=0.0, posinf=_MOST, neginf=-_MOST, out=gradient)
        return None

    def _count(self, names: list[str], where: str, advice: str, warn: Callable[[str], None]) -> None:
        self.steps += 1
        self.in_a_row += 1
        place = f"{where}: {', '.join(names[:3])}" + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        if self.in_a_row >= self.limit:
            raise TrainingDiverged(
                f"training stopped: gradients were not finite in {self.in_a_row} optimiser steps in a row, "
                f"last in the {place}. {advice}; the newest checkpoint is intact (resume=auto)."
            )
        warn(f"warning: non-finite gradients in the {place} (set to finite values and carried on)")
