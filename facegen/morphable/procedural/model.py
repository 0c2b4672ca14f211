"""The procedural head as a linear model: an average, sparse modes of shape and albedo, triangles and landmarks."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facegen.morphable.procedural import expression, identity
from facegen.morphable.procedural.identity import Modes, identity_modes
from facegen.morphable.procedural.landmarks import landmark_vertices
from facegen.morphable.procedural.mesh import PARTS
from facegen.morphable.procedural.occlusion import ambient_occlusion
from facegen.morphable.procedural.paint import paint
from facegen.morphable.procedural.template import Template, build_template

Floats = NDArray[np.float32]
_TINY = 2e-6  # a mode does not list vertices that it moves or colours by less
_AMBIENT = 0.58  # albedo at a fully occluded vertex, relative to an open one


class SparseModes(NamedTuple):
    """K linear modes over V vertices: mode k changes the rows `rows[start[k]:start[k + 1]]` by `delta` of those."""

    names: tuple[str, ...]
    start: NDArray[np.int64]  # (K + 1,)
    rows: NDArray[np.int32]
    delta: Floats  # (len(rows), 3)
    mirror_sign: Floats  # (K,) factor of the coefficients of the mirrored head

    def apply(self, mean: Floats, coefficients: Floats) -> Floats:
        """`mean` (V, 3) plus the modes weighted by (K,) coefficients, summed in a fixed order."""
        from facegen.morphable.procedural import kernels

        if coefficients.shape != (len(self.names),):
            raise ValueError(f"got coefficients of shape {coefficients.shape}, expected ({len(self.names)},)")
        return kernels.add_modes(mean, self.start, self.rows, self.delta, coefficients.astype(np.float32))

    def dense(self, num_vertices: int) -> Floats:
        """The modes as one (K, V, 3) array."""
        full = np.zeros((len(self.names), num_vertices, 3), np.float32)
        for k, (a, b) in enumerate(zip(self.start, self.start[1:], strict=False)):
            full[k, self.rows[a:b]] = self.delta[a:b]
        return full


class ProceduralHead(NamedTuple):
    """V vertices in the world frame of the camera labels (radius 2.7), F triangles counter-clockwise from outside."""

    mean_shape: Floats  # (V, 3)
    mean_albedo: Floats  # (V, 3) display RGB in [0, 1], ambient occlusion included
    identity: SparseModes
    expression: SparseModes
    albedo: SparseModes
    gloss: Floats  # (V, 2) strength and exponent of the highlight
    triangles: NDArray[np.int32]  # (F, 3)
    part: NDArray[np.uint8]  # (V,) index into PARTS
    landmarks: NDArray[np.int32]  # (68,) vertex numbers, iBUG order

    def vertices(self, identity: Floats, expression: Floats) -> Floats:
        """Vertices (V, 3) of one head."""
        return self.expression.apply(self.identity.apply(self.mean_shape, identity), expression)

    def colors(self, albedo: Floats) -> Floats:
        """Albedo (V, 3) of one head; linear, so clip it to [0, 1] before showing it."""
        return self.albedo.apply(self.mean_albedo, albedo)


def _sparse(modes: Modes, antisymmetric: tuple[str, ...]) -> SparseModes:
    used = [np.flatnonzero(np.abs(field).max(-1) > _TINY) for field in modes.fields]
    start = np.concatenate([[0], np.cumsum([len(rows) for rows in used])])
    delta = np.concatenate([field[rows] for field, rows in zip(modes.fields, used, strict=True)])
    sign = np.array([-1 if name in antisymmetric else 1 for name in modes.names], np.float32)
    return SparseModes(modes.names, start, np.concatenate(used).astype(np.int32), delta.astype(np.float32), sign)


def _light_reaching(template: Template) -> NDArray[np.float64]:
    """Factor of the albedo for ambient occlusion; pieces that expressions open are lit by hand."""
    from facegen.rendering.kernels import vertex_normals

    factor = np.ones(len(template.vertices))
    end = template.pieces["hair"].start
    triangles = template.triangles[(template.triangles < end).all(1)]
    normals = vertex_normals(template.vertices[:end], triangles)
    factor[:end] = _AMBIENT + (1 - _AMBIENT) * ambient_occlusion(template.vertices[:end], normals, triangles)
    for name, where in template.pieces.items():
        if name.endswith(("lid", "lip", "teeth")):
            factor[where] = 0.9
    return factor


def _gloss(template: Template) -> Floats:
    """Strength and exponent of highlights by part."""
    by_part = {"skin": (0.10, 12), "ear": (0.08, 12), "hair": (0.10, 8), "eye": (0.8, 70), "mouth": (0.25, 30)}
    table = np.array([by_part.get(part, (0.0, 1)) for part in PARTS])
    gloss = table[template.part]
    wet = template.lip[:, None]
    return (gloss * (1 - wet) + np.array([0.22, 28]) * wet).astype(np.float32)


def build_head(detail: float = 1.0) -> ProceduralHead:
    """Compute the model (some seconds); `detail` multiplies the rows and columns of the skin."""
    template = build_template(detail)
    mean_albedo, albedo = paint(template)
    factor = _light_reaching(template)[:, None]
    albedo = Modes(albedo.names, albedo.fields * factor)
    part = template.part.copy()
    part[template.lip > 0.5] = PARTS.index("lips")
    return ProceduralHead(
        template.vertices.astype(np.float32),
        (mean_albedo * factor).astype(np.float32),
        _sparse(identity_modes(template), identity.ANTISYMMETRIC),
        _sparse(expression.expression_modes(template), expression.ANTISYMMETRIC),
        _sparse(albedo, ()),
        _gloss(template),
        template.triangles.astype(np.int32),
        part,
        landmark_vertices(template).astype(np.int32),
    )
