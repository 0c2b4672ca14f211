"""Deep3DFaceRecon's preprocessing against reference numbers; an array that no rule names fails."""

import random
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from facegen.geometry import alignment
from tests.geometry.reference import array_names, compute, numeric, reference_file

FILE = "golden3d/03_preprocess.npz"
SIZE = 224
TOLERANCES = {  # the reference's README; pixels are bit-exact there and here, one level is allowed
    ".*_estimate_norm|norm_M": 1e-4,
    "recog_crop_out": 2e-3,
    "align.*_(out|mask_out)|aug._(img|mask)|skin_mask": 1,
    "align.*|aug.*|real.*|bbreg.*|pos_.*|lm5_3d|skin.*": 1e-3,
}


@cache
def arrays() -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in numeric(reference_file(FILE)).items()}


@cache
def aligned(case: str) -> alignment.SimilarityCrop:
    a = arrays()
    image, mask = a[f"align{case}_img"], a.get(f"align{case}_mask")
    return alignment.similarity_crop(image, y_down(a[f"align{case}_lm_yup"], len(image)), mask, a["lm5_3d"])


def y_down(points: np.ndarray, height: int = SIZE) -> np.ndarray:
    return alignment.flip_rows(points.astype(np.float64), height)


def aligned_part(case: str, part: str) -> np.ndarray:
    crop = aligned(case)
    parts = {"out": crop.image, "mask_out": crop.mask, "trans_params": crop.frame.trans_params}
    return alignment.flip_rows(crop.landmarks, SIZE) if part == "lm_out_yup" else parts[part]


def transforms(landmarks_yup: np.ndarray) -> Tensor:
    points = [y_down(landmarks) for landmarks in landmarks_yup.reshape(-1, 68, 2)]
    return alignment.identity_transforms(torch.from_numpy(np.stack(points)))


def draw(row: np.ndarray) -> alignment.CropAugmentation:
    return alignment.CropAugmentation(*row[:4].tolist(), flip=bool(row[4]))


def augmented(case: str, part: str) -> np.ndarray:
    a = arrays()
    crop = alignment.augment_crop(
        a["align0_out"],
        y_down(a["align0_lm_out_yup"]),
        draw(a["aug_draws"][a["aug_pick"][int(case)]]),
        a["align0_mask_out"],
    )
    image, landmarks, mask = crop
    return {"img": image, "lm_yup": alignment.flip_rows(landmarks, SIZE), "mask": mask}[part]


def affines() -> np.ndarray:
    return np.stack([alignment.augmentation_affine(draw(row), (SIZE, SIZE)) for row in arrays()["aug_draws"]])


def mixture(name: str) -> alignment.ColorMixture:
    return alignment.ColorMixture(*(arrays()[f"skin_gmm_{name}_{part}"] for part in ("w", "mu", "cov_inv", "cov_det")))


def rgb() -> np.ndarray:
    return arrays()["skin_bgr"][:, :, ::-1]


def ycbcr_matrix() -> np.ndarray:
    return (alignment.rgb_to_ycbcr(np.eye(3)[None]) - alignment.rgb_to_ycbcr(np.zeros((1, 1, 3))))[0].T


def boxes() -> np.ndarray:
    weights = alignment.BoxRegression(*(arrays()[f"bbreg_{name}"] for name in ("W1", "B1", "W2", "B2")))
    return np.stack([alignment.face_box(points, weights) for points in arrays()["bbreg_pts"]])


def pos(index: int) -> np.ndarray:
    a = arrays()
    return np.array([alignment.pos_scale_translation(points, a["lm5_3d"])[index] for points in a["pos_lm5"]])


def real(landmarks: bool) -> np.ndarray:
    """With our own default template, for these are detections that the published one was fitted to."""
    a, found = arrays(), []
    for points, size in zip(a["real_pts_image_ydown"], a["real_size_wh"].tolist(), strict=True):
        frame = alignment.similarity_frame(points, tuple(size))
        cropped = alignment.flip_rows(frame.to_crop(points.astype(np.float64)), SIZE)
        found.append(cropped if landmarks else frame.trans_params)
    return np.stack(found)


def recognition_crops() -> Tensor:
    images = torch.from_numpy(arrays()["recog_crop_in"])
    matrices = torch.from_numpy(arrays()["recog_crop_M"])
    return alignment.identity_crop(images.expand(len(matrices), *images.shape), matrices)


INPUTS = (
    r"lm68_3d|pos_lm5|align\d+_(img|lm_yup|mask)|norm_lm_yup|recog_crop_(in|M)|aug_draws|aug_pick|skin_bgr|skin_gmm_.*"
    r"|bbreg_(W1|B1|W2|B2|pts)|real_size_wh|real_pts_image_ydown"
)
RULES: dict[str, Callable[..., Any] | None] = {
    INPUTS: None,
    "lm5_3d": lambda _: alignment.five_points(arrays()["lm68_3d"]),
    "pos_s": lambda _: pos(0),
    "pos_t": lambda _: pos(1),
    r"align(\d+)_(out|mask_out|trans_params|lm_out_yup)": lambda _, case, part: aligned_part(case, part),
    r"align(\d+)_estimate_norm": lambda _, case: transforms(arrays()[f"align{case}_lm_out_yup"])[0],
    "norm_M": lambda _: transforms(arrays()["norm_lm_yup"]),
    "recog_crop_out": lambda _: recognition_crops(),
    "aug_affine": lambda _: affines(),
    "aug_affine_inv": lambda _: np.linalg.inv(affines()),
    "aug_flip": lambda _: np.array([draw(row).flip for row in arrays()["aug_draws"]]),
    r"aug(\d+)_(img|mask|lm_yup)": lambda _, case, part: augmented(case, part),
    "skin_ycbcr": lambda _: alignment.rgb_to_ycbcr(rgb()),
    "skin_ycbcr_matrix": lambda _: ycbcr_matrix(),
    "skin_mask": lambda _: alignment.skin_mask(rgb(), mixture("skin"), mixture("nonskin")),
    "bbreg_box": lambda _: boxes(),
    "real_trans_params": lambda _: real(landmarks=False),
    "real_lm5_out_yup": lambda _: real(landmarks=True),
}


@pytest.mark.parity
@pytest.mark.parametrize("name", array_names(FILE, RULES))
def test_matches_reference(name: str) -> None:
    yours, reference = np.asarray(compute(name, RULES, {})), arrays()[name]
    tolerance = next(limit for pattern, limit in TOLERANCES.items() if re.fullmatch(pattern, name))
    assert yours.shape == reference.shape
    np.testing.assert_allclose(yours.astype(np.float64), reference.astype(np.float64), atol=tolerance, rtol=0)


@pytest.mark.parity
@pytest.mark.skipif(not reference_file(FILE).exists(), reason=f"reference numbers not found: {reference_file(FILE)}")
def test_draws_come_in_the_published_order() -> None:
    """Each row was drawn with a seed of its own, one after the other; the first is looked for."""
    rows = arrays()["aug_draws"]
    seeds = (seed for seed in range(50_000) if random.Random(seed).randint(-10, 10) == rows[0, 0])
    first = next((seed for seed in seeds if np.allclose(drawn(seed), rows[0])), None)
    if first is None:
        pytest.skip("no seed below 50,000 gives the recorded draws")
    np.testing.assert_allclose([drawn(first + place) for place in range(len(rows))], rows, atol=1e-12)


def drawn(seed: int) -> list[float]:
    return [float(value) for value in alignment.random_augmentation(random.Random(seed))]
