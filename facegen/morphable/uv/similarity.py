"""Moving one mesh onto another by pairs of points, as FFHQ-UV puts eyeballs into a head."""

import numpy as np
from jaxtyping import Float


def fit_similarity(source: Float[np.ndarray, "point 3"], target: Float[np.ndarray, "point 3"]) -> np.ndarray:
    """The matrix (3, 4) that moves `source` onto `target`: rotation times scale, and translation.

    1. The rotation of the centred points, by singular values (Arun et al. 1987). As published it is not kept from being
       a mirror image; points of a head, which do not lie in a plane, give a rotation.
    2. The scale is the ratio of the sums of absolute coordinates, after the rotation.
    3. The translation is what remains on average.
    """
    if source.shape != target.shape or source.ndim != 2 or source.shape[1] != 3 or len(source) < 3:
        got = f"{source.shape} and {target.shape}"
        raise ValueError(f"similarity: got points of shapes {got}, expected twice (N, 3) with at least 3 points")
    from_centre, to_centre = source - source.mean(axis=0), target - target.mean(axis=0)
    left, _, right = np.linalg.svd(to_centre.T @ from_centre)
    rotation = left @ right
    turned = from_centre @ rotation.T
    extent = np.abs(turned).sum()
    if not extent:
        raise ValueError("similarity: all points of the source are the same; the scale is unknown")
    linear = np.abs(to_centre).sum() / extent * rotation
    return np.concatenate([linear, (target - source @ linear.T).mean(axis=0)[:, None]], axis=1)


def transform(matrix: Float[np.ndarray, "3 4"], points: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, "point 3"]:
    """Points moved by a matrix of `fit_similarity`."""
    return points @ matrix[:, :3].T + matrix[:, 3]
