"""Meshes as files: OBJ with a texture, PLY with coloured vertices, GLB (binary glTF 2.0) with either."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from facegen.checkpoint import atomic_write
from facegen.rendering.glb_file import glb_bytes, linear, png_bytes
from facegen.rendering.isosurface import Surface
from facegen.rendering.meshes import Mesh, check
from facegen.rendering.obj_file import mesh_text, mtl_text

__all__ = ["Mesh", "linear", "save_glb", "save_mesh", "save_ply"]

Colors = UInt8[np.ndarray, "vertex 3"]  # as in pictures (sRGB)
_PLY_NAMES = {"<f4": "float", "|u1": "uchar", "<i4": "int"}


def save_mesh(mesh: Mesh, path: Path) -> Path:
    """Write a mesh in the format of the path's ending: .obj, .ply or .glb.

    The texture of an OBJ becomes `<name>.png`, named by `<name>.mtl`, beside it. ValueError for another ending, for
    a PLY with a texture, and for a mesh that does not fit together.
    """
    check(mesh)
    if path.suffix == ".obj":
        return _save_obj(mesh, path)
    if path.suffix == ".glb":
        return _write(path, glb_bytes(mesh))
    if path.suffix != ".ply":
        raise ValueError(f"mesh: got the file name {path.name!r}, expected it to end in .obj, .ply or .glb")
    if mesh.texture is not None:
        raise ValueError(f"mesh: got a texture for {path.name!r}, which can hold none; use .obj or .glb")
    return _write(path, _ply_bytes(mesh))


def save_ply(surface: Surface, colors: Colors, path: Path) -> Path:
    """A surface with coloured vertices as binary PLY."""
    return _write(path, _ply_bytes(Mesh(*surface, colors=colors)))


def save_glb(surface: Surface, colors: Colors, path: Path) -> Path:
    """A surface with coloured vertices as GLB."""
    return _write(path, glb_bytes(Mesh(*surface, colors=colors)))


def _save_obj(mesh: Mesh, path: Path) -> Path:
    if mesh.texture is None:
        return _write(path, mesh_text(mesh, None).encode())
    picture, library = path.with_suffix(".png"), path.with_suffix(".mtl")
    _write(picture, png_bytes(mesh.texture))
    _write(library, mtl_text(picture.name).encode())
    return _write(path, mesh_text(mesh, library.name).encode())


def _ply_bytes(mesh: Mesh) -> bytes:
    """Binary PLY; float and uchar as every viewer reads them."""
    columns = [
        ("x y z", "<f4", mesh.vertices),
        ("nx ny nz", "<f4", mesh.normals),
        ("red green blue", "u1", mesh.colors),
    ]
    held = [(names.split(), kind, column) for names, kind, column in columns if column is not None]
    vertex = np.dtype([(name, kind) for names, kind, _ in held for name in names])
    vertices = np.empty(len(mesh.vertices), vertex)
    for names, _, column in held:
        for name, values in zip(names, column.T, strict=True):
            vertices[name] = values
    faces = np.empty(len(mesh.triangles), np.dtype([("count", "u1"), ("corners", "<i4", 3)]))
    faces["count"], faces["corners"] = 3, mesh.triangles
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(vertices)}"]
    header += [f"property {_PLY_NAMES[vertex[name].str]} {name}" for name in vertex.names or ()]
    header += [f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header", ""]
    return "\n".join(header).encode() + vertices.tobytes() + faces.tobytes()


def _write(path: Path, content: bytes) -> Path:
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)
    return path
