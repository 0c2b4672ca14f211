"""Figures of textures: how evenly they are lit, and how alike their halves are."""

import cv2
import numpy as np
from jaxtyping import Float

from facegen.morphable.uv.colors import luminance
from facegen.morphable.uv.masks import FULL_SIZE, Mask

KERNEL = 55  # of textures of 1024 pixels


def brightness_symmetry_error(texture: Float[np.ndarray, "size size 3"], kernel: int | None = None) -> float:
    """FFHQ-UV's BS error: mean |B - mirrored B| of the blurred luminance B, colours 0 to 255; 0 is evenly lit.

    The Gaussian has `kernel` pixels (default: 55 of 1024, scaled) and OpenCV's deviation for that. Bai et al. 2023
    report 7.3 for FFHQ-UV; their code is not published, this is the paper's formula.
    """
    if kernel is None:
        kernel = 2 * max(round((KERNEL * len(texture) / FULL_SIZE - 1) / 2), 1) + 1
    blurred = cv2.GaussianBlur(luminance(texture.astype(np.float64)), (kernel, kernel), 0)
    return float(np.abs(blurred - blurred[:, ::-1]).mean())


def asymmetry(texture: Float[np.ndarray, "size size 3"], mask: Mask | None = None) -> float:
    """Mean absolute difference to the mirrored texture, colours 0 to 255, where mask and mirrored mask are 1.

    Unlike the BS error it sees colours and details. NaN where the masks have nothing in common.
    """
    both = np.ones(texture.shape[:2], bool) if mask is None else (mask > 0.5) & (mask[:, ::-1] > 0.5)
    if not both.any():
        return float("nan")
    wide = texture.astype(np.float64)
    return float(np.abs(wide - wide[:, ::-1])[both].mean())
