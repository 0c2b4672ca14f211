"""Of golden3d 14: area-weighted normals (`vn_*`) and the text of mesh files (`obj_*`, `mtl_text`)."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from facegen.rendering.normals import vertex_normals
from facegen.rendering.obj_file import mtl_text, obj_text
from tests.data.golden3d import arrays, keys

pytestmark = pytest.mark.parity
NAME = "14_ffhquv_fitting.npz"


def vn_out(theirs: np.ndarray) -> None:
    """The reference's faces are clockwise seen from where its normals point."""
    golden = arrays(NAME)
    vertices, faces = torch.from_numpy(golden["vn_vertices"]), torch.from_numpy(golden["vn_faces"])
    np.testing.assert_allclose(vertex_normals(vertices, faces.flip(-1)), theirs, atol=1e-12)
    single = vertex_normals(vertices.float(), faces.flip(-1))
    np.testing.assert_allclose(single, theirs, atol=1e-5)


def face_lines(theirs: np.ndarray) -> list[list[int]]:
    """Its polygons, counted from 0."""
    lines = [line.split()[1:] for line in str(theirs).splitlines() if line.startswith("f ")]
    return [[int(word.split("/")[0]) - 1 for word in words] for words in lines]


def obj_text_uv(theirs: np.ndarray) -> None:
    golden, faces = arrays(NAME), face_lines(theirs)
    library = str(theirs).splitlines()[0].split()[1]
    assert obj_text(golden["obj_v"], faces, uv=golden["obj_vt"], library=library) == str(theirs)


def obj_text_rgb(theirs: np.ndarray) -> None:
    golden = arrays(NAME)
    colors = np.array([line.split()[4:] for line in str(theirs).splitlines() if line.startswith("v ")], np.float64)
    assert colors.shape[1] == 3
    assert obj_text(golden["obj_v"][: len(colors)], face_lines(theirs), colors) == str(theirs)


def mtl(theirs: np.ndarray) -> None:
    name, texture = str(theirs).split()[1], str(theirs).split()[-1]
    assert mtl_text(texture) == mtl_text(texture, name) == str(theirs)


TESTS: dict[str, Callable[[np.ndarray], None] | None] = {
    "vn_vertices": None,
    "vn_faces": None,
    "vn_out": vn_out,
    "obj_v": None,
    "obj_vt": None,
    "obj_text_uv": obj_text_uv,
    "obj_text_rgb": obj_text_rgb,
    "mtl_text": mtl,
}
OURS = ("vn_", "obj_", "mtl_")


@pytest.mark.parametrize("key", [key for key in keys(NAME) if not isinstance(key, str) or key.startswith(OURS)])
def test_reference(key: str) -> None:
    if (test := TESTS[key]) is not None:
        test(arrays(NAME)[key])
