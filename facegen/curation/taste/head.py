"""The head that says of an embedding how probably its face is liked, and how sure that is."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from facegen.curation.taste.posterior import SPREADS, cross_entropy, lift, logistic, moderated, posterior, variance

MOST_DIRECTIONS = 256  # in which the error knows of ratings: the cost of a prediction; leaving some out widens errors
_CHUNK = 16384
_NODES, _SHARES = np.polynomial.hermite_e.hermegauss(9)  # of the mean over a Gaussian
_TRUST = np.array([0.7, 0.5])  # prior standard deviations of the calibration: of log(scale), and of offset


Typical = tuple[Float[np.ndarray, " dim"], float]  # centre and length of `Head`


class Prediction(NamedTuple):
    """Probability that a face is liked, and the standard deviation of what that probability may be."""

    taste: Float[np.ndarray, " face"]
    error: Float[np.ndarray, " face"]


class Head(NamedTuple):
    """A linear head on embeddings, with the spread of its weights.

    `centre`, `length`: mean, and root mean square distance from it, of the embeddings of the source. `spread`: prior
    standard deviation of the logit of a face. `weights`, `known`: the posterior of the lifted features. `scale` of the
    logits' variances, and their `offset`: the calibration. `rated`: how many ratings it knows.
    """

    centre: Float[np.ndarray, " dim"]
    length: float
    spread: float
    weights: Float[np.ndarray, " lifted"]
    known: Float[np.ndarray, "lifted direction"]
    scale: float
    offset: float
    rated: int

    def predict(self, embeddings: Float[np.ndarray, "face dim"]) -> Prediction:
        """Taste of faces from embeddings of the same network; 425,258 of them take seconds.

        Raises ValueError for embeddings of another width.
        """
        if embeddings.ndim != 2 or embeddings.shape[1] != len(self.centre):
            what = f"taste: got embeddings {embeddings.shape}, expected (faces, {len(self.centre)})"
            raise ValueError(f"{what} of the network that the head was trained on")
        parts = [self._predict(embeddings[start : start + _CHUNK]) for start in range(0, len(embeddings), _CHUNK)]
        parts = parts or [Prediction(np.zeros(0), np.zeros(0))]
        return Prediction(*(np.concatenate(values) for values in zip(*parts, strict=True)))

    def _predict(self, embeddings: Float[np.ndarray, "face dim"]) -> Prediction:
        dtype = embeddings.dtype
        lifted = lift(embeddings, self.centre.astype(dtype), self.length, self.spread)
        logits = lifted @ self.weights.astype(dtype)
        variances = self.scale * variance(lifted, self.known.astype(dtype))
        chances = logistic(moderated(logits, variances) + self.offset)
        return Prediction(chances, _spread(logits + self.offset, np.sqrt(variances)))


def fit(
    embeddings: Float[np.ndarray, "face dim"], ratings: Float[np.ndarray, " face"], typical: Typical | None = None
) -> Head:
    """The head that ratings (0 disliked to 1 liked, NaN where there is none) of some of the faces say.

    All faces decide what an average embedding is (`typical`, where it was measured before). The prior is the one under
    which each rating is best foretold by the others, and the calibration is fitted to such predictions. Raises
    ValueError where nothing is liked, or disliked.
    """
    rated = np.isfinite(ratings)
    given = np.asarray(ratings, np.float64)[rated]
    if not (given > 0.5).any() or not (given < 0.5).any():
        counts = f"{(given > 0.5).sum()} liked and {(given < 0.5).sum()} disliked faces"
        raise ValueError(f"taste: got {counts}, expected some of both; rate more faces")
    centre, length = typical or measure(embeddings)
    lifted = [lift(embeddings[rated].astype(np.float64), centre, length, spread) for spread in SPREADS]
    found = [posterior(each, given) for each in lifted]
    best = min(range(len(SPREADS)), key=lambda place: found[place].loss)
    chosen = found[best]
    scale, offset = _calibration(chosen.held_out, chosen.held_out_variance, given)
    strongest = np.argsort(-(chosen.known**2).sum(0), kind="stable")[:MOST_DIRECTIONS]
    return Head(
        centre, length, float(SPREADS[best]), chosen.mean, chosen.known[:, strongest], scale, offset, len(given)
    )


def measure(embeddings: Float[np.ndarray, "face dim"]) -> Typical:
    """Mean of embeddings and root mean square distance from it."""
    centre = embeddings.mean(0, dtype=np.float64)
    squares = np.einsum("ij,ij->", embeddings, embeddings, dtype=np.float64) / len(embeddings)
    return centre, float(np.sqrt(max(squares - centre @ centre, 1e-12)))


def _spread(logits: Float[np.ndarray, " face"], errors: Float[np.ndarray, " face"]) -> Float[np.ndarray, " face"]:
    """Standard deviation of the probabilities of logits that are Gaussian with a standard deviation."""
    shares = (_SHARES / _SHARES.sum()).astype(logits.dtype)
    chances = logistic(logits[:, None] + errors[:, None] * _NODES.astype(logits.dtype))
    return np.sqrt((chances - (chances @ shares)[:, None]) ** 2 @ shares)


def _calibration(
    logits: Float[np.ndarray, " rated"], variances: Float[np.ndarray, " rated"], ratings: Float[np.ndarray, " rated"]
) -> tuple[float, float]:
    """Factor of the variances and offset of the logits with which predictions fit ratings best, as Platt (1999) fits
    scale and offset; where there are few ratings, near 1 and 0."""
    from scipy.optimize import minimize

    def loss(given: Float[np.ndarray, "2"]) -> float:
        predicted = moderated(logits, np.exp(given[0]) * variances) + given[1]
        return len(ratings) * cross_entropy(predicted, ratings) + float(((given / _TRUST) ** 2).sum()) / 2

    factor, offset = minimize(loss, np.zeros(2)).x
    return float(np.exp(factor)), float(offset)
