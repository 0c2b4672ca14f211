"""How likely each pixel shows skin: two Gaussian mixtures over YCbCr, as Deep3DFaceRecon masks its photometric loss."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

# ITU-R BT.601: RGB of 0..255 to Y of 16..235 and Cb, Cr of 16..240
_YCBCR = np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]]) / 255
_YCBCR_OFFSET = (16.0, 128.0, 128.0)
_SKIN_SHARE = 0.8  # of a face's crop: the prior

Colors = Float[np.ndarray, "height width 3"]


class ColorMixture(NamedTuple):
    """Gaussian mixture over YCbCr; its numbers come with Deep3DFaceRecon and are not part of facegen."""

    weights: Float[np.ndarray, "component"]
    means: Float[np.ndarray, "component 3"]
    inverse_covariances: Float[np.ndarray, "component 3 3"]
    determinants: Float[np.ndarray, "component"]

    def density(self, colors: Colors) -> Float[np.ndarray, "height width"]:
        """Sum over components of w exp(-d^T C^-1 d / 2) / ((2 pi)^1.5 sqrt(det C)), d = colors - mean."""
        distance = colors[..., None, :] - self.means
        exponent = np.einsum("...ci,cij,...cj->...c", distance, self.inverse_covariances, distance)
        return np.exp(-exponent / 2) @ (self.weights / ((2 * np.pi) ** 1.5 * np.sqrt(self.determinants)))


def rgb_to_ycbcr(image: Colors | UInt8[np.ndarray, "height width 3"]) -> Colors:
    """RGB of 0..255 to YCbCr in float64."""
    return np.asarray(image, np.float64) @ _YCBCR.T + _YCBCR_OFFSET


def skin_mask(
    image: Colors | UInt8[np.ndarray, "height width 3"],
    skin: ColorMixture,
    other: ColorMixture,
    prior: float = _SKIN_SHARE,
) -> UInt8[np.ndarray, "height width"]:
    """255 times the probability of skin by Bayes' rule, rounded; `image` is RGB of 0..255.

    0 where both densities vanish. Raises ValueError for other shapes.
    """
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"image: got shape {image.shape}, expected RGB (height, width, 3)")
    colors = rgb_to_ycbcr(image)
    is_skin, is_other = prior * skin.density(colors), (1 - prior) * other.density(colors)
    total = is_skin + is_other
    posterior = np.divide(is_skin, total, out=np.zeros_like(total), where=total > 0)
    return np.rint(posterior * 255).astype(np.uint8)
