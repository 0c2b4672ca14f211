"""Numbers that numpy made (layer gains are often the result of `np.sqrt`) as plain Python numbers."""

from typing import Any

import numpy as np

from facegen.importers.inert import Global

_CODES = {"f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "b1"}


class _ScalarType:
    """The type of a number; its state only confirms the byte order."""

    def __init__(self, code: Any, *_options: Any) -> None:
        if type(code) is not str or code not in _CODES:
            raise ValueError(f"a number of type {str(code)[:20]!r}, expected one of {', '.join(sorted(_CODES))}")
        self.dtype = np.dtype(f"<{code}")

    def build(self, state: Any) -> None:
        if type(state) is not tuple or len(state) < 2 or state[1] not in ("<", "|"):
            raise ValueError("a number is not little-endian")


def _scalar(kind: Any, data: Any) -> float | int | bool:
    if type(kind) is not _ScalarType or type(data) is not bytes or len(data) != kind.dtype.itemsize:
        raise ValueError("a number is not described by a type and its bytes")
    return np.frombuffer(data, dtype=kind.dtype)[0].item()


SCALAR_RULES = {
    Global("numpy", "dtype"): _ScalarType,
    Global("numpy.core.multiarray", "scalar"): _scalar,
    Global("numpy._core.multiarray", "scalar"): _scalar,
}
