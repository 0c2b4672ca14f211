import cv2
import numpy as np
import pytest

from facegen.curation.describing.sketches import PEN, simplified_sketch
from facegen.data.sketches import sketch


def head(size: int = 128) -> np.ndarray:
    """A bright disc with two dark eyes on grey, and noise."""
    image = np.full((size, size, 3), 90, np.uint8)
    cv2.circle(image, (size // 2, size // 2), size // 3, (210, 180, 160), -1)
    for x in (0.4, 0.6):
        cv2.circle(image, (int(x * size), int(0.45 * size)), size // 20, (40, 30, 30), -1)
    noise = np.random.default_rng(0).normal(0, 3, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def test_outlines_become_lines_and_noise_goes() -> None:
    drawn, published = simplified_sketch(head()), sketch(head())
    assert drawn.shape == (128, 128) and drawn.dtype == np.uint8
    assert (drawn == 255).mean() > 0.85 > (published == 255).mean()  # white paper
    ink = 255 - drawn.astype(float)
    y, x = np.mgrid[:128, :128]
    radius = np.hypot(x - 64, y - 64)
    outline = np.abs(radius - 128 / 3) < 3
    eyes = np.minimum(np.hypot(x - 51, y - 57), np.hypot(x - 76, y - 57)) < 10
    assert ink[outline].max() > 150 and ink[eyes].max() > 150
    assert ink[~(outline | eyes)].sum() < 0.05 * ink.sum()
    around = [
        ink[(radius > 39) & (radius < 46) & (np.arctan2(y - 64, x - 64) // (np.pi / 8) == k)].max()
        for k in range(-8, 8)
    ]
    assert min(around) > 60  # the whole circle


def test_the_same_picture_gives_the_same_sketch() -> None:
    np.testing.assert_array_equal(simplified_sketch(head()), simplified_sketch(head()))


@pytest.mark.parametrize("shape", [(64, 64), (48, 80), (300, 200), (1300, 1200)])
def test_any_size(shape: tuple[int, int]) -> None:
    drawn = simplified_sketch(cv2.resize(head(), shape[::-1]))
    assert drawn.shape == shape and 0.001 < (drawn < 128).mean() < 0.2


def test_an_even_picture_has_no_lines() -> None:
    assert (simplified_sketch(np.full((64, 64, 3), 120, np.uint8)) == 255).all()


def test_short_lines_go() -> None:
    image = np.full((256, 256, 3), 200, np.uint8)
    cv2.line(image, (20, 128), (230, 128), (20, 20, 20), 4)
    cv2.circle(image, (60, 50), 3, (20, 20, 20), -1)
    kept = simplified_sketch(image, PEN._replace(shortest=0))
    drawn = simplified_sketch(image, PEN._replace(shortest=60))
    assert kept[40:60, 50:70].min() < 150 and drawn[40:60, 50:70].min() == 255 and drawn[120:136].min() < 150


@pytest.mark.parametrize("change", [{"weak": 0.0}, {"weak": 0.6}, {"strong": 1.5}, {"width": 0}, {"smooth": -1}])
def test_pens_out_of_range(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"sketch: got Pen.*expected 0 < weak <= strong <= 1"):
        simplified_sketch(head(), PEN._replace(**change))
