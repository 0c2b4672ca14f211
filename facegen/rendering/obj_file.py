"""Meshes as Wavefront OBJ, their texture named by an MTL file."""

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float

from facegen.rendering.meshes import Mesh

MATERIAL = "blinn1SG"  # as FFHQ-UV names it


def obj_text(
    vertices: Float[np.ndarray, "vertex 3"],
    faces: Iterable[Sequence[int]],
    colors: Float[np.ndarray, "vertex 3"] | None = None,
    uv: Float[np.ndarray, "point 2"] | None = None,
    uv_faces: Iterable[Sequence[int]] | None = None,
    normals: Float[np.ndarray, "vertex 3"] | None = None,
    library: str | None = None,
    material: str | None = None,
) -> str:
    """The text of an OBJ file. Faces are polygons of any length and count from 0; colours are in [0, 1].

    `library` is the name of the MTL file, `material` that of the faces' entry in it.
    """
    columns = [vertices] if colors is None else [vertices, colors]
    lines = [] if library is None else [f"mtllib {library}"]
    lines += _rows("v", np.concatenate(columns, axis=1))
    lines += [] if uv is None else _rows("vt", uv)
    lines += [] if normals is None else _rows("vn", normals)
    lines += [] if material is None else [f"usemtl {material}"]
    corner = {(False, False): "{0}", (True, False): "{0}/{1}", (False, True): "{0}//{0}", (True, True): "{0}/{1}/{0}"}
    words = corner[uv is not None, normals is not None].format
    points = list(faces)
    for face, chart in zip(points, points if uv_faces is None else uv_faces, strict=True):
        lines.append("f " + " ".join(words(p + 1, t + 1) for p, t in zip(face, chart, strict=True)))
    return "\n".join(lines) + "\n"


def mtl_text(texture: str, name: str = MATERIAL) -> str:
    """The text of an MTL file with one material, whose colour is the picture `texture`."""
    lights = ("Ka 0.200000 0.200000 0.200000", "Kd 1.000000 1.000000 1.000000", "Ks 1.000000 1.000000 1.000000")
    return "\n".join((f"newmtl {name}", *lights, f"map_Kd {texture}"))


def mesh_text(mesh: Mesh, library: str | None) -> str:
    """The text of a mesh; `library` where it has a texture."""
    return obj_text(
        mesh.vertices,
        mesh.triangles.tolist(),
        None if mesh.colors is None else mesh.colors / 255,
        mesh.uv,
        None if mesh.uv is None else mesh.chart.tolist(),
        mesh.normals,
        library,
        None if library is None else MATERIAL,
    )


def _rows(word: str, table: np.ndarray) -> list[str]:
    row = word + " %.6f" * table.shape[1]
    return [row % tuple(values) for values in table.tolist()]
