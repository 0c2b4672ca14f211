"""A linear 3D morphable model (Blanz and Vetter 1999) as Deep3DFaceRecon (Deng et al. 2019) computes with it.

Shape and albedo are a mean plus modes times coefficients. The shape is posed in front of a fixed camera
(`geometry.perspective`) and lit by nine spherical harmonics per channel.
"""

from pathlib import Path
from typing import NamedTuple, Self

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from facegen.geometry.cameras import head_rotation
from facegen.geometry.perspective import DEEP3D, Perspective
from facegen.morphable import spherical_harmonics
from facegen.morphable.coefficients import LIGHT, Coefficients, Layout

_EPS = 1e-12  # of normalisation
INITIAL_LIGHT = (0.8, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)  # the same in each channel; `light` is added


class UVMap(NamedTuple):
    """Where the surface lies in a texture: (T, 2) points in [0, 1], v up, and the corners of each triangle in them."""

    coordinates: Float[Tensor, "point 2"]
    triangles: Int[Tensor, "face 3"]


class Basis(NamedTuple):
    """What a file of a morphable model holds, in decimetres and albedo in [0, 1]; modes count standard deviations.

    `landmarks`: vertices of the 68 points (iBUG order). `vertex_faces`: the triangles around each vertex, padded with
    the number of triangles; found from `normal_triangles` (default: `triangles`) where it is None. `skin`: where the
    photometric losses look, 0 to 1. `front`: triangles of the face without ears and neck. `recentre`: subtract the mean
    of all vertices from the mean shape, as Deep3DFaceRecon does.
    """

    mean_shape: Float[Tensor, "vertex 3"]
    identity: Float[Tensor, "identity vertex 3"]
    expression: Float[Tensor, "expression vertex 3"]
    mean_albedo: Float[Tensor, "vertex 3"]
    albedo: Float[Tensor, "albedo vertex 3"]
    triangles: Int[Tensor, "face 3"]
    landmarks: Int[Tensor, " landmark"]
    vertex_faces: Int[Tensor, "vertex around"] | None = None
    normal_triangles: Int[Tensor, "any_face 3"] | None = None
    skin: Float[Tensor, " vertex"] | None = None
    front: Int[Tensor, "front 3"] | None = None
    parts: UInt8[Tensor, " vertex"] | None = None
    part_names: tuple[str, ...] = ()
    uv: UVMap | None = None
    recentre: bool = True


class Face(NamedTuple):
    """N faces in front of the camera. Colours are not clipped."""

    shape: Float[Tensor, "batch vertex 3"]  # before the pose
    vertices: Float[Tensor, "batch vertex 3"]  # posed, in the world of `geometry.perspective`
    normals: Float[Tensor, "batch vertex 3"]  # of the posed mesh, unit length; 0 at vertices without triangles
    albedo: Float[Tensor, "batch vertex 3"]
    shading: Float[Tensor, "batch vertex 3"]
    colors: Float[Tensor, "batch vertex 3"]  # albedo times shading
    camera: Float[Tensor, "batch vertex 3"]  # seen from the camera: x, y, distance
    landmarks: Float[Tensor, "batch landmark 2"]  # pixels of the perspective, y up


class MorphableModel(nn.Module):
    """Coefficients (N, K) to faces; see `coefficients` for the K numbers. Differentiable; batched; any device.

    perspective: the camera. initial_light: nine harmonics that `light` is added to, the same in each channel.
    name and terms: what the model is called in results, and its licence, for people.
    """

    def __init__(
        self,
        basis: Basis,
        *,
        name: str,
        terms: str = "",
        perspective: Perspective = DEEP3D,
        initial_light: tuple[float, ...] = INITIAL_LIGHT,
    ) -> None:
        super().__init__()
        _check(basis, name)
        self.name, self.terms, self.perspective = name, terms, perspective
        self.layout = Layout(len(basis.identity), len(basis.expression), len(basis.albedo))
        self.part_names = basis.part_names
        mean = basis.mean_shape
        normal_triangles = basis.triangles if basis.normal_triangles is None else basis.normal_triangles
        buffers: dict[str, Tensor | None] = {
            "mean_shape": mean - mean.mean(dim=0) if basis.recentre else mean,
            "identity": basis.identity,
            "expression": basis.expression,
            "mean_albedo": basis.mean_albedo,
            "albedo": basis.albedo,
            "triangles": basis.triangles,
            "normal_triangles": normal_triangles,
            "vertex_faces": _around(normal_triangles, len(mean)) if basis.vertex_faces is None else basis.vertex_faces,
            "landmarks": basis.landmarks,
            "skin": torch.ones(len(mean)) if basis.skin is None else basis.skin,
            "front": basis.triangles if basis.front is None else basis.front,
            "parts": basis.parts,
            "uv_coordinates": None if basis.uv is None else basis.uv.coordinates,
            "uv_triangles": None if basis.uv is None else basis.uv.triangles,
            "initial_light": torch.tensor(initial_light),
        }
        self.mean_shape: Tensor
        self.identity: Tensor
        self.expression: Tensor
        self.mean_albedo: Tensor
        self.albedo: Tensor
        self.triangles: Tensor
        self.normal_triangles: Tensor
        self.vertex_faces: Tensor
        self.landmarks: Tensor
        self.skin: Tensor
        self.front: Tensor
        self.parts: Tensor | None
        self.uv_coordinates: Tensor | None
        self.uv_triangles: Tensor | None
        self.initial_light: Tensor
        for key, value in buffers.items():
            self.register_buffer(key, value)

    @staticmethod
    def load(path: str | Path) -> "MorphableModel":
        """The model of a file of any known format; the word `procedural` is the built-in one, kept in the cache.

        Raises ValueError for files that cannot be read or hold something else.
        """
        from facegen.morphable.formats import load_model

        return load_model(path)

    @property
    def uv(self) -> UVMap | None:
        """The chart of the surface, where the model has one."""
        if self.uv_coordinates is None or self.uv_triangles is None:
            return None
        return UVMap(self.uv_coordinates, self.uv_triangles)

    def with_perspective(self, perspective: Perspective) -> Self:
        """This model, its tensors shared, in front of another camera."""
        other = object.__new__(type(self))
        other.__dict__ = {**self.__dict__, "perspective": perspective}
        return other

    def shape_of(
        self, identity: Float[Tensor, "batch identity"], expression: Float[Tensor, "batch expression"]
    ) -> Float[Tensor, "batch vertex 3"]:
        """Shapes before the pose."""
        moved = identity @ self.identity.flatten(1) + expression @ self.expression.flatten(1)
        return self.mean_shape + moved.unflatten(1, (-1, 3))

    def albedo_of(self, albedo: Float[Tensor, "batch albedo"]) -> Float[Tensor, "batch vertex 3"]:
        """Colours without light, 1 is white; not clipped."""
        return self.mean_albedo + (albedo @ self.albedo.flatten(1)).unflatten(1, (-1, 3))

    def normals_of(self, shape: Float[Tensor, "batch vertex 3"]) -> Float[Tensor, "batch vertex 3"]:
        """Unit normals: the sum of those of the triangles around, each counted alike; 0 where there are none."""
        a, b, c = shape[:, self.normal_triangles].unbind(2)
        faces = F.normalize(torch.linalg.cross(a - b, b - c), dim=-1, eps=_EPS)
        faces = F.pad(faces, (0, 0, 0, 1))  # what padding points at
        return F.normalize(faces[:, self.vertex_faces].sum(dim=2), dim=-1, eps=_EPS)

    def light_of(self, light: Float[Tensor, "batch 27"]) -> Float[Tensor, "batch 9 3"]:
        """Harmonics for `spherical_harmonics.shade`."""
        return (light.unflatten(1, LIGHT) + self.initial_light).mT

    def forward(self, coefficients: Float[Tensor, "batch coefficient"]) -> Face:
        """Build, pose and light faces. Raises ValueError for coefficients of another model."""
        parts = self.layout.split(coefficients)
        shape, albedo = self.shape_of(parts.identity, parts.expression), self.albedo_of(parts.albedo)
        rotation = head_rotation(parts.angle)
        vertices = shape @ rotation + parts.translation[:, None]
        normals = self.normals_of(shape) @ rotation
        shading = spherical_harmonics.shade(normals, self.light_of(parts.light))
        camera = self.perspective.view(vertices)
        landmarks = self.perspective.project(camera[:, self.landmarks])
        return Face(shape, vertices, normals, albedo, shading, shading * albedo, camera, landmarks)

    def split(self, coefficients: Float[Tensor, "batch coefficient"]) -> Coefficients:
        """The parts of coefficients by name."""
        return self.layout.split(coefficients)


def _around(triangles: Int[Tensor, "face 3"], num_vertices: int) -> Int[Tensor, "vertex around"]:
    """The triangles around each vertex, as many columns as the busiest vertex has, padded with their number."""
    corner, order = triangles.flatten().sort(stable=True)
    count = torch.bincount(corner, minlength=num_vertices)
    place = torch.arange(len(corner)) - (count.cumsum(0) - count)[corner]
    found = torch.full((num_vertices, int(count.max()) if len(corner) else 1), len(triangles))
    found[corner, place] = order // 3
    return found


def _check(basis: Basis, name: str) -> None:
    vertices = len(basis.mean_shape)
    for key in ("identity", "expression", "albedo"):
        got = tuple(getattr(basis, key).shape)
        if len(got) != 3 or got[1:] != (vertices, 3):
            raise ValueError(f"{name}: {key} has shape {got}, expected (modes, {vertices}, 3)")
    for key in ("mean_shape", "mean_albedo", "identity", "expression", "albedo"):
        if not bool(getattr(basis, key).isfinite().all()):
            raise ValueError(f"{name}: {key} is not finite; the file is damaged")
    for key in ("triangles", "landmarks", "front"):
        index = getattr(basis, key)
        if index is not None and len(index) and not 0 <= int(index.min()) <= int(index.max()) < vertices:
            raise ValueError(f"{name}: {key} count to {int(index.max())}, expected vertices 0..{vertices - 1}")
