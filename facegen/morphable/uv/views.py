"""From a photograph to a texture: what each pixel of the texture sees in one picture of a fitted face."""

from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int

from facegen.morphable.uv.masks import Mask, Texture, threshold

FACING = 0.1  # least z of normals that FFHQ-UV takes for visible


class Lookup(NamedTuple):
    """For each pixel of a texture, the corners of the triangle that lies there: vertices and their weights.

    Weights are 0 where there is no triangle.
    """

    vertices: Int[np.ndarray, "size size 3"]
    weights: Float[np.ndarray, "size size 3"]

    def __call__(self, attributes: Float[np.ndarray, "vertex *channels"]) -> Float[np.ndarray, "size size *channels"]:
        """Attributes of vertices as a texture, interpolated; 0 where there is no triangle."""
        weights = self.weights.reshape(*self.weights.shape, *[1] * (attributes.ndim - 1))
        a, b, c = (np.take(attributes, self.vertices[..., k], axis=0) * weights[:, :, k] for k in range(3))
        return a + b + c

    def extended(self, attributes: Float[np.ndarray, "vertex channel"]) -> Float[np.ndarray, "size size channel"]:
        """As by calling it, but pixels without a triangle take the value of the nearest one that has."""
        texture = self(attributes)
        outside = (self.weights.sum(axis=-1) <= 0).astype(np.uint8)
        if not outside.all():
            _, nearest = cv2.distanceTransformWithLabels(outside, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
            values = np.empty((int(nearest.max()) + 1, texture.shape[-1]), texture.dtype)
            values[nearest[outside == 0]] = texture[outside == 0]
            texture = values[nearest]
        return texture


class View(NamedTuple):
    """A picture of a face and where the vertices of its mesh are in it.

    `image` is RGB, 0 to 255. `region` is 1 on the face without eyes and mouth, which move against the mesh. `points`
    are pixels, y down, (0, 0) is the centre of the first. `visible` is true of vertices that the camera sees.
    """

    image: Float[np.ndarray, "height width 3"]
    region: Float[np.ndarray, "height width"]
    points: Float[np.ndarray, "vertex 2"]
    visible: Bool[np.ndarray, " vertex"]


class Remapped(NamedTuple):
    """One picture as a texture: 0 outside of `mask`. `points` are the pixels of the picture that were looked at."""

    texture: Texture
    mask: Mask
    points: Float[np.ndarray, "size size 2"]


def facing(normals: Float[np.ndarray, "vertex 3"]) -> Bool[np.ndarray, " vertex"]:
    """Vertices whose unit normals turn to the camera: all that FFHQ-UV asks of visible ones."""
    return normals[:, 2] > FACING


def sample_bilinear(
    image: Float[np.ndarray, "height width channel"], points: Float[np.ndarray, "*shape 2"]
) -> Float[np.ndarray, "*shape channel"]:
    """Colours of an image at `points` (x, y; the centre of the first pixel is 0, 0); 0 outside.

    Exact weights; OpenCV before version 5 rounds them to 1/32 pixel.
    """
    height, width = image.shape[:2]
    normalised = (2 * points.reshape(1, 1, -1, 2) + 1) / np.array([width, height], points.dtype) - 1
    planes = torch.from_numpy(np.ascontiguousarray(image, points.dtype)).permute(2, 0, 1)[None]
    found = F.grid_sample(planes, torch.from_numpy(normalised), mode="bilinear", align_corners=False)
    return found[0, :, 0].T.reshape(*points.shape[:-1], -1).numpy()


def remap(view: View, lookup: Lookup) -> Remapped:
    """Look up each pixel of a texture in a picture (FFHQ-UV's `remap_tex_from_input2D`).

    A pixel counts where the region at its triangle's corners, and their visibility, is above one half on average.
    """
    region = sample_bilinear(view.region[..., None], view.points)
    visible = view.visible[:, None].astype(region.dtype)
    looked_up = lookup(np.concatenate([view.points, region, visible], axis=-1))
    points, mask = looked_up[..., :2], threshold(looked_up[..., 2]) * threshold(looked_up[..., 3])
    colors = np.clip(sample_bilinear(view.image, points), 0, 255)
    return Remapped(colors * mask[..., None], mask, points)
