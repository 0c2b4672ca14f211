"""How common a pose is: the Gaussian kernel density over (theta, phi) of a set of cameras.

LPFF (Wu et al., ICCV 2023) evaluates it one pose at a time: all pairs of 179,094 poses, minutes and more. Here the same
sums take less than a second (`density_sums` says how, and why twelve digits are exact).
"""

import math
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float

from facegen.data.density_sums import KernelGrid, Points, pair_sums

Method = Literal["auto", "direct", "grid"]

_FEW_PAIRS = 2**22
_LEAST_POINTS = 3
_ON_A_LINE = 1e-12  # 1 - correlation² of theta and phi


class PoseDensity:
    """Gaussian kernel density in 1/rad² over N camera directions, with Scott's bandwidth like scipy's `gaussian_kde`.

    `theta_phi` is (N, 2) in radians, mirrors included (`with_mirrors`). Attributes: `n`, `factor` = N^(-1/6),
    `data_covariance` (over N - 1), `covariance` = data_covariance * factor², that of one kernel, and `peak` in 1/rad²,
    the height of one kernel. Raises ValueError for fewer than 3 points, for points on a line, and for NaN.
    """

    def __init__(self, theta_phi: Points) -> None:
        points = _directions(theta_phi, "density of poses")
        if len(points) < _LEAST_POINTS:
            raise ValueError(f"density of poses: got {len(points)} points, expected {_LEAST_POINTS} or more")
        self.n = len(points)
        self.factor = self.n ** (-1 / 6)
        self.data_covariance = np.cov(points.T)
        self.covariance = self.data_covariance * self.factor**2
        (theta, mixed), (_, phi) = self.data_covariance
        if theta * phi - mixed**2 <= _ON_A_LINE * theta * phi:
            raise ValueError(f"density of poses: got {self.n} points on one line, expected some beside it")
        root = np.linalg.cholesky(self.covariance)
        self.peak = 1 / (2 * math.pi * float(root[0, 0] * root[1, 1]))
        self._whitening = np.linalg.inv(root).T
        self._middle = (points.min(0) + points.max(0)) / 2
        self._points = self._whitened(points)

    def density(self, query: Points, method: Method = "auto") -> Float[np.ndarray, " query"]:
        """Density (M,) in 1/rad², float64, at (M, 2) directions in radians, also where there are no points.

        `direct` sums all pairs, `grid` is fast with a relative error below 5e-13, `auto` takes the grid unless pairs
        are few or an outlier among the points would make it too large. Raises ValueError for NaN.
        """
        if method not in get_args(Method):
            raise ValueError(f"method: got {method!r}, expected one of: {', '.join(get_args(Method))}")
        places = self._whitened(_directions(query, "density at directions"))
        few = len(places) * self.n <= _FEW_PAIRS
        direct = method == "direct" or (method == "auto" and (few or not KernelGrid.fits(self._points)))
        sums = pair_sums(places, self._points) if direct else self._grid.sums(places)
        return self.peak / self.n * sums

    def _whitened(self, points: Points) -> Points:
        """Coordinates in which a kernel is round and its width is 1."""
        return (points - self._middle) @ self._whitening

    @cached_property
    def _grid(self) -> KernelGrid:
        return KernelGrid(self._points)


def mirrored(theta_phi: Points) -> Points:
    """Directions (N, 2) of the mirror images: theta becomes pi - theta."""
    theta, phi = _directions(theta_phi, "directions").T
    return np.stack([math.pi - theta, phi], axis=1)


def with_mirrors(theta_phi: Points) -> Points:
    """Directions (2 N, 2) of a population and its mirror images, each behind its own, as `dataset.json` lists them."""
    return np.stack([_directions(theta_phi, "directions"), mirrored(theta_phi)], axis=1).reshape(-1, 2)


def _directions(values: Any, name: str) -> Points:
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != 2:
        raise ValueError(f"{name}: got shape {values.shape}, expected (N, 2) of theta and phi in radians")
    if not np.isfinite(values).all():
        raise ValueError(f"{name}: got {(~np.isfinite(values)).any(1).sum()} rows with NaN or infinity, expected none")
    return values
