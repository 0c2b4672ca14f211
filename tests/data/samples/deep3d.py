"""Deep3DFaceRecon's files as its `save_coeff` writes them: one .mat with float32 rows for each face."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat

from tests.data.helpers import noise

SIZES = {"id": 80, "exp": 64, "tex": 80, "angle": 3, "gamma": 27, "trans": 3}


def write_mat(path: Path, values: Mapping[str, NDArray]) -> Path:
    """Write id, exp, tex, angle, gamma, trans (1, n) and lm68 (1, 68, 2) as published."""
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, dict(values))
    return path


def random_values(seed: int) -> dict[str, NDArray]:
    """Coefficients of a face seen from about the front, and landmarks in the 224 crop."""
    rng = np.random.default_rng(seed)
    values = {name: rng.normal(0, 0.3, (1, size)).astype(np.float32) for name, size in SIZES.items()}
    return {**values, "lm68": rng.uniform(40, 180, (1, 68, 2)).astype(np.float32)}


def add_reconstructions(home: Path, names: Sequence[str], size: int = 32) -> None:
    """`coeff` and `rendered` of the cleaned datasets beside the images, for the given names without suffix."""
    (home / "rendered").mkdir()
    for seed, name in enumerate(names):
        write_mat(home / "coeff" / f"{name}.mat", random_values(seed))
        Image.fromarray(noise(size, 500 + seed)).save(home / "rendered" / f"{name}.png")
