"""Shift, scale, rotation and mirror image of an aligned crop with its landmarks, as Deep3DFaceRecon trains with."""

import random
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from facegen.geometry.alignment_points import NUM_LANDMARKS, Points, check_image

# Which of the 68 points lies where another was after mirroring.
MIRRORED_68 = (
    *range(16, -1, -1),
    *range(26, 16, -1),
    *range(27, 31),
    *range(35, 30, -1),
    *(45, 44, 43, 42, 47, 46),
    *(39, 38, 37, 36, 41, 40),
    *range(54, 47, -1),
    *range(59, 54, -1),
    *range(64, 59, -1),
    *range(67, 64, -1),
)
_SHIFT, _SCALE, _ROTATION_DEGREES = 10, 0.1, 10.0

Mask = UInt8[np.ndarray, "height width"]
Affine = Float[np.ndarray, "3 3"]


class CropAugmentation(NamedTuple):
    """Shift in pixels (x to the right, y down), scale, rotation in degrees, and whether to mirror first."""

    shift_x: float
    shift_y: float
    scale: float
    rotation_degrees: float
    flip: bool


class AugmentedCrop(NamedTuple):
    """The image after augmentation, its landmarks in pixels, y down, and its mask."""

    image: UInt8[np.ndarray, "height width 3"]
    landmarks: Points
    mask: Mask | None


def random_augmentation(generator: random.Random) -> CropAugmentation:
    """Up to 10 pixels, 10 % and 10 degrees each way, half of them mirrored: Deep3DFaceRecon's ranges and order."""
    shift_x, shift_y = generator.randint(-_SHIFT, _SHIFT), generator.randint(-_SHIFT, _SHIFT)
    scale = 1 + _SCALE * (2 * generator.random() - 1)
    rotation_degrees = _ROTATION_DEGREES * (2 * generator.random() - 1)
    return CropAugmentation(shift_x, shift_y, scale, rotation_degrees, generator.random() > 0.5)


def augmentation_affine(augmentation: CropAugmentation, size: tuple[int, int]) -> Affine:
    """Matrix that takes pixels (x, y, 1) of a crop of `size` (width, height) to those of the augmented one.

    About the crop's centre: mirror, then shift, rotate, scale.
    """
    shift_x, shift_y, scale, degrees, flip = augmentation
    if not np.isfinite([shift_x, shift_y, scale, degrees]).all() or scale <= 0:
        raise ValueError(f"augmentation: got {tuple(augmentation)}, expected finite numbers and a scale above 0")
    sin, cos = np.sin(np.deg2rad(-degrees)), np.cos(np.deg2rad(-degrees))
    turn = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
    mirror, enlarge = np.diag([-1.0 if flip else 1.0, 1, 1]), np.diag([scale, scale, 1])
    centre = _shift(size[0] / 2, size[1] / 2)
    return centre @ enlarge @ turn @ _shift(shift_x, shift_y) @ mirror @ np.linalg.inv(centre)


def _shift(x: float, y: float) -> Affine:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]])


def augment_crop(
    image: UInt8[np.ndarray, "height width 3"],
    landmarks: Float[np.ndarray, "68 2"],
    augmentation: CropAugmentation,
    mask: Mask | None = None,
) -> AugmentedCrop:
    """Image and mask are sampled bicubically (0 outside); the landmarks (y down) of a mirrored face change their roles.

    Raises ValueError for other shapes than an image's and 68 landmarks'.
    """
    points = np.asarray(landmarks, np.float64)
    if points.shape != (NUM_LANDMARKS, 2):
        raise ValueError(f"landmarks: got shape {points.shape}, expected (68, 2)")
    affine = augmentation_affine(augmentation, check_image(image))
    moved = points @ affine[:2, :2].T + affine[:2, 2]
    if augmentation.flip:
        moved = moved[list(MIRRORED_68)]
    return AugmentedCrop(_warped(image, affine), moved, None if mask is None else _warped(mask, affine))


def _warped(picture: np.ndarray, affine: Affine) -> np.ndarray:
    source = Image.fromarray(picture)
    inverse = np.linalg.inv(affine)[:2].flatten().tolist()
    return np.array(source.transform(source.size, Image.Transform.AFFINE, inverse, Image.Resampling.BICUBIC))
