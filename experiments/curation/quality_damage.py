"""Known damage to pictures of faces, and what it amounts to: for fitting and for judging the measure of quality."""

from typing import NamedTuple

import cv2
import numpy as np

SIGMAS = np.concatenate([[0], np.geomspace(0.25, 10, 24)])


class Damage(NamedTuple):
    """What is done to a picture, in this order; the defaults do nothing.

    blur: sigma in pixels. enlarged: made this many times smaller and put back. noise: deviation in grey levels.
    jpeg: quality, 0 for none.
    """

    blur: float = 0
    enlarged: float = 1
    noise: float = 0
    jpeg: int = 0


class Damaged(NamedTuple):
    """Pixels, how much of the clean picture is left (structural similarity), and the blur in all, in pixels."""

    pixels: np.ndarray
    fidelity: float
    sigma: float


def damaged(clean: np.ndarray, damage: Damage, generator: np.random.Generator) -> Damaged:
    """An RGB picture with damage."""
    soft = cv2.GaussianBlur(clean, (0, 0), damage.blur) if damage.blur > 0 else clean
    if damage.enlarged > 1:
        small = [max(8, round(side / damage.enlarged)) for side in (soft.shape[1], soft.shape[0])]
        soft = cv2.resize(
            cv2.resize(soft, small, interpolation=cv2.INTER_AREA), clean.shape[1::-1], interpolation=cv2.INTER_CUBIC
        )
    pixels = soft
    if damage.noise > 0:
        noisy = pixels + generator.normal(0, damage.noise, pixels.shape)
        pixels = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    if damage.jpeg:
        data = cv2.imencode(".jpg", np.ascontiguousarray(pixels[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, damage.jpeg])[1]
        pixels = np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])
    return Damaged(pixels, fidelity(_grey(clean), _grey(pixels)), _sigma(_grey(clean), _grey(soft)))


def fidelity(clean: np.ndarray, other: np.ndarray) -> float:
    """Structural similarity (Wang et al. 2004) at the size of the pictures and at half of it.

    Weighted with the deviations of both pictures, as most of a face is smooth and survives any blur (the thought of
    Wang & Li 2011, "Information content weighting").
    """
    halves = [cv2.resize(each, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for each in (clean, other)]
    return float(np.clip((_similarity(clean, other) + _similarity(*halves)) / 2, 0, 1))


def _similarity(x: np.ndarray, y: np.ndarray) -> float:
    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(values, (11, 11), 1.5)

    mx, my = mean(x), mean(y)
    vx, vy, vxy = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = 2.55**2, 7.65**2
    similar = (2 * mx * my + c1) * (2 * vxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    return float(np.average(similar, weights=np.sqrt(np.maximum(vx, 0)) + np.sqrt(np.maximum(vy, 0)) + 1))


def _sigma(clean: np.ndarray, soft: np.ndarray) -> float:
    """Of the Gaussian blur that makes the one picture most like the other."""
    if clean is soft or np.array_equal(clean, soft):
        return 0.0
    errors = [((cv2.GaussianBlur(clean, (0, 0), s) if s else clean) - soft) ** 2 for s in SIGMAS]
    means = [float(error.mean()) for error in errors]
    best = int(np.argmin(means))
    if not 0 < best < len(SIGMAS) - 1:
        return float(SIGMAS[best])
    around = slice(best - 1, best + 2)
    a, b, _ = np.polyfit(SIGMAS[around], means[around], 2)
    return float(np.clip(-b / (2 * a), SIGMAS[best - 1], SIGMAS[best + 1])) if a > 0 else float(SIGMAS[best])


def _grey(pixels: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)


def random_damage(generator: np.random.Generator) -> Damage:
    """Nothing, one kind or several of any strength."""
    wanted = generator.random(4) < (0.45, 0.25, 0.3, 0.45)
    return Damage(
        blur=float(np.exp(generator.uniform(np.log(0.3), np.log(7)))) if wanted[0] else 0,
        enlarged=float(np.exp(generator.uniform(np.log(1.2), np.log(7)))) if wanted[1] else 1,
        noise=float(np.exp(generator.uniform(np.log(1), np.log(40)))) if wanted[2] else 0,
        jpeg=int(np.exp(generator.uniform(np.log(5), np.log(96)))) if wanted[3] else 0,
    )
