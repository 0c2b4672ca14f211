"""Crops by scale and shift: Deep3DFaceRecon's (Deng et al. 2019), and EG3D's of 1024, 700 and 512 pixels."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from facegen.geometry.alignment_points import (
    FivePoints3D,
    Points,
    check_image,
    check_landmarks,
    five_points,
    flip_rows,
    pos_scale_translation,
)
from facegen.geometry.alignment_resize import resized_window

DEEP3D_SIZE, DEEP3D_RESCALE = 224, 102.0
EG3D_SIZE, EG3D_RESCALE = 1024, 300.0
EG3D_CENTRE, EG3D_OUTPUT = 700, 512  # of the 1024 pixels the middle 700 are kept, and made 512
_LARGEST_SCALE = 300.0  # a face of one or two pixels

Mask = UInt8[np.ndarray, "height width"]


class SimilarityFrame(NamedTuple):
    """How a photograph was scaled and shifted: `trans_params` (width, height, scale, t_x, t_y) and the crop's `size`.

    t is where the template's origin lies in the photograph, t_y with y up, as in Deep3DFaceRecon's files.
    """

    trans_params: Float[np.ndarray, "5"]
    size: int

    @property
    def resized(self) -> tuple[int, int]:
        """Width and height of the whole photograph at the crop's scale."""
        width, height, scale = self.trans_params[:3].tolist()
        return int(width * scale), int(height * scale)

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, upper, right, lower border in the resized photograph; cut to whole pixels, as published."""
        width, height, scale, t_x, t_y = self.trans_params.tolist()
        left = int(self.resized[0] / 2 - self.size / 2 + (t_x - width / 2) * scale)
        upper = int(self.resized[1] / 2 - self.size / 2 + (height / 2 - t_y) * scale)
        return left, upper, left + self.size, upper + self.size

    def to_crop(self, points: Points) -> Points:
        """Photograph's pixels to the crop's, both y down. The fraction that `box` drops is kept, as published."""
        upright = (flip_rows(points, self.trans_params[1]) - self._centre()) * self.trans_params[2]
        return flip_rows(upright - self._offset(), self.size)

    def to_photograph(self, points: Points) -> Points:
        """Inverse of `to_crop`."""
        upright = (flip_rows(points, self.size) + self._offset()) / self.trans_params[2]
        return flip_rows(upright + self._centre(), self.trans_params[1])

    def _centre(self) -> Float[np.ndarray, "2"]:
        return self.trans_params[3:] - self.trans_params[:2] / 2

    def _offset(self) -> Float[np.ndarray, "2"]:
        return np.array(self.resized) / 2 - self.size / 2


class SimilarityCrop(NamedTuple):
    """A square crop; `landmarks` are those given, in its pixels, y down; `frame` leads back to the photograph."""

    image: UInt8[np.ndarray, "size size 3"]
    landmarks: Points
    mask: Mask | None
    frame: SimilarityFrame


def similarity_frame(
    landmarks: Points,
    image_size: tuple[int, int],
    template: FivePoints3D | None = None,
    size: int = DEEP3D_SIZE,
    rescale: float = DEEP3D_RESCALE,
) -> SimilarityFrame:
    """Where `similarity_crop` cuts an image of `image_size` (width, height): its arguments, without the pixels."""
    points = flip_rows(five_points(check_landmarks(landmarks, image_size)), image_size[1])
    pixels, translation = pos_scale_translation(points, template)
    if not rescale <= _LARGEST_SCALE * pixels:
        raise ValueError(f"landmarks: a face of {pixels:.2g} pixels a unit is too small to be enlarged to {size}")
    return SimilarityFrame(np.array([*image_size, rescale / pixels, *translation]), size)


def similarity_crop(
    image: UInt8[np.ndarray, "height width 3"],
    landmarks: Points,
    mask: Mask | None = None,
    template: FivePoints3D | None = None,
    size: int = DEEP3D_SIZE,
    rescale: float = DEEP3D_RESCALE,
) -> SimilarityCrop:
    """Deep3DFaceRecon's crop: the face upright as it was, at one scale, its centre in the middle (`align_img`).

    `landmarks` are 68 or 5 (see `five_points`) in pixels of `image`, y down. The five points are fitted to `template`
    (five 3D points, y up; default: Deep3DFaceRecon's), one unit of which becomes `rescale` pixels of the square of
    `size` pixels; EG3D's first crop has 1024 and 300. Outside the photograph it is black. `mask` is cropped alike.
    Raises ValueError for landmarks that no face of the image can have, and for other images.
    """
    image_size = check_image(image)
    if mask is not None and mask.shape != image.shape[:2]:
        raise ValueError(f"mask: got shape {mask.shape}, expected that of the image, {image.shape[:2]}")
    frame = similarity_frame(landmarks, image_size, template, size, rescale)
    cropped, cropped_mask = (
        None if part is None else resized_window(part, frame.resized, frame.box) for part in (image, mask)
    )
    assert cropped is not None
    return SimilarityCrop(cropped, frame.to_crop(np.asarray(landmarks, np.float64)), cropped_mask, frame)


class EG3DCrop(NamedTuple):
    """EG3D's training image (512) and the given landmarks in its pixels, y down; `frame` is that of the 1024 crop."""

    image: UInt8[np.ndarray, "512 512 3"]
    landmarks: Points
    frame: SimilarityFrame

    def to_photograph(self, points: Points) -> Points:
        """Pixels of the 512 image to those of the photograph, y down."""
        return self.frame.to_photograph(np.asarray(points, np.float64) * (EG3D_CENTRE / EG3D_OUTPUT) + _EG3D_OFFSET)


_EG3D_OFFSET = (EG3D_SIZE - EG3D_CENTRE) // 2


def eg3d_crop(
    image: UInt8[np.ndarray, "height width 3"], landmarks: Points, template: FivePoints3D | None = None
) -> EG3DCrop:
    """EG3D's crop, which its camera labels are for: 1024 pixels at 300 a unit, the middle 700, Lanczos to 512.

    EG3D feeds it the picture that `quad_crop(variant="eg3d_realign")` made, LPFF that of `lpff_realign`. Arguments and
    errors as of `similarity_crop`; `landmarks` are five points or 68, in pixels of `image`, y down.
    """
    frame = similarity_frame(landmarks, check_image(image), template, EG3D_SIZE, EG3D_RESCALE)
    left, upper = (corner + _EG3D_OFFSET for corner in frame.box[:2])
    centre = resized_window(image, frame.resized, (left, upper, left + EG3D_CENTRE, upper + EG3D_CENTRE))
    resized = Image.fromarray(centre).resize((EG3D_OUTPUT, EG3D_OUTPUT), resample=Image.Resampling.LANCZOS)
    points = (frame.to_crop(np.asarray(landmarks, np.float64)) - _EG3D_OFFSET) * (EG3D_OUTPUT / EG3D_CENTRE)
    return EG3DCrop(np.array(resized), points, frame)
