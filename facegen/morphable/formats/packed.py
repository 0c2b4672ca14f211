"""Our own file of a morphable model: one safetensors file, with its name and terms as JSON in the header.

Any model can be converted once; reading it takes a fraction of a second and needs nothing beside it.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from facegen.checkpoint import atomic_write
from facegen.morphable.formats.arrays import MAX_BYTES, Arrays, ModelFile
from facegen.morphable.model import Basis, UVMap

FORMAT = "facegen morphable model 1"
_TENSORS = tuple(name for name in Basis._fields if name not in ("part_names", "uv", "recentre"))
_REQUIRED = tuple(name for name in _TENSORS if name not in Basis._field_defaults)
_UV = ("uv_coordinates", "uv_triangles")


def write_model(path: str | Path, model: ModelFile) -> None:
    """Write a model, whole or not at all; numbers as they are, float32 as a rule."""
    basis = model.basis
    tensors = {name: getattr(basis, name) for name in _TENSORS}
    if basis.uv is not None:
        tensors |= dict(zip(_UV, basis.uv, strict=True))
    described = {
        "name": model.name,
        "terms": model.terms,
        "part_names": list(basis.part_names),
        "recentre": basis.recentre,
    }
    stored = {name: tensor.contiguous().clone() for name, tensor in tensors.items() if tensor is not None}
    with atomic_write(path) as temporary:
        save_file(stored, temporary, metadata={"format": FORMAT, "model": json.dumps(described)})


def read_model(path: str | Path) -> ModelFile:
    """Read what `write_model` wrote. Raises ValueError, in one line that names the file, for anything else."""
    path = Path(path)
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise ValueError(f"{size} bytes, expected at most {MAX_BYTES}")
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            if header.get("format") != FORMAT:
                raise ValueError(f"format {str(header.get('format'))[:60]!r}, expected {FORMAT!r}")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        described = json.loads(header["model"])
        return ModelFile(_basis(path, tensors, described), str(described["name"]), str(described["terms"]))
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path}: not a readable file of weights ({reason})") from error
    except ValueError as error:
        raise ValueError(str(error) if str(error).startswith(str(path)) else f"{path}: {error}") from error


def _basis(path: Path, tensors: dict[str, Tensor], described: dict[str, Any]) -> Basis:
    if missing := [name for name in _REQUIRED if name not in tensors]:
        raise ValueError(f"has no {', '.join(missing)}; convert the model again")
    arrays = Arrays(path, {name: tensor.numpy() for name, tensor in tensors.items()}, tensors["mean_shape"].dtype)
    mean = arrays.floats("mean_shape", (-1, 3))
    count, names = len(mean), tuple(map(str, described["part_names"]))
    triangles = arrays.indices("triangles", (-1, 3), count, 0)

    def indices(name: str, size: tuple[int, ...], below: int) -> Tensor | None:
        return arrays.indices(name, size, below, 0) if name in tensors else None

    normal_triangles = indices("normal_triangles", (-1, 3), count)
    num_faces = len(triangles if normal_triangles is None else normal_triangles)
    parts = indices("parts", (count,), len(names))
    return Basis(
        mean,
        arrays.floats("identity", (-1, count, 3)),
        arrays.floats("expression", (-1, count, 3)),
        arrays.floats("mean_albedo", (count, 3)),
        arrays.floats("albedo", (-1, count, 3)),
        triangles,
        arrays.indices("landmarks", (-1,), count, 0),
        indices("vertex_faces", (count, -1), num_faces + 1),
        normal_triangles,
        arrays.floats("skin", (count,)) if "skin" in tensors else None,
        indices("front", (-1, 3), count),
        None if parts is None else parts.to(torch.uint8),
        names,
        _chart(arrays, len(triangles)),
        bool(described["recentre"]),
    )


def _chart(arrays: Arrays, faces: int) -> UVMap | None:
    if _UV[0] not in arrays.content:
        return None
    coordinates = arrays.floats(_UV[0], (-1, 2))
    return UVMap(coordinates, arrays.indices(_UV[1], (faces, 3), len(coordinates), 0))
