"""The turned square that FFHQ (Karras et al. 2019) cuts a face out by, and what EG3D and LPFF made of it."""

from typing import Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from facegen.geometry.alignment_padding import BlurredPadding, pad_picture
from facegen.geometry.alignment_points import (
    LEFT_EYE,
    MOUTH_LEFT,
    MOUTH_RIGHT,
    NUM_LANDMARKS,
    RIGHT_EYE,
    Points,
    check_image,
    check_landmarks,
)

QuadVariant = Literal["ffhq", "lpff_stylegan", "eg3d_realign", "lpff_realign"]
_SMALLEST = 4.0  # pixels of the quad's side: less shows no face
Box = tuple[int, int, int, int]
Picture = UInt8[np.ndarray, "height width 3"]
Quad = Float[np.ndarray, "4 2"]


class _Rules(NamedTuple):
    """Where the published variants differ; lengths are shares of the quad's side."""

    enlarged: float = 1.0  # the quad, about its centre
    border: float = 0.1  # kept around the quad, and padded where the photograph ends there
    smallest_border: int = 3
    coarse_blur: bool = False  # the padding is blurred on a tenth of the resolution
    minimum_side: int = 0  # faces are dropped whose cut is smaller in both directions


_VARIANTS: dict[str, _Rules] = {
    "ffhq": _Rules(),
    "lpff_stylegan": _Rules(border=0.2, smallest_border=100),
    "eg3d_realign": _Rules(enlarged=1.8, coarse_blur=True),
    "lpff_realign": _Rules(enlarged=1.8, coarse_blur=True, minimum_side=512),
}


class FaceTooSmall(ValueError):
    """LPFF's rule: so few pixels of the photograph show the face that it is left out."""


class QuadFrame(NamedTuple):
    """The square `quad` of the photograph (upper left, lower left, lower right, upper right; y down) and its crop.

    `quad_size` is the square's side in pixels of the photograph, `shrink` by how much the photograph was reduced first,
    `size` the crop's side.
    """

    quad: Quad
    quad_size: float
    shrink: int
    size: int

    def to_crop(self, points: Points) -> Points:
        """Photograph's pixels to the crop's, both y down."""
        return (np.asarray(points, np.float64) - self._corner()) @ np.linalg.inv(self._axes())

    def to_photograph(self, points: Points) -> Points:
        """Inverse of `to_crop`."""
        return np.asarray(points, np.float64) @ self._axes() + self._corner()

    def _corner(self) -> Float[np.ndarray, "2"]:
        return self.quad[0] + 0.5 * self.shrink  # the published scripts cut half a pixel to the lower right

    def _axes(self) -> Float[np.ndarray, "2 2"]:
        return np.stack([self.quad[3] - self.quad[0], self.quad[1] - self.quad[0]]) / self.size


class QuadCrop(NamedTuple):
    """The crop, the given landmarks in its pixels (y down), and what was done on the way.

    `shrunk_size` (width, height) and `crop_box` (left, upper, right, lower) are None where a step was not needed.
    `source_quad` is what was cut of the padded picture of `source_size` (width, height): corners as of `frame.quad`.
    """

    image: UInt8[np.ndarray, "size size 3"]
    landmarks: Points
    frame: QuadFrame
    shrunk_size: tuple[int, int] | None
    crop_box: Box | None
    source_size: tuple[int, int]
    source_quad: Quad


def quad_frame(
    landmarks: Points, image_size: tuple[int, int], output_size: int, variant: QuadVariant = "ffhq"
) -> QuadFrame:
    """Where `quad_crop` cuts an image of `image_size` (width, height): its arguments, without the pixels.

    1. x points from eye to eye, averaged with the perpendicular of the line from the eyes to the mouth.
    2. Its length is the larger of 2 eye distances and 1.8 eye-mouth distances: half the side of the square.
    3. The centre lies a tenth of the way from the eyes to the mouth.
    """
    points = check_landmarks(landmarks, image_size, (NUM_LANDMARKS,))
    right_eye, left_eye = points[RIGHT_EYE].mean(axis=0), points[LEFT_EYE].mean(axis=0)
    eyes = (right_eye + left_eye) * 0.5
    across, down = left_eye - right_eye, (points[MOUTH_LEFT] + points[MOUTH_RIGHT]) * 0.5 - eyes
    x = across - np.array([-down[1], down[0]])
    if not (length := np.hypot(*x)):
        raise ValueError("landmarks: eyes and mouth define no direction; detect the face again")
    x = x / length * max(np.hypot(*across) * 2.0, np.hypot(*down) * 1.8) * _rules(variant).enlarged
    y, centre = np.array([-x[1], x[0]]), eyes + down * 0.1
    if (quad_size := float(np.hypot(*x) * 2)) < _SMALLEST:
        raise ValueError(f"landmarks: a face of {quad_size:.2g} pixels is too small; detect it again")
    quad = np.stack([centre - x - y, centre - x + y, centre + x + y, centre + x - y])
    return QuadFrame(quad, quad_size, max(int(quad_size / output_size * 0.5), 1), output_size)


def quad_crop(
    image: Picture,
    landmarks: Points,
    output_size: int,
    transform_size: int,
    variant: QuadVariant = "ffhq",
    minimum_side: int | None = None,
) -> QuadCrop:
    """Cut a face out upright, its surroundings completed by reflection that fades into a blur and the median colour.

    `landmarks` are 68 in pixels of `image`, y down. Variants: `ffhq` (1024 of 4096), `lpff_stylegan` (likewise, more of
    the photograph around it), and, with a square 1.8 times as wide, `eg3d_realign` (1500) and `lpff_realign` (2400).
    1. A photograph that shows the square 4 times as large as `output_size` is reduced. 2. The square's surroundings are
    cut. 3. They are padded where the photograph ends. 4. The square is sampled at `transform_size`, bilinearly, and
    reduced to `output_size`.
    Raises FaceTooSmall, a ValueError, where both sides of step 2 are below `minimum_side` (default: the variant's own,
    512 of `lpff_realign`), and ValueError for landmarks that no face of the image can have and for other sizes.
    """
    if not 0 < output_size <= transform_size:
        raise ValueError(f"output_size: got {output_size}, expected 1 to {transform_size}, the transform_size")
    rules, size = _rules(variant), check_image(image)
    frame = quad_frame(landmarks, size, output_size, variant)
    picture = Image.fromarray(image)
    quad, side, shrunk_size = frame.quad / frame.shrink, frame.quad_size / frame.shrink, None
    if frame.shrink > 1:
        shrunk_size = (_shrunk(size[0], frame.shrink), _shrunk(size[1], frame.shrink))
        picture = _along_axes(picture, shrunk_size)
    border = max(int(np.rint(side * rules.border)), rules.smallest_border)
    box = _surroundings(quad, border, picture.size)
    _check_size(box, rules.minimum_side if minimum_side is None else minimum_side, variant)
    crop_box = None if (box[2] - box[0], box[3] - box[1]) == picture.size else box
    if crop_box:
        picture, quad = picture.crop(crop_box), quad - box[:2]
    picture, quad = pad_picture(picture, quad, BlurredPadding(side, border, rules.coarse_blur))
    crop, quad = _sampled(picture, quad + 0.5, transform_size, output_size), quad + 0.5
    return QuadCrop(crop, frame.to_crop(landmarks), frame, shrunk_size, crop_box, picture.size, quad)


def _rules(variant: str) -> _Rules:
    if variant not in _VARIANTS:
        raise ValueError(f"variant: got {variant!r}, expected one of: {', '.join(get_args(QuadVariant))}")
    return _VARIANTS[variant]


def _shrunk(length: int, shrink: int) -> int:
    return max(int(np.rint(length / shrink)), 1)


def _along_axes(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Lanczos, width before height: Pillow 13 takes tall pictures the other way round, and other pixels result."""
    return picture.resize((size[0], picture.height), Image.Resampling.LANCZOS).resize(size, Image.Resampling.LANCZOS)


def _surroundings(quad: Quad, border: int, size: tuple[int, int]) -> Box:
    """Bounding box of the quad with a border, as far as the photograph reaches."""
    left, upper = np.maximum(np.floor(quad.min(axis=0)).astype(int) - border, 0).tolist()
    right, lower = np.minimum(np.ceil(quad.max(axis=0)).astype(int) + border, size).tolist()
    if left >= right or upper >= lower:
        raise ValueError("landmarks: the crop lies outside the image; are they of this image?")
    return left, upper, right, lower


def _check_size(box: Box, minimum_side: int, variant: str) -> None:
    width, height = box[2] - box[0], box[3] - box[1]
    if max(width, height) < minimum_side:
        needed = f"{variant} needs {minimum_side} in one direction"
        raise FaceTooSmall(f"the face and its surroundings have {width} x {height} pixels, {needed}")


def _sampled(picture: Image.Image, quad: Quad, transform_size: int, output_size: int) -> Picture:
    corners = tuple(quad.flatten().tolist())
    size = (transform_size, transform_size)
    sampled = picture.transform(size, Image.Transform.QUAD, corners, Image.Resampling.BILINEAR)
    if output_size < transform_size:
        sampled = sampled.resize((output_size, output_size), Image.Resampling.LANCZOS)
    return np.array(sampled)  # a copy, for Pillow's own memory is read-only
