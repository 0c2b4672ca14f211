"""Bayesian logistic regression on embeddings, by Laplace's approximation: what ratings say, and how surely.

The prior of the weights is a Gaussian, the likelihood that of a logistic function with ratings in [0, 1] as targets.
Rasmussen and Williams, Gaussian Processes for Machine Learning (2006), chapter 3, with a linear kernel; in weight
space, after a rotation into the span of the rated rows, where it costs the same and needs no kernel.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

OFFSET = 3.0  # prior standard deviation of the logit of the average face
SPREADS = 10.0 ** np.arange(-0.5, 1.3, 0.25)  # prior standard deviations of a face's logit that are tried: 0.3 to 10
_STEPS, _TOLERANCE = 50, 1e-6
_FLAT = 1e-10  # of squared singular values: directions in which no rated row differs


class Posterior(NamedTuple):
    """What is known of the weights of `lifted` features: their mean, and how much narrower than 1 each direction is.

    The covariance is the identity minus `known` times its transpose. `held_out` and `held_out_variance`: the logit of
    each rated row as it would be without its own rating, to first order. `loss`: mean cross entropy of the ratings
    under these logits.
    """

    mean: Float[np.ndarray, " lifted"]
    known: Float[np.ndarray, "lifted direction"]
    held_out: Float[np.ndarray, " rated"]
    held_out_variance: Float[np.ndarray, " rated"]
    loss: float


def lift(
    embeddings: Float[np.ndarray, "row dim"], centre: Float[np.ndarray, " dim"], length: float, spread: float
) -> Float[np.ndarray, "row lifted"]:
    """Features whose weights have a standard normal prior: a constant, and embeddings as multiples of a typical one."""
    scaled = (embeddings - centre) * (spread / length)
    return np.concatenate([np.full((len(scaled), 1), OFFSET, scaled.dtype), scaled], axis=1)


def posterior(lifted: Float[np.ndarray, "rated lifted"], ratings: Float[np.ndarray, " rated"]) -> Posterior:
    """The weights given ratings in [0, 1] of rows; without rows, the prior."""
    width = lifted.shape[1]
    if not len(lifted):
        return Posterior(np.zeros(width), np.zeros((width, 0)), np.zeros(0), np.zeros(0), float("nan"))
    axes = _span(lifted.astype(np.float64))
    rows = lifted @ axes
    weights, slope = _mode(rows, ratings)
    precision = np.eye(rows.shape[1]) + rows.T @ (slope[:, None] * rows)
    eigenvalues, vectors = np.linalg.eigh(precision)
    logits = rows @ weights
    leverage = ((rows @ vectors) ** 2 / eigenvalues).sum(1)
    alone = leverage / (1 - slope * leverage)  # the variance without the row's own rating
    held_out = logits - alone * (ratings - logistic(logits))
    known = axes @ (vectors * np.sqrt(1 - 1 / eigenvalues))
    return Posterior(axes @ weights, known, held_out, alone, cross_entropy(held_out, ratings))


def variance(
    lifted: Float[np.ndarray, "row lifted"], known: Float[np.ndarray, "lifted direction"]
) -> Float[np.ndarray, " row"]:
    """Of the logit of each row."""
    return np.maximum((lifted**2).sum(1) - ((lifted @ known) ** 2).sum(1), 0)


def covariance(
    lifted: Float[np.ndarray, "row lifted"], known: Float[np.ndarray, "lifted direction"]
) -> Float[np.ndarray, "row row"]:
    """Of the logits of rows."""
    projected = lifted @ known
    return lifted @ lifted.T - projected @ projected.T


def logistic(logits: Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
    """The probability of a logit."""
    return 0.5 + 0.5 * np.tanh(0.5 * logits)


def moderated(logits: Float[np.ndarray, " row"], variances: Float[np.ndarray, " row"]) -> Float[np.ndarray, " row"]:
    """Logits drawn towards 0 as far as they are unsure (MacKay 1992, the probit approximation)."""
    return logits / np.sqrt(1 + np.pi / 8 * variances)


def cross_entropy(logits: Float[np.ndarray, " row"], ratings: Float[np.ndarray, " row"]) -> float:
    """Mean of -r log p - (1 - r) log(1 - p)."""
    return float((np.logaddexp(0, logits) - ratings * logits).mean())


def _span(rows: Float[np.ndarray, "rated lifted"]) -> Float[np.ndarray, "lifted direction"]:
    """Orthonormal directions in which rows lie, from products of rows with rows where these are fewer than columns."""
    if len(rows) > rows.shape[1]:
        values, vectors = np.linalg.eigh(rows.T @ rows)
        return vectors[:, values > _FLAT * values[-1]]
    values, vectors = np.linalg.eigh(rows @ rows.T)
    kept = values > _FLAT * values[-1]
    return rows.T @ (vectors[:, kept] / np.sqrt(values[kept]))


def _mode(
    rows: Float[np.ndarray, "rated direction"], ratings: Float[np.ndarray, " rated"]
) -> tuple[Float[np.ndarray, " direction"], Float[np.ndarray, " rated"]]:
    """The most probable weights by Newton's method (the objective is convex), and p (1 - p) there."""
    weights = np.zeros(rows.shape[1])
    for _ in range(_STEPS):
        chance = logistic(rows @ weights)
        slope = chance * (1 - chance)
        gradient = rows.T @ (ratings - chance) - weights
        step = np.linalg.solve(np.eye(len(weights)) + rows.T @ (slope[:, None] * rows), gradient)
        weights = weights + step / max(1.0, float(np.abs(rows @ step).max()) / 4)  # no logit moves by more than 4
        if np.abs(step).max() < _TOLERANCE:
            break
    chance = logistic(rows @ weights)
    return weights, chance * (1 - chance)
