import numpy as np
import pytest

from facegen.morphable.procedural import fields


def points(count: int = 400, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (count, 3))


def test_distances_are_negative_inside_zero_on_the_surface_and_positive_outside() -> None:
    directions = points() / np.linalg.norm(points(), axis=1, keepdims=True)
    surface = directions * [0.5, 0.3, 0.4]
    for scale, sign in ((0.5, -1), (1.0, 0), (1.5, 1)):
        assert (np.sign(np.round(fields.ellipsoid(surface * scale, (0, 0, 0), (0.5, 0.3, 0.4)), 12)) == sign).all()
    np.testing.assert_allclose(fields.sphere(directions * 2, (0, 0, 0), 0.5), 1.5)


def test_capsule_without_length_is_a_sphere() -> None:
    ball = fields.capsule(points(), (0.1, 0.2, 0.3), (0.1, 0.2, 0.3 + 1e-9), 0.2, 0.2)
    np.testing.assert_allclose(ball, fields.sphere(points(), (0.1, 0.2, 0.3), 0.2), atol=1e-6)


def test_smooth_union_is_the_minimum_away_from_the_seam() -> None:
    a, b = np.array([0.0, 0.5, 0.1]), np.array([1.0, 0.0, 0.1])
    joined = fields.smooth_min(a, b, 0.2)
    np.testing.assert_allclose(joined[:2], [0.0, 0.0])
    assert joined[2] == pytest.approx(0.1 - 0.05)
    np.testing.assert_allclose(fields.smooth_max(a, b, 0.2)[:2], [1.0, 0.5])


def test_noise_is_symmetric_bounded_and_smooth() -> None:
    p = points()
    noise = fields.value_noise(p, 9, seed=3)
    np.testing.assert_allclose(fields.value_noise(p * [-1, 1, 1], 9, seed=3), noise)
    assert np.abs(noise).max() <= 1 and noise.std() > 0.2
    np.testing.assert_allclose(fields.value_noise(p + np.array([0, 1e-6, 0]), 9, seed=3), noise, atol=1e-4)
