"""Files of coefficients of faces: arrays with a row for each, or what `facegen fit` writes."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from facegen.morphable.formats.matlab import parse_mat
from facegen.morphable.formats.reconstructions import MOST_BYTES, NAMES

_MOST_UNPACKED = 1 << 22
_FILES = ".npy, .safetensors or .mat, or a folder of .mat files"


def coefficient_rows(value: Any) -> Float[Tensor, "face coefficient"]:
    """All rows of a file or folder, float32. Raises ValueError for anything else, and for numbers not finite."""
    path = Path(str(value)).expanduser()
    if not path.exists():
        raise ValueError(f"coefficients: {path} does not exist; expected {_FILES}, as facegen fit writes them")
    try:
        rows = np.atleast_2d(np.asarray(_read(path), np.float32))
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"coefficients: {path}: {error}; expected {_FILES}, as facegen fit writes them") from error
    if rows.ndim != 2 or not rows.size or not np.isfinite(rows).all():
        raise ValueError(f"coefficients: {path} holds an array of shape {rows.shape}, expected rows of finite numbers")
    return torch.from_numpy(rows)


def _read(path: Path) -> Any:
    if path.is_dir():
        found = sorted(path.glob("*.mat")) or sorted(path.glob("coeff/*.mat"))
        if not found:
            raise ValueError("a folder without .mat files")
        return np.stack([_read(each) for each in found])
    if path.suffix == ".npy":
        return np.load(path, allow_pickle=False)
    if path.suffix == ".safetensors":
        return _tensor(path)
    if path.suffix == ".mat":
        with path.open("rb") as file:
            content = parse_mat(file.read(MOST_BYTES + 1), _MOST_UNPACKED, NAMES)
        if missing := [name for name in NAMES if name not in content]:
            raise ValueError(f"no variable {missing[0]!r}")
        return np.concatenate([np.ravel(content[name]) for name in NAMES])
    raise ValueError(f"a file ending in {path.suffix or 'nothing'}")


def _tensor(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise ValueError(f"not a readable file ({error})") from error
    if "coefficients" in tensors or len(tensors) == 1:
        return tensors.get("coefficients", next(iter(tensors.values())))
    raise ValueError(f"tensors {', '.join(sorted(tensors)[:5])}, none of them coefficients")
