"""Compiled loops of the procedural head. This imports numba: do it inside the function that needs it."""

import numpy as np

from facegen.rendering.kernels import jit


@jit
def add_modes(mean, start, index, delta, coefficients):
    """mean + sum_k coefficients[k] * mode k, for sparse modes over (V, 3) vertices."""
    out = mean.copy()
    for k in range(len(coefficients)):
        c = coefficients[k]
        if c == 0:
            continue
        for j in range(start[k], start[k + 1]):
            i = index[j]
            out[i, 0] += c * delta[j, 0]
            out[i, 1] += c * delta[j, 1]
            out[i, 2] += c * delta[j, 2]
    return out


@jit
def shading(x, y, z, light, channel):
    """Diffuse light on a unit normal; `light` (9, 3) already holds the factors of the harmonics."""
    value = light[0, channel] + light[1, channel] * y + light[2, channel] * z + light[3, channel] * x
    value += light[4, channel] * x * y + light[5, channel] * y * z + light[6, channel] * (3 * z * z - 1)
    value += light[7, channel] * x * z + light[8, channel] * (x * x - y * y)
    return max(value, 0.0)


@jit
def shade_pixels(triangle_id, barycentric, triangles, normals, albedo, gloss, light, half, lamp, background):
    """Colour every sample in display RGB: albedo times diffuse light, plus highlights of the lamp (3,) at `half`."""
    height, width = triangle_id.shape
    image = background.copy()
    for row in range(height):
        for column in range(width):
            face = triangle_id[row, column]
            if face < 0:
                continue
            i, j, k = triangles[face, 0], triangles[face, 1], triangles[face, 2]
            a, b, c = barycentric[row, column, 0], barycentric[row, column, 1], barycentric[row, column, 2]
            x = a * normals[i, 0] + b * normals[j, 0] + c * normals[k, 0]
            y = a * normals[i, 1] + b * normals[j, 1] + c * normals[k, 1]
            z = a * normals[i, 2] + b * normals[j, 2] + c * normals[k, 2]
            length = np.sqrt(x * x + y * y + z * z) + 1e-12
            x, y, z = x / length, y / length, z / length
            strength = a * gloss[i, 0] + b * gloss[j, 0] + c * gloss[k, 0]
            exponent = a * gloss[i, 1] + b * gloss[j, 1] + c * gloss[k, 1]
            highlight = strength * max(x * half[0] + y * half[1] + z * half[2], 0.0) ** exponent
            for channel in range(3):
                tint = a * albedo[i, channel] + b * albedo[j, channel] + c * albedo[k, channel]
                tint = min(max(tint, 0.0), 1.0)
                image[row, column, channel] = tint * shading(x, y, z, light, channel) + highlight * lamp[channel]
    return image


@jit
def resolve(image, factor):
    """Average blocks of factor x factor samples and round to (H, W, 3) uint8."""
    height, width = image.shape[0] // factor, image.shape[1] // factor
    out = np.empty((height, width, 3), np.uint8)
    for row in range(height):
        for column in range(width):
            for channel in range(3):
                total = 0.0
                for y in range(factor):
                    for x in range(factor):
                        value = image[row * factor + y, column * factor + x, channel]
                        total += min(max(value, 0.0), 1.0)
                out[row, column, channel] = np.uint8(total / (factor * factor) * 255 + 0.5)
    return out


@jit
def resolve_parts(triangle_id, triangles, part, factor, num_parts):
    """The part that most samples of each pixel see (H, W) uint8; on a tie the one with the larger number."""
    height, width = triangle_id.shape[0] // factor, triangle_id.shape[1] // factor
    out = np.empty((height, width), np.uint8)
    votes = np.zeros(num_parts, np.int64)
    for row in range(height):
        for column in range(width):
            votes[:] = 0
            for y in range(factor):
                for x in range(factor):
                    face = triangle_id[row * factor + y, column * factor + x]
                    votes[0 if face < 0 else part[triangles[face, 0]]] += 1
            best = 0
            for candidate in range(num_parts):
                if votes[candidate] >= votes[best]:
                    best = candidate
            out[row, column] = best
    return out
