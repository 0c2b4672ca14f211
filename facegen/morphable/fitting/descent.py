"""Damped Gauss-Newton (Levenberg 1944, Marquardt 1963) on a batch: every face at its own pace."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

State = tuple[Tensor, ...]  # what describes N faces; row n of each belongs to face n
_FIRST, _LEAST, _MOST = 1e-3, 1e-9, 1e6  # damping
_DOWN, _UP = 0.1, 8.0


class Equations(NamedTuple):
    """A cost and its normal equations; `gradient` and `matrix` are of half the cost."""

    cost: Float[Tensor, " batch"]
    gradient: Float[Tensor, "batch parameter"]
    matrix: Float[Tensor, "batch parameter parameter"]


class Descended(NamedTuple):
    """Where N faces arrived."""

    state: State
    equations: Equations
    converged: Bool[Tensor, " batch"]
    iterations: Int[Tensor, " batch"]


def descend(
    state: State,
    equations: Callable[[Tensor, State], Equations],
    moved: Callable[[State, Tensor], State],
    most: int,
    enough: float,
) -> Descended:
    """Minimise a cost per face.

    equations(rows, state): of some faces at their states; rows are their numbers. moved(state, step): states after a
    step. most: iterations. enough: a relative decrease that ends a face. Faces whose cost is not finite stay.
    """
    every = torch.arange(len(state[0]), device=state[0].device)
    at = equations(every, state)
    values = [tensor.clone() for tensor in (*state, *at)]
    cost = values[len(state)]
    damping = torch.full_like(cost, _FIRST)
    converged, iterations = torch.zeros_like(every, dtype=torch.bool), torch.zeros_like(every)
    for _ in range(most):
        rows = torch.nonzero(~converged & cost.isfinite()).squeeze(1)
        if len(rows) == 0:
            break
        iterations[rows] += 1
        old = [tensor[rows] for tensor in values]
        here, (before, gradient, matrix) = tuple(old[: len(state)]), old[len(state) :]
        there = moved(here, _step(gradient, matrix, damping[rows]))
        after = equations(rows, there)
        better = after.cost < before
        damping[rows] = torch.where(better, (damping[rows] * _DOWN).clamp(min=_LEAST), damping[rows] * _UP)
        # uphill even in the smallest steps: at the minimum, as far as numbers can tell
        converged[rows] = torch.where(better, before - after.cost <= enough * before, damping[rows] >= _MOST)
        for tensor, new in zip(values, (*there, *after), strict=True):
            tensor[rows[better]] = new[better]
    return Descended(tuple(values[: len(state)]), Equations(*values[len(state) :]), converged, iterations)


def _step(gradient: Tensor, matrix: Tensor, damping: Tensor) -> Tensor:
    damped = matrix + torch.diag_embed(matrix.diagonal(dim1=1, dim2=2) * damping[:, None])
    factor, failed = torch.linalg.cholesky_ex(damped)
    step = -torch.cholesky_solve(gradient[..., None], factor).squeeze(-1)
    return step.masked_fill((failed > 0)[:, None], 0)
