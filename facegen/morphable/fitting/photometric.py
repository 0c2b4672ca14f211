"""Pose, shape, albedo and light from all pixels of a face: Gauss-Newton on the difference to the picture.

Each step draws the face, takes the pixels it covers as points of its surface, and linearises what they would look like
after a small change of all coefficients: a point that moves meets another colour of the picture, a normal that turns
another light, albedo and light change the colour itself (Romdhani and Vetter 2005; the robust norm by reweighting).
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from facegen.geometry.cameras import head_angles
from facegen.geometry.perspective import Perspective
from facegen.morphable import spherical_harmonics
from facegen.morphable.coefficients import Coefficients
from facegen.morphable.fitting.descent import Equations, State
from facegen.morphable.fitting.landmarks import POSE, Landmarks
from facegen.morphable.fitting.linear import Pose, cross_matrix, image_slopes, motion
from facegen.morphable.fitting.tables import Tables
from facegen.morphable.fitting.weights import Weights
from facegen.morphable.model import MorphableModel
from facegen.rendering.rasterizer import rasterize

_EPS = 1e-6  # under the root of the colour distance, as published
_LIGHT = 27


class Points(NamedTuple):
    """P pixels of N faces as points of their surfaces."""

    colors: Float[Tensor, "batch point 3"]  # of the picture
    slopes: Float[Tensor, "batch point 3 2"]  # of these colours, across and down
    weights: Float[Tensor, "batch point"]  # 0 where there is no point
    corners: Int[Tensor, "batch point 3"]  # vertices
    barycentric: Float[Tensor, "batch point 3"]

    def blend(self, values: Float[Tensor, "batch vertex channel"]) -> Float[Tensor, "batch point channel"]:
        """Values of the faces' own vertices at their points."""
        first = torch.arange(len(values), device=values.device)[:, None, None] * values.shape[1]
        return self._mixed(values.flatten(0, 1), self.corners + first)

    def blend_table(self, table: Float[Tensor, "vertex entry"]) -> Float[Tensor, "batch point entry"]:
        """Rows of a table shared by all faces at their points."""
        return self._mixed(table, self.corners)

    def _mixed(self, rows: Tensor, corners: Tensor) -> Tensor:
        weights = self.barycentric.flatten(0, 1)
        mixed = F.embedding_bag(corners.flatten(0, 1), rows, mode="sum", per_sample_weights=weights)
        return mixed.unflatten(0, corners.shape[:2])


class Photographs(NamedTuple):
    """What N faces are fitted to, at one working size.

    images: display RGB in [0, 1]. masks: how sure a pixel is skin. landmarks: in pixels of this size, or None.
    shape, normals: of the faces when this size begins; later normals are linear in what the shape has changed since.
    """

    model: MorphableModel
    tables: Tables
    images: Float[Tensor, "batch 3 side side"]
    masks: Float[Tensor, "batch 1 side side"]
    landmarks: Landmarks | None
    weights: Weights
    most_points: int
    shape: Float[Tensor, "batch mode"]
    normals: Float[Tensor, "batch vertex 3"]

    @property
    def perspective(self) -> Perspective:
        """The model's camera at this size."""
        return self.model.perspective.at(self.images.shape[-1])

    def equations(self, rows: Tensor, state: State) -> Equations:
        """Of the published energy, without the perceptual term, of some faces: see `Weights`."""
        rotation, translation, shape, albedo, light = state
        pose, start = Pose(rotation, translation), POSE + shape.shape[1]
        total = self._pixels(rows, pose, shape, albedo, light)
        add_squares(total, slice(POSE, start), shape, self.tables.shape_weights(self.weights))
        add_squares(total, slice(start, start + albedo.shape[1]), albedo, self.weights.albedo)
        add_quadratic(total, slice(start, start + albedo.shape[1]), albedo, *self.tables.evenness(self.weights))
        add_quadratic(total, slice(-_LIGHT, None), light, *white_light(light, self.weights.gamma))
        if self.landmarks is None:
            return total
        given = self.landmarks.take(rows)
        double = given.data_equations(Pose(*(part.double() for part in pose)), shape.double())
        factor = self.weights.of_landmarks(len(given.points.mean), given.noise * 224 / self.images.shape[-1])
        total.gradient[:, :start] += factor * double.gradient.to(shape)
        total.matrix[:, :start, :start] += factor * double.matrix.to(shape)
        return total._replace(cost=total.cost + factor * double.cost.to(shape))

    def _pixels(self, rows: Tensor, pose: Pose, shape: Tensor, albedo: Tensor, light: Tensor) -> Equations:
        parts = shape.split([self.model.layout.identity, self.model.layout.expression], dim=1)
        turned = self.model.shape_of(*parts) @ pose.rotation
        points = self._points(rows, self.perspective.view(turned + pose.translation[:, None]))
        of_normals = points.blend_table(self.tables.normals).unflatten(-1, (3, -1))
        changed = torch.einsum("npcm,nm->npc", of_normals, shape - self.shape[rows])
        normals = F.normalize((points.blend(self.normals[rows]) + changed) @ pose.rotation, dim=-1)
        of_albedo = points.blend_table(self.tables.albedo).unflatten(-1, (3, -1))
        tint = points.blend_table(self.model.mean_albedo) + torch.einsum("npcm,nm->npc", of_albedo, albedo)
        harmonics = self.model.light_of(light)
        shading = spherical_harmonics.shade(normals, harmonics)
        residuals = tint * shading - points.colors
        bending = tint[..., None] * spherical_harmonics.slopes(normals, harmonics)
        by_motion = self._by_motion(points, pose, points.blend(turned)) + torch.cat(
            [
                bending @ -cross_matrix(normals),
                torch.zeros_like(bending),
                (bending @ pose.rotation.mT[:, None]) @ of_normals,
            ],
            dim=-1,
        )
        slopes = torch.cat([by_motion, shading[..., None] * of_albedo, _by_light(tint, normals)], dim=-1)
        length = (residuals.square().sum(dim=-1) + _EPS).sqrt()
        share = self.weights.color * points.weights / points.weights.sum(dim=1, keepdim=True).clamp(min=1)
        scaled = slopes * (share / length / 2)[..., None, None]
        gradient = torch.einsum("npcd,npc->nd", scaled, residuals)
        return Equations((share * length).sum(dim=1), gradient, scaled.flatten(1, 2).mT @ slopes.flatten(1, 2))

    def _by_motion(
        self, points: Points, pose: Pose, turned: Float[Tensor, "batch point 3"]
    ) -> Float[Tensor, "batch point 3 parameter"]:
        """Derivatives by turn, move and shape of the picture where a point meets it, the other way round."""
        camera = self.perspective.view(turned + pose.translation[:, None])
        towards = -points.slopes @ image_slopes(camera, self.perspective)
        return motion(towards, turned, points.blend_table(self.tables.shape).unflatten(-1, (3, -1)), pose.rotation)

    def _points(self, rows: Tensor, camera: Float[Tensor, "batch vertex 3"]) -> Points:
        """Pixels of skin that the faces cover, a fixed sample where there are more than `most_points`."""
        side = self.images.shape[-1]
        seen = rasterize(self.perspective.clip(camera), self.model.triangles, side, cull=True)
        triangle, barycentric = seen.triangle_id.flatten(1), seen.barycentric.flatten(1, 2).to(camera)
        corners = self.model.triangles[triangle.clamp(min=0).long()]
        skin = (barycentric * self.model.skin[corners]).sum(dim=-1)
        weights = torch.where(triangle >= 0, skin * self.masks[rows].flatten(1), 0)
        count = min(self.most_points, int((weights > 0).sum(dim=1).max()))
        order = torch.rand(weights.shape[1], generator=torch.Generator().manual_seed(0)).to(weights)
        chosen = ((weights > 0) + order).topk(count, dim=1).indices
        images = self.images[rows]
        slopes = torch.stack(torch.gradient(images, dim=(3, 2)), dim=-1)
        take = torch.arange(len(rows), device=chosen.device)[:, None]
        return Points(
            images.flatten(2).mT[take, chosen],
            slopes.flatten(2, 3).transpose(1, 2)[take, chosen],
            weights[take, chosen],
            corners[take, chosen],
            barycentric[take, chosen],
        )


def coefficients(model: MorphableModel, state: State) -> Float[Tensor, "batch coefficient"]:
    """The coefficients of a state: rotation, translation, shape, albedo, light."""
    rotation, translation, shape, albedo, light = state
    identity, expression = shape.split([model.layout.identity, model.layout.expression], dim=1)
    return model.layout.join(Coefficients(identity, expression, albedo, head_angles(rotation), light, translation))


def _by_light(tint: Tensor, normals: Tensor) -> Float[Tensor, "batch point 3 27"]:
    """Derivatives of colours by 3 channels x 9 harmonics of light."""
    harmonics = spherical_harmonics.basis(normals)
    own = torch.eye(3, dtype=tint.dtype, device=tint.device)
    return torch.einsum("npc,npk,cd->npcdk", tint, harmonics, own).flatten(3)


def white_light(light: Tensor, weight: float) -> tuple[Tensor, Tensor]:
    """Matrix and offset of half the published penalty on coloured light: the mean square off its mean colour."""
    channels = torch.eye(3, dtype=light.dtype, device=light.device) - 1 / 3
    matrix = torch.kron(channels, torch.eye(9, dtype=light.dtype, device=light.device)) * (weight / _LIGHT)
    return matrix, torch.zeros_like(light[0])


def add_squares(total: Equations, where: slice, values: Tensor, weights: Tensor | float) -> None:
    """Add weighted squares of some parameters."""
    total.cost.add_((weights * values.square()).sum(dim=1))
    total.gradient[:, where] += weights * values
    total.matrix.diagonal(dim1=1, dim2=2)[:, where] += weights


def add_quadratic(total: Equations, where: slice, values: Tensor, matrix: Tensor, offset: Tensor) -> None:
    """Add x A x + 2 b x of some parameters x."""
    by = values @ matrix
    total.cost.add_(((by + 2 * offset) * values).sum(dim=1))
    total.gradient[:, where] += by + offset
    total.matrix[:, where, where] += matrix
