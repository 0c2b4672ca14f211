"""Averages of weights over training: the warm-up of latent diffusion, and power functions with a width chosen later."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray


def warmup_decay(update: int, decay: float = 0.9999) -> float:
    """Decay of an average's update 1, 2, ...: short at first (the code of Rombach et al. 2022)."""
    return min(decay, (1 + update) / (10 + update))


def exponent(relative_std: float) -> float:
    """The power gamma of an average whose weights over training time have this standard deviation, as a part of it.

    Solves s^2 = (gamma + 1) / ((gamma + 2)^2 (gamma + 3)) (Karras et al. 2024, equation 126). Raises ValueError
    beyond (0, 0.28), where no average grows towards the end of training.
    """
    if not 0 < relative_std < 0.28:
        raise ValueError(f"ema: got a relative width of {relative_std}, expected one between 0 and 0.28, such as 0.1")
    inverse = relative_std**-2
    roots = np.roots([1, 7, 16 - inverse, 12 - inverse])
    return float(roots.real.max())


def power_decay(relative_std: float, batch_size: int, images_seen: int) -> float:
    """Decay of a power-function average at a clock that counts this batch (Karras et al. 2024, equation 127)."""
    return (1 - batch_size / images_seen) ** (exponent(relative_std) + 1)


def posthoc_coefficients(
    times: Sequence[float], stds: Sequence[float], time: float, std: Sequence[float]
) -> Float64[np.ndarray, "stored wanted"]:
    """Factors of stored averages that come closest to averages of other widths (Karras et al. 2024, section 3.2).

    times, stds: clock and relative width of each stored average; time, std: those that are wanted. Least squares
    between weight profiles, then scaled to a sum of 1; float64.
    """
    if len(times) != len(stds) or not times:
        raise ValueError(f"ema: got {len(times)} times for {len(stds)} widths, expected as many, at least one")
    have = np.asarray(times, np.float64), np.array([exponent(value) for value in stds])
    want = np.full(len(std), float(time)), np.array([exponent(value) for value in std])
    factors = np.linalg.solve(_products(have, have), _products(have, want))
    return factors / factors.sum(axis=0)


def _products(
    one: tuple[NDArray[np.float64], NDArray[np.float64]], other: tuple[NDArray[np.float64], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Inner products of profiles p(s) = (g + 1) s^g / t^(g + 1) on [0, t] (equation 149, by integration)."""
    (t, g), (u, h) = (one[0][:, None], one[1][:, None]), (other[0][None], other[1][None])
    # Of min^(g + h + 1) / (t^(g + 1) u^(h + 1)) everything but one ratio cancels; large powers would overflow.
    ratio = np.where(t < u, (t / u) ** h, (u / t) ** g)
    return (g + 1) * (h + 1) * ratio / ((g + h + 1) * np.maximum(t, u))
