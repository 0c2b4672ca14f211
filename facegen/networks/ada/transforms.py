"""Homogeneous matrices of the transformations, one per sample, and the wavelet filters (Karras et al. 2020, app. B)."""

import math

import numpy as np
import torch
from torch import Tensor

# Orthogonal wavelets, decomposition low-pass (Daubechies 1992): symlets with 2 and 6 vanishing moments.
SYM2 = (-0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025)
SYM6 = (
    0.015404109327027373,
    0.0034907120842174702,
    -0.11799011114819057,
    -0.048311742585633,
    0.4910559419267466,
    0.787641141030194,
    0.3379294217276218,
    -0.07263752278646252,
    -0.021060292512300564,
    0.04472490177066578,
    0.0017677118642428036,
    -0.007800708325034148,
)


def filter_bank(num_bands: int = 4) -> Tensor:
    """Octave band-pass filters (bands, taps) that sum to the identity, from chains of the sym2 wavelet."""
    low = np.array(SYM2)
    high = low * (-1.0) ** np.arange(low.size)
    low2, high2 = np.convolve(low, low[::-1]) / 2, np.convolve(high, high[::-1]) / 2
    bank = np.eye(num_bands, 1)
    for band in range(1, num_bands):
        dilated = np.zeros([num_bands, 2 * bank.shape[1] - 1])
        dilated[:, ::2] = bank
        bank = np.stack([np.convolve(row, low2) for row in dilated])
        start = (bank.shape[1] - high2.size) // 2
        bank[band, start : start + high2.size] += high2
    return torch.from_numpy(bank.astype(np.float32))


def _matrix(rows: list[list[Tensor | float]], like: Tensor) -> Tensor:
    """(N, rows, columns) from entries that are numbers or (N,) tensors."""
    entries = [x if isinstance(x, Tensor) else torch.full_like(like, x) for row in rows for x in row]
    return torch.stack(entries, dim=-1).reshape(-1, len(rows), len(rows[0]))


def translate2d(tx: Tensor, ty: Tensor) -> Tensor:
    return _matrix([[1.0, 0.0, tx], [0.0, 1.0, ty], [0.0, 0.0, 1.0]], like=tx)


def scale2d(sx: Tensor, sy: Tensor) -> Tensor:
    return _matrix([[sx, 0.0, 0.0], [0.0, sy, 0.0], [0.0, 0.0, 1.0]], like=sx)


def rotate2d(theta: Tensor) -> Tensor:
    cos, sin = theta.cos(), theta.sin()
    return _matrix([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]], like=theta)


def translate_colors(offset: Tensor) -> Tensor:
    """Add `offset` to every channel: (N,) to (N, 4, 4)."""
    rows: list[list[Tensor | float]] = [[float(i == j) for j in range(3)] + [offset] for i in range(3)]
    return _matrix([*rows, [0.0, 0.0, 0.0, 1.0]], like=offset)


def scale_colors(factor: Tensor) -> Tensor:
    """Multiply every channel by `factor`: (N,) to (N, 4, 4)."""
    rows: list[list[Tensor | float]] = [[factor if i == j else 0.0 for j in range(4)] for i in range(3)]
    return _matrix([*rows, [0.0, 0.0, 0.0, 1.0]], like=factor)


def rotate_hue(theta: Tensor) -> Tensor:
    """Rotate colours about the grey axis (1, 1, 1)/sqrt(3) by `theta` radians (Rodrigues): (N,) to (N, 4, 4)."""
    sin, cos = theta.sin() / math.sqrt(3), theta.cos()
    same, mean = cos + (1 - cos) / 3, (1 - cos) / 3
    return _matrix(
        [
            [same, mean - sin, mean + sin, 0.0],
            [mean + sin, same, mean - sin, 0.0],
            [mean - sin, mean + sin, same, 0.0],
            [0.0, 0.0, 0.0, 1.0],
        ],
        like=theta,
    )


def luma_projection(device: torch.device) -> Tensor:
    """(4, 4) projection of homogeneous colours onto the grey axis."""
    projection = torch.zeros([4, 4], device=device)
    projection[:3, :3] = 1 / 3
    return projection
