"""Numbers about a grey picture that change when it is blurred, compressed, noisy or enlarged, whatever it shows.

Natural scene statistics (Mittal, Moorthy & Bovik 2012, "No-Reference Image Quality Assessment in the Spatial Domain"):
luminances, made comparable by their local mean and deviation, have a distribution that damage changes. Beside them:
how gradients lose to a blur of known width (Zhuo & Sim 2011), noise (Immerkaer 1996), and steps every eight pixels.
"""

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from scipy.special import gamma

BLURS = (0.6, 1.2, 2.4, 4.8)  # sigma, pixels
_SHAPES = np.arange(0.2, 10, 0.02)
_RATIOS = gamma(2 / _SHAPES) ** 2 / (gamma(1 / _SHAPES) * gamma(3 / _SHAPES))  # falls or rises with shape: monotone
_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
_WINDOW = 7 / 6  # sigma of the local mean, as published (7 pixels wide)
_STEEPEST = (50, 80, 95)  # percentiles of the gradient among which edges are looked at
_BLOCK = 8  # pixels: JPEG's
_TINY = 1e-6

Plane = Float[np.ndarray, "height width"]
Vector = Float[np.ndarray, "number"]


def statistics(grey: UInt8[np.ndarray, "height width"]) -> Vector:
    """Numbers about a picture at its own size and at half of it, all finite; as many for every picture.

    Raises ValueError for one of fewer than 16 pixels a side.
    """
    if min(grey.shape) < 2 * _BLOCK:
        raise ValueError(f"quality: got {grey.shape[1]}x{grey.shape[0]} pixels, expected {2 * _BLOCK} or more a side")
    plane = grey.astype(np.float32)
    half = cv2.resize(plane, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    found = [*_scene(plane), *_scene(half), *_edges(plane), *_damage(plane)]
    return np.nan_to_num(np.array([*found, np.log(min(grey.shape))], np.float32), posinf=0, neginf=0)


def _scene(plane: Plane) -> list[float]:
    """The 18 numbers of the paper: of the normalised luminances, and of their products with four neighbours."""
    mean = cv2.GaussianBlur(plane, (7, 7), _WINDOW)
    deviation = np.sqrt(np.maximum(cv2.GaussianBlur(plane * plane, (7, 7), _WINDOW) - mean * mean, 0))
    normal = (plane - mean) / (deviation + 1)
    found = [*_generalised(normal)]
    for down, right in _NEIGHBOURS:
        found += _asymmetric(normal * np.roll(normal, (down, right), axis=(0, 1)))
    return found


def _generalised(values: Plane) -> tuple[float, float]:
    """Shape, and log of the variance, of the generalised Gaussian of these moments."""
    variance = float(np.mean(values * values)) + _TINY
    return _shape(float(np.mean(np.abs(values))) ** 2 / variance), float(np.log(variance))


def _asymmetric(values: Plane) -> list[float]:
    """Shape, mean, and logs of the variances on both sides, of the asymmetric generalised Gaussian (equations 8-11)."""
    left, right = (float(np.sqrt(np.mean(side * side))) + _TINY for side in _sides(values))
    skew, size = left / right, float(np.mean(np.abs(values))) ** 2 / (float(np.mean(values * values)) + _TINY)
    shape = _shape(size * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2)
    mean = (right - left) * gamma(2 / shape) / np.sqrt(gamma(1 / shape) * gamma(3 / shape))
    return [shape, float(mean), float(np.log(left)), float(np.log(right))]


def _sides(values: Plane) -> list[Float[np.ndarray, "value"]]:
    return [side if side.size else np.zeros(1, np.float32) for side in (values[values < 0], values[values > 0])]


def _shape(ratio: float) -> float:
    return float(np.interp(ratio, _RATIOS, _SHAPES))


def _edges(plane: Plane) -> list[float]:
    """How much of the gradient further blurs leave, at edges and everywhere.

    An edge of width s keeps s / sqrt(s^2 + b^2) of its gradient after a blur of b (Zhuo & Sim, equation 4).
    """
    sharp = _gradient(plane)
    levels = np.percentile(sharp, _STEEPEST)
    found = [float(np.log(sharp.mean() + _TINY)), float(np.log(np.percentile(sharp, 99) + _TINY))]
    for sigma in BLURS:
        kept = _gradient(cv2.GaussianBlur(plane, (0, 0), sigma))
        found.append(float(np.log((kept**2).mean() + _TINY) - np.log((sharp**2).mean() + _TINY)))
        for level in levels:
            edges = sharp >= max(level, _TINY)
            found += np.percentile(kept[edges] / sharp[edges], (5, 50)).tolist() if edges.any() else [1.0, 1.0]
    return found


def _gradient(plane: Plane) -> Plane:
    across, down = (cv2.Sobel(plane, cv2.CV_32F, *order, ksize=3, scale=0.125) for order in ((1, 0), (0, 1)))
    return np.sqrt(across**2 + down**2)


def _damage(plane: Plane) -> list[float]:
    """Noise (log of a robust deviation), blocks along both directions, and contrast."""
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    noise = np.abs(cv2.filter2D(plane, cv2.CV_32F, mask))
    quiet = np.percentile(noise, (25, 50, 75)) / 6
    return [
        *np.log(quiet + 0.05).tolist(),
        *(_blocks(side) for side in (plane, plane.T)),
        float(np.log(plane.std() + 1)),
    ]


def _blocks(plane: Plane) -> float:
    """How much larger second differences are at one column of eight, wherever the lattice starts."""
    steps = np.abs(np.diff(plane, 2, axis=1)).mean(axis=0)
    columns = steps[: len(steps) // _BLOCK * _BLOCK].reshape(-1, _BLOCK).mean(axis=0)
    return float(np.log((np.sort(columns)[-2:].mean() + _TINY) / (np.median(columns) + _TINY)))
