"""Compiled loops over the points of a tri-plane, for CPUs. Import inside the function that needs it: numba is slow to.

Planes are (N, H, W, 3 C): the channels of the three planes lie side by side, so that a pixel's features are one run of
memory. PyTorch's own sampler takes 2.3 times as long (benchmarks/results/eg3d.md).

The four neighbours of a point are visited in two places: a function for that makes both loops a fifth slower.
"""

import numpy as np

from facegen.rendering.kernels import jit


@jit
def corner(point, matrix, scale, width, height):
    """Pixel to the upper left of a point on one plane, and the shares of its right and lower neighbours."""
    u = (point[0] * matrix[0, 0] + point[1] * matrix[1, 0] + point[2] * matrix[2, 0]) * scale
    v = (point[0] * matrix[0, 1] + point[1] * matrix[1, 1] + point[2] * matrix[2, 1]) * scale
    x = ((u + np.float32(1)) * np.float32(width) - np.float32(1)) * np.float32(0.5)
    y = ((v + np.float32(1)) * np.float32(height) - np.float32(1)) * np.float32(0.5)
    left, top = np.floor(x), np.floor(y)
    inside = left >= -1 and left < width and top >= -1 and top < height
    if not inside:  # also where a coordinate is not a number
        return 0, 0, np.float32(0), np.float32(0), False
    return int(left), int(top), x - left, y - top, True


@jit
def sample(planes, points, matrices, scale, start, stop, out):
    """Write the mean features of points[n, start:stop] to `out` (N, M, C)."""
    batch, height, width, _ = planes.shape
    channels = out.shape[2]
    third = np.float32(1.0 / 3.0)
    for n in range(batch):
        for m in range(start, stop):
            target = out[n, m]
            target[:] = 0
            for plane in range(3):
                left, top, right, low, inside = corner(points[n, m], matrices[plane], scale, width, height)
                if not inside:
                    continue
                for i in range(4):
                    x, y = left + (i & 1), top + (i >> 1)
                    if x < 0 or y < 0 or x >= width or y >= height:
                        continue
                    share = (right if i & 1 else 1 - right) * (low if i >> 1 else 1 - low) * third
                    source = planes[n, y, x, plane * channels : (plane + 1) * channels]
                    for channel in range(channels):
                        target[channel] += np.float32(share) * source[channel]


@jit
def scatter(gradients, points, matrices, scale, n, plane, planes):
    """Add the gradients (N, M, C) of sample n's mean features to one of its planes: the transpose of `sample`."""
    _, height, width, _ = planes.shape
    channels = gradients.shape[2]
    third = np.float32(1.0 / 3.0)
    for m in range(points.shape[1]):
        left, top, right, low, inside = corner(points[n, m], matrices[plane], scale, width, height)
        if not inside:
            continue
        source = gradients[n, m]
        for i in range(4):
            x, y = left + (i & 1), top + (i >> 1)
            if x < 0 or y < 0 or x >= width or y >= height:
                continue
            share = (right if i & 1 else 1 - right) * (low if i >> 1 else 1 - low) * third
            target = planes[n, y, x, plane * channels : (plane + 1) * channels]
            for channel in range(channels):
                target[channel] += np.float32(share) * source[channel]
