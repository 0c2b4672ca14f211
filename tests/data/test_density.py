"""Kernel density of poses: against scipy, against direct sums within the stated bound, and its properties."""

import math

import numpy as np
import pytest
from scipy.stats import gaussian_kde

from facegen.data.density import PoseDensity, mirrored, with_mirrors
from facegen.data.density_sums import KernelGrid, pair_sums

STATED = 5e-13  # relative error of the grid
RNG = np.random.default_rng(7)


def _turned(points: np.ndarray, radians: float) -> np.ndarray:
    cos, sin = math.cos(radians), math.sin(radians)
    return points @ np.array([[cos, sin], [-sin, cos]])


ROUND = RNG.normal(size=(3000, 2))
CLOUDS = {
    "round": ROUND,
    "three points": np.array([[1.5, 1.4], [1.7, 1.5], [1.6, 1.9]]),
    "poses": ROUND * [0.27, 0.13] + [math.pi / 2, 1.48],
    "flat and turned": _turned(ROUND * [1.0, 1e-3], 0.4),
    "heavy tails": RNG.standard_t(1.6, size=(3000, 2)),
    "far clusters": ROUND * 0.01 + np.repeat([[0, 0], [0, 5], [5, 0]], 1000, axis=0),
    "equal points": np.concatenate([np.zeros((500, 2)), ROUND[:40]]),
    "far from zero": ROUND + 1e4,
}


@pytest.fixture(params=CLOUDS)
def cloud(request: pytest.FixtureRequest) -> np.ndarray:
    return CLOUDS[request.param]


def around(cloud: np.ndarray, reach: float = 1.0) -> np.ndarray:
    """Some of the points, places between them, and places up to `reach` times the extent beyond them."""
    low, high = cloud.min(0), cloud.max(0)
    anywhere = np.random.default_rng(1).uniform(low - reach * (high - low), high + reach * (high - low), (400, 2))
    return np.concatenate([cloud[:400], anywhere])


def test_agrees_with_scipy(cloud: np.ndarray) -> None:
    ours, reference = PoseDensity(cloud), gaussian_kde(cloud.T)
    assert ours.n == len(cloud)
    assert ours.factor == pytest.approx(reference.factor, rel=1e-14)
    np.testing.assert_allclose(ours.covariance, reference.covariance, rtol=1e-11, atol=0)
    query = around(cloud)
    for method in ("direct", "grid"):
        np.testing.assert_allclose(ours.density(query, method), reference(query.T), rtol=1e-8, atol=1e-60)


def test_grid_equals_direct_everywhere(cloud: np.ndarray) -> None:
    """Also far from all points, where the density is 1e-200 or less."""
    density = PoseDensity(cloud)
    query = around(cloud)
    direct, grid = density.density(query, "direct"), density.density(query, "grid")
    np.testing.assert_allclose(grid, direct, rtol=STATED, atol=1e-300)
    assert (direct > 0).any()


@pytest.mark.parametrize("offset", np.arange(10) * 0.4)
def test_stated_error_bound(offset: float) -> None:
    """A pair at all distances, along an axis and across, wherever it lies in its tile of ten nodes."""
    points = np.array([[0.0, 0.0], [-60 - offset, -60 - offset]])  # the second one sets where tiles begin
    distances = np.linspace(0, 12, 997)
    turns = np.linspace(0, 40, 997)
    across = np.stack([distances * np.cos(turns), distances * np.sin(turns)], axis=1)
    along = np.stack([distances, np.zeros(997)], axis=1)
    places = np.concatenate([across, along, along[:, ::-1], -along])
    sums = pair_sums(places, points)
    assert (sums < 1e-9).any() and (sums > 1e-9).any()
    np.testing.assert_allclose(KernelGrid(points).sums(places), sums, rtol=STATED, atol=0)


def test_error_is_that_of_the_step() -> None:
    """The bound is not idle: pairs reach a good part of 8.1e-14 per dimension, so it is the grid that answers."""
    offsets = np.stack([np.linspace(0, 0.4, 101)] * 2, axis=1)
    relative = KernelGrid(offsets).sums(offsets) / pair_sums(offsets, offsets) - 1
    assert 1e-15 < np.abs(relative).max() < 2e-13


def test_integrates_to_one() -> None:
    density = PoseDensity(CLOUDS["poses"])
    theta, phi = np.linspace(-0.5, 3.6, 240), np.linspace(0.3, 2.7, 200)
    query = np.stack(np.meshgrid(theta, phi), axis=-1).reshape(-1, 2)
    total = density.density(query).sum() * (theta[1] - theta[0]) * (phi[1] - phi[0])
    assert total == pytest.approx(1, abs=1e-10)


def test_moves_with_its_points(cloud: np.ndarray) -> None:
    query, shift = cloud[:300], np.array([3.0, -2.0])
    here = PoseDensity(cloud).density(query, "grid")
    there = PoseDensity(cloud + shift).density(query + shift, "grid")
    np.testing.assert_allclose(there, here, rtol=1e-9)


def test_stretched_points_have_their_density_divided() -> None:
    query = around(ROUND)
    np.testing.assert_allclose(
        PoseDensity(ROUND * [2, 5]).density(query * [2, 5]), PoseDensity(ROUND).density(query) / 10, rtol=1e-10
    )


def test_answers_do_not_depend_on_their_batch() -> None:
    density, query = PoseDensity(ROUND), around(ROUND)
    whole = density.density(query, "grid")
    parts = np.concatenate([density.density(part, "grid") for part in np.array_split(query, 7)])
    np.testing.assert_allclose(parts, whole, rtol=1e-13, atol=0)
    assert density.density(np.empty((0, 2))).shape == (0,)


def test_auto_sums_pairs_where_outliers_forbid_a_grid() -> None:
    points = np.random.default_rng(0).normal(size=(150_000, 2))
    points[:2] = [[1e6, 0], [0, 1e6]]
    density = PoseDensity(points)
    query = points[:40]
    assert not KernelGrid.fits(density._points)
    assert np.array_equal(density.density(query), density.density(query, "direct"))


def test_mirrors() -> None:
    theta_phi = np.array([[0.5, 1.0], [2.0, 1.2]])
    assert np.array_equal(mirrored(theta_phi), [[math.pi - 0.5, 1.0], [math.pi - 2.0, 1.2]])
    both = with_mirrors(theta_phi)
    assert np.array_equal(both[::2], theta_phi) and np.array_equal(both[1::2], mirrored(theta_phi))
    density, query = PoseDensity(with_mirrors(CLOUDS["poses"])), CLOUDS["poses"][:200]
    np.testing.assert_allclose(density.density(query), density.density(mirrored(query)), rtol=1e-9)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (np.zeros((2, 2)), "got 2 points, expected 3 or more"),
        (np.zeros((5, 2)), "got 5 points on one line"),
        (np.outer(np.arange(9), [0.1, 0.3]), "got 9 points on one line"),
        (np.stack([np.arange(9.0), np.ones(9)], axis=1), "got 9 points on one line"),
        (np.array([[1.0, math.nan], [0, 1], [1, 0]]), "got 1 rows with NaN or infinity"),
        (np.zeros((4, 3)), r"got shape \(4, 3\), expected \(N, 2\)"),
    ],
)
def test_points_that_have_no_density(points: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PoseDensity(points)


def test_bad_queries() -> None:
    density = PoseDensity(ROUND)
    with pytest.raises(ValueError, match="density at directions: got 1 rows with NaN or infinity"):
        density.density(np.array([[1.0, 1.0], [math.inf, 0.0]]))
    with pytest.raises(ValueError, match="method: got 'fast', expected one of: auto, direct, grid"):
        density.density(ROUND, "fast")  # pyright: ignore[reportArgumentType]
