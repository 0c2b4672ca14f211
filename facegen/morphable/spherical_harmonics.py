"""Diffuse light in nine numbers per channel (Ramamoorthi and Hanrahan, 2001), with Deep3DFaceRecon's constants."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

_BAND = (
    math.pi / math.sqrt(4 * math.pi),
    2 * math.pi / math.sqrt(3) * math.sqrt(3) / math.sqrt(4 * math.pi),
    2 * math.pi / math.sqrt(8) * 3 * math.sqrt(5) / math.sqrt(12 * math.pi),
)
# factors of 1, y, z, x, xy, yz, 3z^2 - 1, xz, x^2 - y^2
FACTORS = (
    _BAND[0], -_BAND[1], _BAND[1], -_BAND[1],
    _BAND[2], -_BAND[2], _BAND[2] / (2 * math.sqrt(3)), -_BAND[2], _BAND[2] / 2,
)  # fmt: skip
# what these constants add to orthonormal harmonics, in the second band
_SECOND = _BAND[2] / (0.5 * math.sqrt(15 / math.pi))


def polynomials(normals: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 9"]:
    """The nine polynomials of unit normals that FACTORS belong to."""
    x, y, z = normals.unbind(-1)
    return torch.stack([torch.ones_like(x), y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y], dim=-1)


def basis(normals: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 9"]:
    """Harmonics of unit normals, times the cosine lobe's factors: shading is `basis(normals) @ light`."""
    return polynomials(normals) * torch.tensor(FACTORS, dtype=normals.dtype, device=normals.device)


def shade(
    normals: Float[Tensor, "batch point 3"], light: Float[Tensor, "batch 9 channel"]
) -> Float[Tensor, "batch point channel"]:
    """Light that points with unit `normals` reflect, where white is 1; colours are its product with the albedo."""
    return basis(normals) @ light


def ambient(color: Float[Tensor, "*batch channel"]) -> Float[Tensor, "*batch 9 channel"]:
    """Coefficients of light that is the same from everywhere: shading equals `color`."""
    light = torch.zeros(*color.shape[:-1], 9, color.shape[-1], dtype=color.dtype, device=color.device)
    light[..., 0, :] = color / FACTORS[0]
    return light


def directional(
    direction: Float[Tensor, "*batch 3"], color: Float[Tensor, "*batch channel"]
) -> Float[Tensor, "*batch 9 channel"]:
    """Coefficients of a distant lamp in the unit `direction`, seen from the head: shading is about max(0, n.l) color.

    max(0, c) = 1/4 + c/2 + 5/16 (3 c^2 - 1)/2 to second order, and Legendre's polynomial is a sum over the band.
    """
    at_light = basis(direction)
    weights = [1 / (4 * FACTORS[0] ** 2), *[1 / (2 * _BAND[1] ** 2)] * 3, *[math.pi / (4 * _SECOND**2)] * 5]
    return (at_light * at_light.new_tensor(weights))[..., None] * color[..., None, :]


def mirror(light: Float[Tensor, "*batch 9 channel"]) -> Float[Tensor, "*batch 9 channel"]:
    """Light of the scene mirrored in x: the odd harmonics x, xy and xz change sign."""
    return light * light.new_tensor([1, 1, 1, -1, -1, 1, 1, -1, 1])[:, None]


def turned(
    light: Float[Tensor, "batch 9 channel"], rotation: Float[Tensor, "batch 3 3"]
) -> Float[Tensor, "batch 9 channel"]:
    """Light seen from another frame: normals n @ rotation (as rows) reflect what normals n reflected before.

    A turn maps the harmonics of each degree onto themselves, so nine equations in general directions give it exactly.
    """
    directions = torch.nn.functional.normalize(light.new_tensor(_DIRECTIONS), dim=-1)
    return torch.linalg.solve(basis(directions @ rotation), basis(directions) @ light)


# nine directions whose harmonics are independent
_DIRECTIONS = (
    (1, 0, 0), (0, 1, 0), (0, 0, 1), (-1, 0, 0), (0, -1, 0),
    (1, 1, 0), (0, 1, 1), (1, 0, 1), (-1, 2, -2),
)  # fmt: skip


def slopes(
    normals: Float[Tensor, "batch point 3"], light: Float[Tensor, "batch 9 channel"]
) -> Float[Tensor, "batch point channel 3"]:
    """Derivatives of `shade` with respect to the normals."""
    scaled = light * light.new_tensor(FACTORS)[:, None]
    x, y, z = normals.unbind(-1)
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    by_x = torch.stack([zero, zero, zero, one, y, zero, zero, z, 2 * x], dim=-1)
    by_y = torch.stack([zero, one, zero, zero, x, z, zero, zero, -2 * y], dim=-1)
    by_z = torch.stack([zero, zero, one, zero, zero, y, 6 * z, x, zero], dim=-1)
    return torch.stack([derivative @ scaled for derivative in (by_x, by_y, by_z)], dim=-1)
