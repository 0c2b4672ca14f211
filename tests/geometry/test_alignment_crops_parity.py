"""FFHQ's, LPFF's and EG3D's crops against reference numbers; an array that no rule names fails."""

import re
from collections.abc import Callable
from functools import cache
from typing import Any, get_args

import numpy as np
import pytest

from facegen.geometry import alignment
from tests.geometry.reference import array_names, compute, numeric, reference_file

FILE, TEMPLATE_FILE = "golden3d/09_alignment.npz", "golden3d/03_preprocess.npz"
VARIANTS = "|".join(get_args(alignment.QuadVariant))
PATCH, QUAD_START, EG3D_START = 96, 480, 208  # of square outputs, where one of 1024 or 512 is stored in part
# The reference's README: pixels are bit-exact there and here, two levels are allowed.
PIXELS = re.compile(".*_(out|out_mean.|out_patch)")
NUMBERS = 1e-3


@cache
def arrays() -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in numeric(reference_file(FILE)).items()}


@cache
def template() -> np.ndarray:
    return numeric(reference_file(TEMPLATE_FILE))["lm5_3d"].numpy()


@cache
def quad(case: str, variant: str, minimum_side: int = 0) -> alignment.QuadCrop:
    """The cases are smaller than what LPFF keeps: without a minimum unless it is asked for."""
    a = arrays()
    output_size, transform_size = a[f"c{case}_sizes"].tolist()
    image, points = a[f"c{case}_img"], a[f"c{case}_lm_ydown"]
    return alignment.quad_crop(image, points, output_size, transform_size, variant, minimum_side)  # pyright: ignore[reportArgumentType]


def quad_part(case: str, variant: str, part: str) -> Any:
    crop = quad(case, variant)
    parts = {
        "quad": crop.frame.quad,
        "qsize": crop.frame.quad_size,
        "transform_quad": crop.source_quad,
        "transform_src_size": crop.source_size,
        "shrink_size": crop.shrunk_size or (0, 0),
        "crop_box": crop.crop_box or (0, 0, 0, 0),
        "lm_out": crop.landmarks,
    }
    return image_part(crop.image, part, QUAD_START) if part.startswith("out") else parts[part]


def image_part(image: np.ndarray, part: str, start: int) -> np.ndarray:
    if part == "out_patch":
        return image[start : start + PATCH, start : start + PATCH]
    if match := re.fullmatch(r"out_mean(\d+)", part):
        block, count = int(match[1]), len(image) // int(match[1])
        return image.reshape(count, block, count, block, 3).mean(axis=(1, 3))
    return image


def rejected(case: str, side: str) -> bool:
    try:
        quad(case, "lpff_realign", int(side))
    except alignment.FaceTooSmall:
        return True
    return False


@cache
def eg3d(case: str, points: str) -> alignment.EG3DCrop:
    return alignment.eg3d_crop(arrays()[f"e{case}_img"], arrays()[f"e{case}_{points}_ydown"], template())


def eg3d_frame(case: str, part: str) -> Any:
    frame = eg3d(case, "lm5").frame
    points = alignment.flip_rows(frame.to_crop(arrays()[f"e{case}_lm5_ydown"]), frame.size)
    return {
        "trans_params": frame.trans_params,
        "resize_wh": frame.resized,
        "crop_box": frame.box,
        "lm5_1024_yup": points,
    }[part]


def small_landmarks(case: str, back: bool) -> np.ndarray:
    """To the 224 crop, or from there back to the photograph; y up."""
    a = arrays()
    height, width = a[f"e{case}_img"].shape[:2]
    frame = alignment.similarity_frame(a[f"e{case}_lm68_ydown"], (width, height), template())
    if not back:
        return alignment.flip_rows(frame.to_crop(a[f"e{case}_lm68_ydown"]), frame.size)
    return alignment.flip_rows(frame.to_photograph(alignment.flip_rows(a[f"e{case}_lm68_224_yup"], frame.size)), height)


RULES: dict[str, Callable[..., Any] | None] = {
    r"[ce]\d+_img|c\d+_(lm_ydown|sizes)|e\d+_lm(5|68)_ydown": None,
    rf"c(\d+)_({VARIANTS})_(.*)": lambda _, case, variant, part: quad_part(case, variant, part),
    r"lpff_realign_c(\d+)_rejected_at_(\d+)": lambda _, case, side: rejected(case, side),
    "get5p_int": lambda _: alignment.five_points_integer(arrays()["c3_lm_ydown"]),
    r"e(\d+)_(trans_params|resize_wh|crop_box|lm5_1024_yup)": lambda _, case, part: eg3d_frame(case, part),
    r"e(\d+)_(out_.*)": lambda _, case, part: image_part(eg3d(case, "lm5").image, part, EG3D_START),
    r"e(\d+)_lpff68_(out_.*)": lambda _, case, part: image_part(eg3d(case, "lm68").image, part, EG3D_START),
    r"e(\d+)_lm68_224_yup": lambda _, case: small_landmarks(case, back=False),
    r"e(\d+)_lm68_back_yup": lambda _, case: small_landmarks(case, back=True),
}


@pytest.mark.parity
@pytest.mark.parametrize("name", array_names(FILE, RULES))
def test_matches_reference(name: str) -> None:
    yours, reference = np.asarray(compute(name, RULES, {})), arrays()[name]
    assert yours.shape == reference.shape
    tolerance = 2 if PIXELS.fullmatch(name) else NUMBERS
    np.testing.assert_allclose(yours.astype(np.float64), reference.astype(np.float64), atol=tolerance, rtol=0)
