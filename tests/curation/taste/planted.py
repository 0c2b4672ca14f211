"""Embeddings of faces that do not exist, and a person whose taste is known."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Planted(NamedTuple):
    """Unit embeddings, the true probability that each is liked, and a rating drawn with it."""

    embeddings: Float[np.ndarray, "face dim"]
    chances: Float[np.ndarray, " face"]
    ratings: Float[np.ndarray, " face"]

    def rated(self, rows: np.ndarray) -> Float[np.ndarray, " face"]:
        """Ratings of some faces, NaN elsewhere."""
        known = np.full(len(self.ratings), np.nan)
        known[rows] = self.ratings[rows]
        return known


def planted(faces: int = 600, dim: int = 48, steepness: float = 3.0, seed: int = 0) -> Planted:
    """A taste that is linear in the logit; directions of an embedding differ in importance as those of networks do."""
    random = np.random.default_rng(seed)
    scales = np.arange(1, dim + 1) ** -0.7
    vectors = random.normal(size=(faces, dim)) * scales + random.normal(size=dim)
    embeddings = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    wanted = random.normal(size=dim)
    logits = (embeddings - embeddings.mean(0)) @ wanted
    chances = 1 / (1 + np.exp(-steepness * logits / logits.std()))
    ratings = (random.random(faces) < chances).astype(np.float64)
    return Planted(embeddings.astype(np.float32), chances, ratings)
