"""Compiled loops that find silhouettes between pixels. Import inside the function that needs them.

Half-edges: number 3 f + k is the edge of triangle f opposite its corner k. A silhouette between a pixel and the one to
its right (pair 0) or below (pair 1) is written as 2 (3 f + k), plus 1 where the surface that ends there is the other
pixel's; -1 where there is none. Vertices are those of `kernels.to_pixels`: x and y in pixels times w, z, w.
"""

import numpy as np

from facegen.rendering.kernels import edge, jit

_NONE, _HIDDEN, _PERHAPS = -1, -2, -3
_NUDGE, _MARGIN = 1e-6, 1e-3  # pixels
_MOST_STEPS = 1000  # triangles crossed between two pixels


@jit
def neighbors(triangles, num_vertices):
    """Half-edge (F, 3) on the other side of each half-edge, -1 at a border and where more than two triangles meet."""
    count = triangles.shape[0]
    start = np.zeros(num_vertices + 1, np.int32)
    for face in range(count):
        for k in range(3):
            start[min(triangles[face, (k + 1) % 3], triangles[face, (k + 2) % 3]) + 1] += 1
    for vertex in range(num_vertices):
        start[vertex + 1] += start[vertex]
    filled = start[:-1].copy()
    others, edges = np.empty(3 * count, np.int32), np.empty(3 * count, np.int32)  # sorted by the smaller vertex
    for face in range(count):
        for k in range(3):
            i, j = triangles[face, (k + 1) % 3], triangles[face, (k + 2) % 3]
            place = filled[min(i, j)]
            filled[min(i, j)] = place + 1
            others[place], edges[place] = max(i, j), 3 * face + k
    result = np.full((count, 3), -1, np.int32)
    for vertex in range(num_vertices):
        for first in range(start[vertex], start[vertex + 1]):
            found, times = -1, 0
            for second in range(start[vertex], start[vertex + 1]):
                if second != first and others[second] == others[first]:
                    found, times = edges[second], times + 1
            if times == 1:
                result[edges[first] // 3, edges[first] % 3] = found
    return result


@jit
def place_on(corners, i, j, level_i, level_j, axis, origin, direction):
    """How far along a row or column from `origin` it crosses the edge between two vertices, infinite behind the camera.

    `level_i` and `level_j` are the vertices' distances from it times w, of different sign.
    """
    share_i, share_j = abs(level_j), abs(level_i)
    w = corners[i, 3] * share_i + corners[j, 3] * share_j
    if w <= 0:
        return np.inf
    return ((corners[i, axis] * share_i + corners[j, axis] * share_j) / w - origin) * direction


@jit
def orientation(corners, i, j, k):
    """Determinant of three vertices' x, y and w: its sign says on which side of the edge i j vertex k is seen."""
    a, b, c = edge(corners, i, j)
    return a * corners[k, 0] + b * corners[k, 1] + c * corners[k, 3]


@jit
def first_exit(corners, triangles, face, axis, origin, level, direction):
    """Corner opposite the edge by which a row or column leaves the triangle it starts in, and where it crosses."""
    leave, corner, behind = -np.inf, -1, False
    for k in range(3):
        i, j = triangles[face, (k + 1) % 3], triangles[face, (k + 2) % 3]
        level_i = corners[i, 1 - axis] - level * corners[i, 3]
        level_j = corners[j, 1 - axis] - level * corners[j, 3]
        if (level_i >= 0) != (level_j >= 0):
            place = place_on(corners, i, j, level_i, level_j, axis, origin, direction)
            if place == np.inf:
                behind = True
            elif place > leave:
                leave, corner = place, k
    return (np.inf if behind and leave <= 0 else leave), corner


@jit
def walk(corners, triangles, neighbors, face, goal, axis, origin, level, direction):
    """Half-edge where the surface seen at `origin` of a row (axis 0) or column (axis 1) ends before the next pixel.

    `level` is the row's y or the column's x. _NONE if the surface goes on to the triangle `goal`, _HIDDEN if it goes
    on but another one is seen there. An edge is left between its ends on the side of larger and of smaller y (or x):
    from triangle to triangle one of them is replaced.
    """
    leave, corner = first_exit(corners, triangles, face, axis, origin, level, direction)
    if corner < 0:  # the triangle touches the row or column from its positive side
        level += _NUDGE
        leave, corner = first_exit(corners, triangles, face, axis, origin, level, direction)
    if corner < 0 or leave > 1:
        return _HIDDEN
    high, low = triangles[face, (corner + 1) % 3], triangles[face, (corner + 2) % 3]
    if corners[high, 1 - axis] - level * corners[high, 3] < 0:
        high, low = low, high
    ahead = direction if axis == 0 else -direction  # sign of the determinant of a triangle that goes on
    for _ in range(_MOST_STEPS):
        other = neighbors[face, corner]
        if other < 0:
            return 3 * face + corner
        beyond, k = other // 3, other % 3
        vertex = triangles[beyond, k]
        if orientation(corners, high, low, vertex) * ahead < 0:  # the neighbour folds back
            return 3 * face + corner
        if beyond == goal:
            return _NONE
        kept, replaced = low, high
        if corners[vertex, 1 - axis] - level * corners[vertex, 3] < 0:
            kept, replaced = high, low
        level_kept = corners[kept, 1 - axis] - level * corners[kept, 3]
        level_new = corners[vertex, 1 - axis] - level * corners[vertex, 3]
        if place_on(corners, kept, vertex, level_kept, level_new, axis, origin, direction) > 1:
            return _HIDDEN
        high, low = (vertex, low) if replaced == high else (high, vertex)
        face = beyond
        corner = (k + 1) % 3 if triangles[beyond, (k + 1) % 3] == replaced else (k + 2) % 3
    return _NONE


@jit
def between(corners, triangles, neighbors, here, there, depth_here, depth_there, axis, origin, level):
    """Silhouette between the pixel at `origin`, which sees the triangle `here`, and the next of its row or column."""
    from_there = here < 0 or (there >= 0 and depth_there < depth_here)
    for _ in range(2):
        if from_there:
            edge = walk(corners, triangles, neighbors, there, here, axis, origin + 1.0, level, -1.0)
        else:
            edge = walk(corners, triangles, neighbors, here, there, axis, origin, level, 1.0)
        if edge >= 0:
            return 2 * edge + from_there
        if edge == _NONE or here < 0 or there < 0:
            return _NONE
        from_there = not from_there  # the nearer surface goes on behind the other one, which must end then
    return _NONE


@jit
def mark(corners, pixels, triangles, neighbors, out):
    """Set `out` (2, H, W) to _PERHAPS for pairs of pixels near edges where surfaces end, to _NONE for all others."""
    out[:] = _NONE
    sides = np.empty(triangles.shape[0], np.int8)
    for face in range(triangles.shape[0]):
        determinant = orientation(corners, triangles[face, 0], triangles[face, 1], triangles[face, 2])
        sides[face] = 1 if determinant > 0 else (-1 if determinant < 0 else 0)
    for face in range(triangles.shape[0]):
        for k in range(3):
            other = neighbors[face, k]
            if other > 3 * face + k:
                continue  # its other half is looked at later
            i, j = triangles[face, (k + 1) % 3], triangles[face, (k + 2) % 3]
            if other >= 0:
                alike = sides[face] * sides[other // 3]
                alike = -alike if triangles[other // 3, (other % 3 + 1) % 3] == i else alike  # wound against each other
                if alike > 0:
                    continue
            mark_box(corners, pixels, i, j, out)


@jit
def mark_box(corners, pixels, i, j, out):
    """Mark the pairs that the edge between two vertices may cross: all, if it reaches behind the camera."""
    _, height, width = out.shape
    if corners[i, 3] <= 0 or corners[j, 3] <= 0:
        out[:] = _PERHAPS
        return
    left, right = min(pixels[i, 0], pixels[j, 0]) - 0.5 - _MARGIN, max(pixels[i, 0], pixels[j, 0]) - 0.5 + _MARGIN
    top, bottom = min(pixels[i, 1], pixels[j, 1]) - 0.5 - _MARGIN, max(pixels[i, 1], pixels[j, 1]) - 0.5 + _MARGIN
    if not (left < width and right > -1 and top < height and bottom > -1):
        return
    left, right, top, bottom = max(left, 0.0), min(right, width - 1.0), max(top, 0.0), min(bottom, height - 1.0)
    for row in range(int(np.ceil(top)), int(bottom) + 1):
        out[0, row, int(left) : int(right) + 1] = _PERHAPS
    for row in range(int(top), int(bottom) + 1):
        out[1, row, int(np.ceil(left)) : int(right) + 1] = _PERHAPS


@jit
def find(corners, pixels, triangles, neighbors, triangle_id, depth, out):
    """Write the silhouettes (2, H, W) of one image."""
    height, width = triangle_id.shape
    mark(corners, pixels, triangles, neighbors, out)
    for row in range(height):
        for column in range(width):
            for pair in range(2):
                if out[pair, row, column] == _NONE:
                    continue
                out[pair, row, column] = _NONE
                below, beside = row + pair, column + 1 - pair
                if below >= height or beside >= width or triangle_id[below, beside] == triangle_id[row, column]:
                    continue
                x, y = column + 0.5, row + 0.5
                out[pair, row, column] = between(
                    corners, triangles, neighbors, triangle_id[row, column], triangle_id[below, beside],
                    depth[row, column], depth[below, beside], pair, y if pair else x, x if pair else y,
                )  # fmt: skip
