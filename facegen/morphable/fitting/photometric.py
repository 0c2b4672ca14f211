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
from facegen.morphable.model import Face, MorphableModel
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
        """Values of the faces' vertices at their points."""
        batch = torch.arange(len(values), device=values.device)[:, None, None]
        return torch.einsum("npk,npkc->npc", self.barycentric, values[batch, self.corners])

    def blend_table(self, table: Float[Tensor, "vertex entry"]) -> Float[Tensor, "batch point entry"]:
        """Rows of a table shared by all faces at their points."""
        return sum(self.barycentric[..., k, None] * table[self.corners[..., k]] for k in range(3))  # type: ignore[return-value]


class Photographs(NamedTuple):
    """What N faces are fitted to, at one working size.

    images: display RGB in [0, 1]. masks: how sure a pixel is skin. landmarks: in pixels of this size, or None.
    """

    model: MorphableModel
    tables: Tables
    images: Float[Tensor, "batch 3 side side"]
    masks: Float[Tensor, "batch 1 side side"]
    landmarks: Landmarks | None
    weights: Weights
    most_points: int

    @property
    def perspective(self) -> Perspective:
        """The model's camera at this size."""
        return self.model.perspective.at(self.images.shape[-1])

    def equations(self, rows: Tensor, state: State) -> Equations:
        """Of the published energy, without the perceptual term, of some faces: see `Weights`."""
        rotation, translation, shape, albedo, light = state
        pose = Pose(rotation, translation)
        face = self.model(coefficients(self.model, state))
        total = self._pixels(rows, pose, face, albedo, light)
        start = POSE + shape.shape[1]
        add_squares(total, slice(POSE, start), shape, self.tables.shape_weights(self.weights).to(shape))
        add_squares(total, slice(start, start + albedo.shape[1]), albedo, self.weights.albedo)
        add_quadratic(total, slice(start, start + albedo.shape[1]), albedo, *self.tables.evenness(self.weights))
        add_quadratic(total, slice(-_LIGHT, None), light, *white_light(light, self.weights.gamma))
        if self.landmarks is None:
            return total
        given = self.landmarks.take(rows)
        double = given.data_equations(Pose(*(part.double() for part in pose)), shape.double())
        factor = self.weights.landmark / len(given.weights[0]) * given.noise**2 * self._unit**2
        total.gradient[:, :start] += factor * double.gradient.to(shape)
        total.matrix[:, :start, :start] += factor * double.matrix.to(shape)
        return total._replace(cost=total.cost + factor * double.cost.to(shape))

    @property
    def _unit(self) -> float:
        """Pixels of the published size in one of these."""
        return 224 / self.images.shape[-1]

    def _pixels(self, rows: Tensor, pose: Pose, face: Face, albedo: Tensor, light: Tensor) -> Equations:
        points = self._points(rows, face)
        normals = F.normalize(points.blend(face.normals), dim=-1)
        tint, shading = points.blend(face.albedo), points.blend(face.shading)
        residuals = points.blend(face.colors) - points.colors
        slopes = torch.cat(
            [
                self._by_motion(points, pose, face, tint, normals, light),
                shading[..., None] * points.blend_table(self.tables.albedo).unflatten(-1, (3, -1)),
                _by_light(tint, normals),
            ],
            dim=-1,
        )
        length = (residuals.square().sum(dim=-1) + _EPS).sqrt()
        share = self.weights.color * points.weights / points.weights.sum(dim=1, keepdim=True).clamp(min=1)
        scaled = slopes * (share / length / 2)[..., None, None]
        gradient = torch.einsum("npcd,npc->nd", scaled, residuals)
        return Equations((share * length).sum(dim=1), gradient, scaled.flatten(1, 2).mT @ slopes.flatten(1, 2))

    def _by_motion(
        self, points: Points, pose: Pose, face: Face, tint: Tensor, normals: Tensor, light: Tensor
    ) -> Float[Tensor, "batch point 3 parameter"]:
        """Derivatives by turn, move and shape: of the picture at the moved point, and of the light on its normal."""
        camera = points.blend(face.camera)
        turned = points.blend(face.shape) @ pose.rotation
        towards = -points.slopes @ image_slopes(camera, self.perspective)
        modes = points.blend_table(self.tables.shape).unflatten(-1, (3, -1))
        moving = motion(towards, turned, modes, pose.rotation)
        bending = tint[..., None] * spherical_harmonics.slopes(normals, self.model.light_of(light))
        by_turn = bending @ -cross_matrix(normals)
        of_normals = points.blend_table(self.tables.normals).unflatten(-1, (3, -1))
        by_shape = (bending @ pose.rotation.mT[:, None]) @ of_normals
        return moving + torch.cat([by_turn, torch.zeros_like(by_turn), by_shape], dim=-1)

    def _points(self, rows: Tensor, face: Face) -> Points:
        """Pixels of skin that the faces cover, a fixed sample where there are more than `most_points`."""
        side = self.images.shape[-1]
        seen = rasterize(self.perspective.clip(face.camera.detach()), self.model.triangles, side, cull=True)
        triangle, barycentric = seen.triangle_id.flatten(1), seen.barycentric.flatten(1, 2).to(face.colors)
        corners = self.model.triangles[triangle.clamp(min=0).long()]
        skin = torch.einsum("npk,npk->np", barycentric, self.model.skin[corners])
        weights = torch.where(triangle >= 0, skin * self.masks[rows].flatten(1), 0)
        count = min(self.most_points, weights.shape[1])
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
    """Matrix and offset of half the published penalty on coloured light: weight x mean square off the channels' mean."""
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
