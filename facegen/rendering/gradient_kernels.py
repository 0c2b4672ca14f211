"""Compiled loops behind the gradients of rasterisation and interpolation. Import inside the function that needs them.

Each is tested against its definition in PyTorch (facegen.rendering.definitions).
"""

from facegen.rendering.kernels import edge, jit


@jit
def barycentric_gradient(corners, triangles, triangle_id, grad_barycentric, grad_depth, out):
    """Add to `out` (V, 4) what the gradients of one image's barycentric coordinates and depth give the vertices.

    `corners` are those of `kernels.to_pixels`, in double precision: triangles may be far smaller than a pixel. With
    x, y and w of the three as columns of M and s = (x, y, 1) the pixel: M a = s, coordinates a / sum(a), depth
    sum(a z). From dM a + M da = 0 the gradient of M is -h a^T, where M^T h is the gradient of a.
    """
    height, width = triangle_id.shape
    for row in range(height):
        for column in range(width):
            face = triangle_id[row, column]
            if face < 0:
                continue
            gi, gj = grad_barycentric[row, column, 0], grad_barycentric[row, column, 1]
            gk, gz = grad_barycentric[row, column, 2], grad_depth[row, column]
            if gi == 0.0 and gj == 0.0 and gk == 0.0 and gz == 0.0:
                continue
            i, j, k = triangles[face, 0], triangles[face, 1], triangles[face, 2]
            ix, iy, iw = edge(corners, j, k)
            jx, jy, jw = edge(corners, k, i)
            kx, ky, kw = edge(corners, i, j)
            scale = 1.0 / (corners[i, 0] * ix + corners[i, 1] * iy + corners[i, 3] * iw)
            x, y = column + 0.5, row + 0.5
            a = (ix * x + iy * y + iw) * scale
            b = (jx * x + jy * y + jw) * scale
            c = (kx * x + ky * y + kw) * scale
            total = a + b + c
            mean = (gi * a + gj * b + gk * c) / total
            ga = ((gi - mean) / total + gz * corners[i, 2]) * scale
            gb = ((gj - mean) / total + gz * corners[j, 2]) * scale
            gc = ((gk - mean) / total + gz * corners[k, 2]) * scale
            hx = (ga * ix + gb * jx + gc * kx) * 0.5 * width
            hy = (ga * iy + gb * jy + gc * ky) * 0.5 * height
            hw = ga * iw + gb * jw + gc * kw + hx + hy  # pixel x times w is (x + w) width / 2, y likewise from above
            for vertex, share in ((i, a), (j, b), (k, c)):
                out[vertex, 0] -= share * hx
                out[vertex, 1] += share * hy
                out[vertex, 2] += share * gz
                out[vertex, 3] -= share * hw


@jit
def interpolate(attributes, triangles, triangle_id, barycentric, out):
    """Write the attributes (V, C) of one image to `out` (H, W, C), zero where nothing is seen."""
    channels = attributes.shape[1]
    for row in range(out.shape[0]):
        for column in range(triangle_id.shape[1]):
            target = out[row, column]
            face = triangle_id[row, column]
            if face < 0:
                target[:] = 0
                continue
            first, second, third = triangles[face, 0], triangles[face, 1], triangles[face, 2]
            a, b, c = barycentric[row, column, 0], barycentric[row, column, 1], barycentric[row, column, 2]
            for channel in range(channels):
                target[channel] = (
                    a * attributes[first, channel] + b * attributes[second, channel] + c * attributes[third, channel]
                )


@jit
def interpolate_gradient(attributes, triangles, triangle_id, barycentric, gradient, to_attributes, to_barycentric):
    """Add one image's gradient (H, W, C) to that of the attributes (V, C), write that of the barycentric (H, W, 3).

    Either result may be an array of size 0, which says that it is not wanted.
    """
    inner, outer = to_barycentric.size > 0, to_attributes.size > 0
    channels = attributes.shape[1]
    height, width = triangle_id.shape
    for row in range(height):
        for column in range(width):
            face = triangle_id[row, column]
            if face < 0:
                continue
            g = gradient[row, column]
            for k in range(3):
                vertex = triangles[face, k]
                if inner:
                    total = barycentric[row, column, k] * 0
                    for channel in range(channels):
                        total += g[channel] * attributes[vertex, channel]
                    to_barycentric[row, column, k] = total
                if outer:
                    weight = barycentric[row, column, k]
                    for channel in range(channels):
                        to_attributes[vertex, channel] += weight * g[channel]
