"""The light that DPR (Zhou et al. 2019) estimates from a portrait: nine orthonormal spherical harmonics.

FFHQ-UV stores it per image and edits it to even light. The order of the harmonics is that of
`spherical_harmonics.polynomials`, their signs are all positive.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from facegen.morphable.spherical_harmonics import polynomials

_FIRST, _SECOND = math.sqrt(3) / 2, math.sqrt(15) / 2
_NORMS = (0.5, _FIRST, _FIRST, _FIRST, _SECOND, _SECOND, math.sqrt(5) / 4, _SECOND, _SECOND / 2)
_LOBE = (1.0, *[2 / 3] * 3, *[1 / 4] * 5)  # bands of a clamped cosine, divided by pi


def dpr_basis(normals: Float[Tensor, "*batch 3"], attenuated: bool = True) -> Float[Tensor, "*batch 9"]:
    """Harmonics at unit normals: 1, y, z, x, xy, yz, 3z^2 - 1, xz, x^2 - y^2.

    attenuated: times the bands of the cosine lobe, pi (1, 2/3, 1/4), so that a product with light is irradiance.
    """
    lobe = [math.pi * band for band in _LOBE] if attenuated else [1.0] * 9
    factors = [norm / math.sqrt(math.pi) * band for norm, band in zip(_NORMS, lobe, strict=True)]
    return polynomials(normals) * torch.tensor(factors, dtype=normals.dtype, device=normals.device)


def dpr_shading(normals: Float[Tensor, "point 3"], light: Float[Tensor, "9 picture"]) -> Float[Tensor, "point picture"]:
    """Brightness of points with unit normals under the lights of some pictures."""
    return dpr_basis(normals) @ light
