"""Lists of ids that ship with facegen: facts about published datasets, as their authors list them."""

from pathlib import Path

_FOLDER = Path(__file__).parent
_LAYOUTS = {"ffhq_excluded": ("ffhq",), "celebahq_excluded": ("celebahq", "mm_celebahq")}


def excluded(dataset: str) -> list[str]:
    """Names of the images that the cleaned version of a dataset leaves out: `ffhq` (900) or `celebahq` (563)."""
    return packaged(f"{dataset}_excluded")


def serves(name: str, layout: str) -> bool:
    """Whether a list, `pkg:NAME`, is about the images of a layout."""
    return layout in _LAYOUTS.get(name.rpartition(":")[2], ())


def packaged(name: str) -> list[str]:
    """Ids of the list NAME.txt of this folder, in its order. Raises ValueError for a list that does not exist."""
    known = sorted(path.stem for path in _FOLDER.glob("*.txt"))
    if name not in known:
        raise ValueError(f"pkg:{name} is no list of facegen; expected one of: {', '.join(f'pkg:{k}' for k in known)}")
    lines = (_FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]
