"""Meshes with coloured vertices as PLY and as GLB (binary glTF 2.0)."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from facegen.checkpoint import atomic_write
from facegen.rendering.isosurface import Surface

Colors = UInt8[np.ndarray, "vertex 3"]  # as in pictures (sRGB)
_PLY_NAMES = {"<f4": "float", "|u1": "uchar", "<i4": "int"}
_RGB = ("red", "green", "blue")
_FLOAT, _UINT32 = 5126, 5125  # glTF's component types
_ARRAY_BUFFER, _INDEX_BUFFER = 34962, 34963


def save_ply(surface: Surface, colors: Colors, path: Path) -> Path:
    """Binary PLY with positions, normals and colours; float and uchar as every viewer reads them."""
    vertex = np.dtype([(n, "<f4") for n in ("x", "y", "z", "nx", "ny", "nz")] + [(n, "u1") for n in _RGB])
    vertices = np.empty(len(surface.vertices), vertex)
    for names, columns in (("x y z", surface.vertices), ("nx ny nz", surface.normals), (" ".join(_RGB), colors)):
        for name, column in zip(names.split(), columns.T, strict=True):
            vertices[name] = column
    faces = np.empty(len(surface.triangles), np.dtype([("count", "u1"), ("corners", "<i4", 3)]))
    faces["count"], faces["corners"] = 3, surface.triangles
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(vertices)}"]
    header += [f"property {_PLY_NAMES[vertex[name].str]} {name}" for name in vertex.names or ()]
    header += [f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header", ""]
    return _write(path, "\n".join(header).encode() + vertices.tobytes() + faces.tobytes())


def save_glb(surface: Surface, colors: Colors, path: Path) -> Path:
    """Binary glTF. Its frame is ours: y up, the face looks along +z.

    glTF's vertex colours are linear and its default material is a metal, which is black without surroundings: colours
    are converted and the material is matt.
    """
    arrays = {
        "POSITION": surface.vertices.astype("<f4"),
        "NORMAL": surface.normals.astype("<f4"),
        "COLOR_0": linear(colors).astype("<f4"),
        "indices": surface.triangles.astype("<u4").reshape(-1),
    }
    binary = b"".join(array.tobytes() for array in arrays.values())  # all are multiples of 4 bytes
    document = json.dumps(_gltf(arrays, len(binary)), separators=(",", ":")).encode()
    document += b" " * (-len(document) % 4)
    chunks = b"".join(struct.pack("<I4s", len(c), kind) + c for kind, c in ((b"JSON", document), (b"BIN\0", binary)))
    return _write(path, struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)


def linear(colors: Colors) -> Float[np.ndarray, "vertex 3"]:
    """sRGB bytes to linear light in [0, 1] (IEC 61966-2-1)."""
    encoded = colors.astype(np.float64) / 255
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def _gltf(arrays: dict[str, np.ndarray], size: int) -> dict[str, Any]:
    views, accessors, start = [], [], 0
    for index, (name, array) in enumerate(arrays.items()):
        indices = name == "indices"
        target = _INDEX_BUFFER if indices else _ARRAY_BUFFER
        views.append({"buffer": 0, "byteOffset": start, "byteLength": array.nbytes, "target": target})
        start += array.nbytes
        kind = {"componentType": _UINT32 if indices else _FLOAT, "type": "SCALAR" if indices else "VEC3"}
        accessors.append({"bufferView": index, "count": len(array), **kind})
    for bound in ("min", "max"):  # the standard asks for those of positions
        accessors[0][bound] = getattr(arrays["POSITION"], bound)(axis=0).tolist()
    attributes = {name: index for index, name in enumerate(arrays) if name != "indices"}
    primitive = {"attributes": attributes, "indices": len(arrays) - 1, "material": 0}
    return {
        "asset": {"version": "2.0", "generator": "facegen"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [primitive]}],
        "materials": [{"pbrMetallicRoughness": {"metallicFactor": 0, "roughnessFactor": 1}}],
        "buffers": [{"byteLength": size}],
        "bufferViews": views,
        "accessors": accessors,
    }


def _write(path: Path, content: bytes) -> Path:
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)
    return path
