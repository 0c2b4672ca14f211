"""The layouts of published datasets, and which one a path has."""

from pathlib import Path

from facegen.data.layouts.celebahq import CELEBAHQ
from facegen.data.layouts.ffhq import FFHQ
from facegen.data.layouts.ffhq_eg3d import FFHQ_EG3D
from facegen.data.layouts.ffhq_uv import FFHQ_UV, FFHQ_UV_INTERPOLATE
from facegen.data.layouts.layout import Annotations, Layout, Place, Terms
from facegen.data.layouts.lpff import CURATED_EG3D, CURATED_STYLEGAN, LPFF_EG3D, LPFF_STYLEGAN
from facegen.data.layouts.mm_celebahq import MM_CELEBAHQ
from facegen.data.layouts.sfhq import SFHQ

__all__ = ["FOLDER", "LAYOUTS", "Annotations", "Layout", "Place", "Terms", "expected", "find"]


def anywhere(path: Path) -> Place:
    """A folder, or a zip with what lies around it."""
    return Place(path, path if path.is_dir() else path.parent)


# Any folder or uncompressed zip of images, with NVIDIA's dataset.json where there is one.
FOLDER = Layout("folder", None, anywhere)
LAYOUTS: tuple[Layout, ...] = (
    FFHQ,
    FFHQ_EG3D,
    CELEBAHQ,
    LPFF_EG3D,
    LPFF_STYLEGAN,
    CURATED_EG3D,
    CURATED_STYLEGAN,
    SFHQ,
    FFHQ_UV,
    FFHQ_UV_INTERPOLATE,
    MM_CELEBAHQ,
)


def expected(name: str | None) -> str:
    """What a path should have been, in words."""
    terms = next((layout.terms for layout in LAYOUTS if layout.name == name), None)
    if terms is None:
        return "a folder of images or an uncompressed zip"
    where = "datasets.NAME=FOLDER or FACEGEN_DATASETS=FOLDER says where datasets are (configs/datasets/default.yaml)"
    return f"the files of {terms.title}, from {terms.home}; {where}"


def find(path: Path, name: str | None = None) -> tuple[Layout, Place]:
    """Layout and place of a dataset: the named layout, or the only one that knows the path, or a plain folder.

    Raises ValueError for an unknown name, for a path that has not the named layout, and where several fit.
    """
    if name is not None:
        known = {layout.name: layout for layout in (*LAYOUTS, FOLDER)}
        if name not in known:
            raise ValueError(f"layout: got {name!r}, expected one of: {', '.join(sorted(known))}")
        if (place := known[name].locate(path)) is None:
            terms = known[name].terms
            home = f", as {terms.home} describes it" if terms else ""
            raise ValueError(f"{path} is not laid out as {name}; expected its folder{home}, or another layout=")
        return known[name], place
    possible = [(layout, place) for layout in LAYOUTS if (place := layout.locate(path)) is not None]
    found = [(layout, place) for layout, place in possible if layout.sure(path)]
    if len(found) > 1:
        choices = ", ".join(f"layout={layout.name} ({place.images})" for layout, place in found)
        raise ValueError(f"{path} holds several datasets; choose one: {choices}")
    return found[0] if found else (FOLDER, anywhere(path))
