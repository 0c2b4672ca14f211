"""Samples of all published datasets, by the names that `datasets.NAME=` has, and what of them is indexed."""

from pathlib import Path

from tests.data.samples.celebahq import make_celebahq
from tests.data.samples.ffhq import make_ffhq, make_ffhq_eg3d
from tests.data.samples.ffhq_uv import make_ffhq_uv
from tests.data.samples.lpff import make_lpff
from tests.data.samples.mm_celebahq import make_mm_celebahq
from tests.data.samples.sfhq import make_sfhq

PLACES = {  # folder below the dataset's, and layout
    "ffhq": [("", "ffhq")],
    "ffhq_eg3d": [("", "ffhq_eg3d")],
    "celebahq": [("", "celebahq")],
    "lpff": [("", "lpff_eg3d"), ("", "lpff_stylegan")],
    "sfhq": [(f"SFHQ_part{part}", "sfhq") for part in (1, 2, 3, 4)],
    "ffhq_uv": [("", "ffhq_uv")],
    "mm_celebahq": [("", "mm_celebahq")],
}
_OWN = ("folder", "zip", "faces", "synthetic", "curated")  # of no published dataset, as all of the quickstart
_FILES = (Path(__file__).parents[3] / "configs/data").glob("*.yaml")
RECIPES = sorted({path.stem for path in _FILES if not path.stem.startswith("quickstart")} - {*_OWN})


def make_all(root: Path) -> dict[str, Path]:
    """The folder of each dataset."""
    parts = [make_sfhq(root / "sfhq", part=part) for part in (1, 2, 3, 4)]
    return {
        "ffhq": make_ffhq(root / "a"),
        "ffhq_eg3d": make_ffhq_eg3d(root / "b"),
        "celebahq": make_celebahq(root / "c"),
        "lpff": make_lpff(root / "d"),
        "sfhq": parts[0].parent,
        "ffhq_uv": make_ffhq_uv(root / "e"),
        "mm_celebahq": make_mm_celebahq(root / "f"),
    }


def places(datasets: dict[str, Path]) -> list[str]:
    """Settings that say where they are."""
    return [f"datasets.{name}={path}" for name, path in datasets.items()]
