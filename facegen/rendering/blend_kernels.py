"""Compiled loops that blend pixels across silhouettes. Import inside the function that needs them.

Silhouettes are written as in `silhouette_kernels`, vertices are those of `kernels.to_pixels`.
"""

from facegen.rendering.kernels import edge, jit


@jit
def pixels(code, row, column, pair):
    """Row and column of the pixel that sees the surface that ends, and of the other one."""
    if code % 2 == 0:
        return row, column, row + pair, column + 1 - pair
    return row + pair, column + 1 - pair, row, column


@jit
def ends(triangles, code):
    """The two vertices of a silhouette's edge."""
    face, k = code // 6, code // 2 % 3
    return triangles[face, (k + 1) % 3], triangles[face, (k + 2) % 3]


@jit
def crossing(corners, i, j, row, column, down, right):
    """Where between the centres of a pixel and its neighbour an edge crosses, in [0, 1]; its weight for pairs of this
    direction, the squared component of its normal along it; and that component."""
    a, b, c = edge(corners, i, j)
    along = a * right + b * down
    place = -(a * (column + 0.5) + b * (row + 0.5) + c) / along
    return min(max(place, 0.0), 1.0), along * along / (a * a + b * b), along


@jit
def blend(corners, triangles, silhouettes, image, out):
    """Add to `out`, a copy of one image (H, W, C), what silhouettes move of one pixel's colour to its neighbour."""
    _, height, width = silhouettes.shape
    for row in range(height):
        for column in range(width):
            for pair in range(2):
                code = silhouettes[pair, row, column]
                if code < 0:
                    continue
                y, x, v, u = pixels(code, row, column, pair)
                i, j = ends(triangles, code)
                place, weight, _ = crossing(corners, i, j, y, x, v - y, u - x)
                excess = place - 0.5  # of the near surface beyond the border of the pixels
                target = out[v, u] if excess > 0 else out[y, x]
                for channel in range(image.shape[2]):
                    target[channel] += weight * excess * (image[y, x, channel] - image[v, u, channel])


@jit
def blend_gradient(corners, triangles, silhouettes, image, gradient, to_image, to_vertices):
    """Add one image's gradient (H, W, C) to that of the image and to that of the vertices (V, 4) in clip space.

    The edge l = p x q crosses at s(t) = s0 + t d with l . s(t) = 0, so dt = -(dl . s) / (l . d). Its weight is a
    constant: only the place moves.
    """
    _, height, width = silhouettes.shape
    for row in range(height):
        for column in range(width):
            for pair in range(2):
                code = silhouettes[pair, row, column]
                if code < 0:
                    continue
                y, x, v, u = pixels(code, row, column, pair)
                i, j = ends(triangles, code)
                place, weight, along = crossing(corners, i, j, y, x, v - y, u - x)
                excess, total = place - 0.5, 0.0
                g = gradient[v, u] if excess > 0 else gradient[y, x]
                for channel in range(image.shape[2]):
                    total += g[channel] * (image[y, x, channel] - image[v, u, channel])
                    to_image[y, x, channel] += weight * excess * g[channel]
                    to_image[v, u, channel] -= weight * excess * g[channel]
                scale = -total * weight / along
                sx, sy = x + 0.5 + place * (u - x), y + 0.5 + place * (v - y)
                add_turned(to_vertices, i, corners, j, sx, sy, scale, height, width)
                add_turned(to_vertices, j, corners, i, sx, sy, -scale, height, width)


@jit
def add_turned(out, i, corners, j, sx, sy, scale, height, width):
    """Add `scale` times corner j x (sx, sy, 1) to the gradient of vertex i, which is in clip space."""
    x = scale * (corners[j, 1] - corners[j, 3] * sy) * 0.5 * width
    y = scale * (corners[j, 3] * sx - corners[j, 0]) * 0.5 * height
    out[i, 0] += x
    out[i, 1] -= y
    out[i, 3] += scale * (corners[j, 0] * sy - corners[j, 1] * sx) + x + y
