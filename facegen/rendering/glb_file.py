"""Meshes as GLB (binary glTF 2.0)."""

import io
import json
import struct
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from facegen.rendering.meshes import Mesh, one_index

_FLOAT, _UINT32 = 5126, 5125  # glTF's component types
_ARRAY_BUFFER, _INDEX_BUFFER = 34962, 34963
_KINDS = {1: "SCALAR", 2: "VEC2", 3: "VEC3"}


def glb_bytes(mesh: Mesh) -> bytes:
    """The content of a GLB file. Its frame is ours: y up, the face looks along +z.

    glTF's vertex colours are linear, its texture coordinates count v downwards, and its default material is a metal,
    which is black without surroundings: colours and coordinates are converted and the material is matt.
    """
    mesh = one_index(mesh)
    arrays = {"POSITION": mesh.vertices.astype("<f4")}
    if mesh.normals is not None:
        arrays["NORMAL"] = mesh.normals.astype("<f4")
    if mesh.colors is not None and mesh.texture is None:  # colours would be multiplied with the texture
        arrays["COLOR_0"] = linear(mesh.colors).astype("<f4")
    if mesh.uv is not None:
        arrays["TEXCOORD_0"] = (mesh.uv * [1, -1] + [0, 1]).astype("<f4")
    arrays["indices"] = mesh.triangles.astype("<u4").reshape(-1)
    picture = b"" if mesh.texture is None else _padded(png_bytes(mesh.texture), b"\0")
    binary = b"".join(array.tobytes() for array in arrays.values()) + picture  # all are multiples of 4 bytes
    document = json.dumps(_gltf(arrays, len(picture)), separators=(",", ":")).encode()
    parts = ((b"JSON", _padded(document, b" ")), (b"BIN\0", binary))
    chunks = b"".join(struct.pack("<I4s", len(content), kind) + content for kind, content in parts)
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def png_bytes(texture: UInt8[np.ndarray, "height width 3"]) -> bytes:
    """A picture as PNG."""
    file = io.BytesIO()
    Image.fromarray(texture).save(file, "png")
    return file.getvalue()


def linear(colors: UInt8[np.ndarray, "vertex 3"]) -> Float[np.ndarray, "vertex 3"]:
    """sRGB bytes to linear light in [0, 1] (IEC 61966-2-1)."""
    encoded = colors.astype(np.float64) / 255
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def _padded(content: bytes, filler: bytes) -> bytes:
    return content + filler * (-len(content) % 4)


def _gltf(arrays: dict[str, np.ndarray], picture: int) -> dict[str, Any]:
    """The document; the buffer holds the arrays in order and then a picture of so many bytes, or none."""
    views, accessors, start = [], [], 0
    for index, (name, array) in enumerate(arrays.items()):
        indices = name == "indices"
        target = _INDEX_BUFFER if indices else _ARRAY_BUFFER
        views.append({"buffer": 0, "byteOffset": start, "byteLength": array.nbytes, "target": target})
        start += array.nbytes
        kind = {"componentType": _UINT32 if indices else _FLOAT, "type": _KINDS[1 if indices else array.shape[1]]}
        accessors.append({"bufferView": index, "count": len(array), **kind})
    for bound in ("min", "max"):  # the standard asks for those of positions
        accessors[0][bound] = getattr(arrays["POSITION"], bound)(axis=0).tolist()
    attributes = {name: index for index, name in enumerate(arrays) if name != "indices"}
    primitive = {"attributes": attributes, "indices": len(arrays) - 1, "material": 0}
    surface: dict[str, Any] = {"metallicFactor": 0, "roughnessFactor": 1}
    textures: dict[str, Any] = {}
    if picture:
        surface["baseColorTexture"] = {"index": 0}
        textures = {
            "textures": [{"source": 0, "sampler": 0}],
            "images": [{"bufferView": len(views), "mimeType": "image/png"}],
            "samplers": [{}],
        }
        views.append({"buffer": 0, "byteOffset": start, "byteLength": picture})
    return {
        "asset": {"version": "2.0", "generator": "facegen"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [primitive]}],
        "materials": [{"pbrMetallicRoughness": surface}],
        **textures,
        "buffers": [{"byteLength": start + picture}],
        "bufferViews": views,
        "accessors": accessors,
    }
