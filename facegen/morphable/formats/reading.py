"""A morphable model from a file of any known format, recognised by what it holds and not by its name."""

from collections.abc import Callable
from pathlib import Path

from facegen.checkpoint import cache_folder
from facegen.checkpoint.files import check_file
from facegen.morphable.formats import bfm09, ict_folder, matlab, npz
from facegen.morphable.formats.arrays import Arrays, ModelFile
from facegen.morphable.formats.bfm import bfm_model
from facegen.morphable.formats.flame import flame_model, read_flame
from facegen.morphable.formats.hifi3d import hifi3d_model
from facegen.morphable.formats.ict import ict_model
from facegen.morphable.formats.ict_folder import read_ict_folder
from facegen.morphable.formats.packed import read_model
from facegen.morphable.model import MorphableModel

PROCEDURAL = "procedural"
_PICKLE_MAGIC = b"\x80"
_KNOWN = (
    "BFM_model_front.mat, a folder with 01_MorphableModel.mat, FLAME (pickle or .npz), HiFi3D++ of FFHQ-UV, "
    "ICT-FaceKit (.npz or the folder FaceXModel), a .safetensors file that facegen wrote, or the word procedural"
)
# The format of a file by the first of these names among its arrays.
_MAT: dict[str, Callable[[Arrays], ModelFile]] = {
    "head_tri": hifi3d_model,
    "idBase": bfm_model,
    "shapePC": lambda arrays: _raw_bfm(arrays.path.parent),
}
_NPZ: dict[str, Callable[[Arrays], ModelFile]] = {"v_template": flame_model, "neutral": ict_model}


def load_model(path: str | Path) -> MorphableModel:
    """The model of a file or folder; the word `procedural` is the built-in one, kept in the cache folder.

    Raises ValueError, in one line, for what cannot be read or is no morphable model.
    """
    if str(path) == PROCEDURAL:
        from facegen.morphable.procedural_model import procedural_model

        return procedural_model(cache_folder())
    found = read(path)
    return MorphableModel(found.basis, name=found.name, terms=found.terms).eval()


def read(path: str | Path) -> ModelFile:
    """What a file or folder of any known format holds. Raises ValueError as `load_model` does."""
    path = Path(path)
    if (path / ict_folder.NEUTRAL).is_file():
        return read_ict_folder(path)
    if (path / bfm09.MODEL).is_file():
        return _raw_bfm(path)
    start = _start(path)
    if start.startswith((matlab.MAGIC, matlab.NEWER_MAGIC)):
        return _by_content(matlab.read_mat(path), _MAT)
    if start.startswith(npz.MAGIC):
        return _by_content(npz.read_npz(path), _NPZ)
    if start.startswith(_PICKLE_MAGIC):
        return read_flame(path)
    if start[8:9] == b"{":  # safetensors: eight bytes of length, then JSON
        return read_model(path)
    raise ValueError(f"morphable model: got {path}, which is of no known format; expected {_KNOWN}")


def _start(path: Path) -> bytes:
    try:
        check_file(path)
        with path.open("rb") as file:
            return file.read(32)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ValueError(f"morphable model: got {path}: {reason}; expected {_KNOWN}") from error


def _by_content(arrays: Arrays, formats: dict[str, Callable[[Arrays], ModelFile]]) -> ModelFile:
    for name, model in formats.items():
        if name in arrays.content:
            return model(arrays)
    names = ", ".join(sorted(map(str, arrays.content))[:12]) or "nothing"
    raise ValueError(f"morphable model: {arrays.path} holds {names}; expected {_KNOWN}")


def _raw_bfm(folder: Path) -> ModelFile:
    return bfm_model(Arrays(folder / bfm09.MODEL, bfm09.pack_folder(folder)))
