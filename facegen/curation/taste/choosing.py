"""Which faces a person should rate next: those whose ratings would tell the most about all others."""

import numpy as np
from jaxtyping import Float, Int

from facegen.curation.taste.head import fit, measure
from facegen.curation.taste.posterior import covariance, lift, logistic, moderated, posterior, variance

CANDIDATES = 1000  # drawn from the faces without a rating: as many as are compared with each other
_FIRST_SPREAD = 3.0  # prior standard deviation of logits before there are likes and dislikes


def next_to_rate(
    embeddings: Float[np.ndarray, "face dim"], ratings: Float[np.ndarray, " face"], count: int, seed: int = 0
) -> Int[np.ndarray, " chosen"]:
    """Rows of the `count` faces (fewer where fewer are left) to rate next, the most telling first.

    `ratings`: 0 disliked to 1 liked, NaN where there is none; none at all is a beginning. Each choice lowers the
    expected variance of the predicted probabilities, summed over a sample of faces, the most, given the choices before
    it (Schein and Ungar 2007, A-optimality): an uncertain face that resembles many, and none that resembles another
    choice. Depends on its arguments only. Raises ValueError for a count below 1.
    """
    if count < 1:
        raise ValueError(f"next: got {count}, expected at least 1")
    rated = np.isfinite(ratings)
    drawn = np.random.default_rng([seed, int(rated.sum())]).permutation(np.flatnonzero(~rated))[:CANDIDATES]
    if len(drawn) <= count:
        return np.sort(drawn)
    chances, shared = _beliefs(embeddings, ratings, drawn)
    return drawn[_most_telling(chances, shared, count)]


def _beliefs(
    embeddings: Float[np.ndarray, "face dim"], ratings: Float[np.ndarray, " face"], rows: Int[np.ndarray, " row"]
) -> tuple[Float[np.ndarray, " row"], Float[np.ndarray, "row row"]]:
    """Probability of some faces to be liked, and the covariance of their logits."""
    rated = np.isfinite(ratings)
    centre, length = measure(embeddings)
    spread = _FIRST_SPREAD
    if (ratings[rated] > 0.5).any() and (ratings[rated] < 0.5).any():
        spread = fit(embeddings, ratings, (centre, length)).spread
    known = posterior(lift(embeddings[rated], centre, length, spread), ratings[rated])
    lifted = lift(embeddings[rows], centre, length, spread).astype(np.float64)
    chances = logistic(moderated(lifted @ known.mean, variance(lifted, known.known)))
    return chances, covariance(lifted, known.known)


def _most_telling(
    chances: Float[np.ndarray, " row"], shared: Float[np.ndarray, "row row"], count: int
) -> Int[np.ndarray, " chosen"]:
    """Greedy choice; `shared` is the covariance of logits, which is updated as if each chosen face were rated."""
    slopes = chances * (1 - chances)
    shared, left, chosen = shared.copy(), np.ones(len(chances), bool), []
    for _ in range(count):
        told = slopes**2 @ shared**2 / (np.diag(shared) + 1 / slopes)
        best = int(np.argmax(np.where(left, told, -1)))
        shared -= np.outer(shared[best], shared[best]) / (shared[best, best] + 1 / slopes[best])
        left[best] = False
        chosen.append(best)
    return np.array(chosen)
