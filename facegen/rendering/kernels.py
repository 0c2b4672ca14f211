"""Compiled loops of the CPU rasteriser. Importing this module imports numba: do it inside the function that needs it.

The rasteriser works in homogeneous coordinates (Olano and Greer, Triangle Scan Conversion using 2D Homogeneous
Coordinates, 1997): no clipping, and perspective-correct barycentric coordinates fall out of the edge functions.
"""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np


def jit(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile without the interpreter lock; keep the machine code on disk where some folder is writable."""
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba found no folder it may write its cache to
        return numba.njit(nogil=True)(function)


@jit
def transform(points, matrix):
    """Homogeneous (V, 4) float32 images of (V, 3) points under a (4, 4) matrix: the same bits whatever the threads."""
    out = np.empty((points.shape[0], 4), np.float32)
    for i in range(points.shape[0]):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        for row in range(4):
            out[i, row] = matrix[row, 0] * x + matrix[row, 1] * y + matrix[row, 2] * z + matrix[row, 3]
    return out


@jit
def to_pixels(clip, height, width):  # (V, 4) => (V, 4): pixel x times w, pixel y times w, z, w; (V, 2): pixels
    out, pixels = np.empty((clip.shape[0], 4), np.float64), np.empty((clip.shape[0], 2), np.float64)
    for i in range(clip.shape[0]):
        w = clip[i, 3]
        out[i, 0] = (clip[i, 0] + w) * 0.5 * width
        out[i, 1] = (w - clip[i, 1]) * 0.5 * height
        out[i, 2] = clip[i, 2]
        out[i, 3] = w
        if w > 0:
            pixels[i, 0] = out[i, 0] / w
            pixels[i, 1] = out[i, 1] / w
    return out, pixels


@jit
def pixel_range(a, b, c, size):
    """First and last pixel whose centre can lie between the least and the greatest of three coordinates."""
    if np.isnan(a + b + c):
        return 1, 0
    low = max(np.ceil(min(a, b, c) - 0.5), 0.0)
    high = min(np.floor(max(a, b, c) - 0.5), size - 1.0)
    return (int(low), int(high)) if low <= high else (1, 0)


@jit
def bounds(homogeneous, pixels, i, j, k, height, width, cull):
    """Rows and columns a triangle can touch: none if it is culled, the whole image if it reaches behind the camera."""
    in_front = (homogeneous[i, 3] > 0) + (homogeneous[j, 3] > 0) + (homogeneous[k, 3] > 0)
    if in_front < 3:
        return 0, (height if in_front > 0 else 0) - 1, 0, width - 1
    ax, ay, bx, by, cx, cy = pixels[i, 0], pixels[i, 1], pixels[j, 0], pixels[j, 1], pixels[k, 0], pixels[k, 1]
    # rows count downwards, so a triangle that is counter-clockwise to the viewer has a negative area
    if cull and (bx - ax) * (cy - ay) - (by - ay) * (cx - ax) >= 0.0:
        return 0, -1, 0, -1
    left, right = pixel_range(ax, bx, cx, width)
    if left > right:
        return 0, -1, 0, -1
    top, bottom = pixel_range(ay, by, cy, height)
    return top, bottom, left, right


@jit
def edge(corners, i, j):  # homogeneous line through two vertices, as the coefficients of x, y and 1
    px, py, pw, qx, qy, qw = corners[i, 0], corners[i, 1], corners[i, 3], corners[j, 0], corners[j, 1], corners[j, 3]
    return py * qw - pw * qy, pw * qx - px * qw, px * qy - py * qx


@jit
def fill(face, corners, i, j, k, box, cull, triangle_id, barycentric, depth):
    """Depth-test one triangle at the centres of the pixels in `box`; ties go to the triangle drawn first."""
    ax, ay, ac = edge(corners, j, k)
    bx, by, bc = edge(corners, k, i)
    cx, cy, cc = edge(corners, i, j)
    determinant = corners[i, 0] * ax + corners[i, 1] * ay + corners[i, 3] * ac
    if determinant == 0.0 or (cull and determinant > 0.0):
        return
    sign = 1.0 if determinant > 0.0 else -1.0
    for row in range(box[0], box[1] + 1):
        y = row + 0.5
        for column in range(box[2], box[3] + 1):
            x = column + 0.5
            a, b, c = ax * x + ay * y + ac, bx * x + by * y + bc, cx * x + cy * y + cc
            if not (a * sign >= 0.0 and b * sign >= 0.0 and c * sign >= 0.0):  # outside, or not a number
                continue
            a, b, c = a / determinant, b / determinant, c / determinant
            z = a * corners[i, 2] + b * corners[j, 2] + c * corners[k, 2]
            if not (z >= -1.0 and z <= 1.0) or depth.dtype.type(z) >= depth[row, column]:
                continue
            total = a + b + c
            depth[row, column] = z
            triangle_id[row, column] = face
            barycentric[row, column, 0] = a / total
            barycentric[row, column, 1] = b / total
            barycentric[row, column, 2] = c / total


@jit
def rasterize(clip, triangles, cull, triangle_id, barycentric, depth):
    """Draw (F, 3) triangles of (V, 4) clip-space vertices into (H, W) buffers made by the caller."""
    height, width = triangle_id.shape
    corners, pixels = to_pixels(clip, height, width)
    for face in range(triangles.shape[0]):
        i, j, k = triangles[face, 0], triangles[face, 1], triangles[face, 2]
        box = bounds(corners, pixels, i, j, k, height, width, cull)
        if box[0] <= box[1] and box[2] <= box[3]:
            fill(face, corners, i, j, k, box, cull, triangle_id, barycentric, depth)


@jit
def vertex_normals(vertices, triangles):
    """Unit normals of (V, 3) vertices: area-weighted mean of the faces around; zero for a vertex without faces."""
    normals = np.zeros_like(vertices)
    for face in range(triangles.shape[0]):
        i, j, k = triangles[face, 0], triangles[face, 1], triangles[face, 2]
        ax, ay, az = vertices[j, 0] - vertices[i, 0], vertices[j, 1] - vertices[i, 1], vertices[j, 2] - vertices[i, 2]
        bx, by, bz = vertices[k, 0] - vertices[i, 0], vertices[k, 1] - vertices[i, 1], vertices[k, 2] - vertices[i, 2]
        x, y, z = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        for corner in (i, j, k):
            normals[corner, 0] += x
            normals[corner, 1] += y
            normals[corner, 2] += z
    for i in range(vertices.shape[0]):
        length = np.sqrt(normals[i, 0] ** 2 + normals[i, 1] ** 2 + normals[i, 2] ** 2)
        if length > 0:
            normals[i] /= length
    return normals
