"""Mistakes in recipes, and in the commands that look at them, pack them and make datasets; samples are whole."""

import os
from pathlib import Path

from benchmarks import damage
from benchmarks.bad_photographs import FACE
from benchmarks.damage import Act
from benchmarks.dataset_case import SAMPLES, Case
from facegen.data.index import build_index

FFHQ, LPFF, SFHQ = "data=ffhq datasets.ffhq=ffhq-dataset", "data=lpff datasets.lpff=LPFF-dataset", "datasets.sfhq=."


def cases() -> list[Case]:
    """All of them."""
    return [*recipes(), *commands()]


def _whole(home: Path) -> None:
    """Nothing is damaged."""


def _indexed(home: Path) -> None:
    build_index(home)


def _case(sample: str, wrong: str, words: str, *line: str, act: Act = _whole) -> Case:
    return Case(sample, wrong, act, words, 2, line)


def recipes() -> list[Case]:
    """Recipes that cannot be."""
    where = "+data.sources.ffhq.where"
    exclude = "+data.sources.ffhq.exclude"
    wrong_copies = damage.content("../copies.json", b'{"0": 2, "1": 1}')
    return [
        _case("lpff", "an unknown recipe", "train data=lpfff datasets.lpff=LPFF-dataset", "did you mean lpff?"),
        _case(
            "lpff", "an unknown rule", f"train {LPFF} data.rebalance=lpfff", "expected one of: lpff, eg3d, importance",
        ),
        _case(
            "lpff", "a dataset's folder that is missing", "train data=lpff datasets.lpff=lpff", "lpff does not exist",
            "https://", "FACEGEN_DATASETS",
        ),
        _case(
            "lpff", "another dataset's folder", "train data=ffhq datasets.ffhq=LPFF-dataset",
            "LPFF-dataset is not laid out as ffhq", "https://",
        ),
        _case(
            "lpff", "another dataset's layout", "data index root=LPFF-dataset layout=sfhq",
            "LPFF-dataset is not laid out as sfhq",
        ),
        _case("lpff", "an unknown layout", "data index root=LPFF-dataset layout=lpff", "expected one of", "lpff_eg3d"),
        _case(
            "lpff", "a list that does not exist", f"train {LPFF} +data.sources.lpff.ids=faces.txt",
            "faces.txt is not a list", "it does not exist",
        ),
        _case(
            "lpff", "an unknown list of facegen's", f"train {LPFF} +data.sources.lpff.exclude=pkg:lpff", "pkg:lpff",
            "pkg:ffhq_excluded",
        ),
        _case(
            "lpff", "a pipe in the place of a list", f"train {LPFF} +data.sources.lpff.ids=faces.txt", "faces.txt",
            "pipe", act=lambda home: os.mkfifo(home.parent / "faces.txt"),
        ),
        _case(
            "ffhq", "a list of faces that fits nothing", f"train {FFHQ} {exclude}=faces.txt", "2 of 2", "'nobody'",
            "'00000'", act=damage.content("../faces.txt", b"nobody\nnowhere\n"),
        ),
        _case(
            "ffhq", "an empty list of faces", f"train {FFHQ} +data.sources.ffhq.ids=faces.txt", "faces.txt", "empty",
            act=damage.content("../faces.txt"),
        ),
        _case(
            "ffhq", "a condition without a table", f"train {FFHQ} '{where}=\"yaw_degrees > 40\"'",
            "facegen data index root=",
        ),
        _case(
            "ffhq", "a condition on a column that is not there", f"train {FFHQ} '{where}=\"yaw > 40\"'",
            "No field named yaw", "yaw_degrees", act=_indexed,
        ),
        _case(
            "ffhq", "a condition that is none", f"train {FFHQ} '{where}=\"yaw_degrees >\"'", "faces.lance",
            "yaw_degrees", act=_indexed,
        ),
        _case(
            "ffhq", "a condition that nobody fulfils", f"train {FFHQ} '{where}=\"yaw_degrees > 400\"'",
            "no image is left of 10", act=_indexed,
        ),
        _case("ffhq", "no repetition", f"train {FFHQ} +data.sources.ffhq.repeat=0", "ffhq-dataset: repeat"),
        _case(
            "ffhq", "labels of a dataset that ships none", f"train {FFHQ} data.labels=true",
            "images1024x1024 has no labels",
        ),
        _case(
            "sfhq", "rebalancing without poses", f"train data=sfhq_part1 {SFHQ} data.rebalance=lpff",
            "the pose of every face",
        ),
        _case(
            "sfhq", "EG3D's rule without cameras", f"train data=sfhq_part1 {SFHQ} data.rebalance=eg3d",
            "the camera of every face",
        ),
        _case(
            "lpff", "rebalancing with a face without pose", f"train {LPFF} data.rebalance=lpff", "1 of 6", FACE,
            act=damage.edited("camera_parameters.json", lambda c: c.pop(FACE)),
        ),
        _case(
            "ffhq_eg3d", "a table of copies for another dataset",
            "train data=ffhq_rebalanced datasets.ffhq_eg3d=FFHQ_512 data.rebalance.copies=copies.json", "copies.json",
            "2 faces", "10 faces", act=wrong_copies,
        ),
        _case(
            "ffhq_eg3d", "a table of copies that does not exist",
            "train data=ffhq_rebalanced datasets.ffhq_eg3d=FFHQ_512 data.rebalance.copies=copies.json", "copies.json",
        ),
    ]  # fmt: skip


def commands() -> list[Case]:
    """`facegen data stats`, `data pack`, `data curate`, `data clean` and `fit` on a dataset."""
    zip_file = SAMPLES["ffhq_eg3d"].home + ".zip"
    curate = "data curate root=ffhq-dataset out=mine"
    made = damage.content("../numbers.npz")
    return [
        _case(
            "ffhq", "statistics of a missing folder", "data stats data=ffhq datasets.ffhq=nowhere",
            "nowhere does not exist",
        ),
        _case("ffhq", "statistics against an unknown recipe", f"data stats {FFHQ} against=ffhqq", "against=ffhqq"),
        _case(
            "ffhq", "statistics written to a file", f"data stats {FFHQ} out=page.html", "page.html",
            act=damage.content("../page.html", b"x"),
        ),
        _case(
            "ffhq_eg3d", "statistics of half a zip", f"data stats data=zip data.root={zip_file}", zip_file, "zip file",
            act=damage.half(f"../{zip_file}"),
        ),
        _case("ffhq", "nothing to pack", "data pack out=faces.zip", "data is missing"),
        _case("ffhq", "a pack without a place", f"data pack {FFHQ}", "out is missing"),
        _case(
            "ffhq", "an unknown kind of pack", f"data pack {FFHQ} out=faces.zip format=rar",
            "format: got 'rar', expected zip or tar",
        ),
        _case(
            "ffhq", "a pack over the images", f"data pack {FFHQ} out=ffhq-dataset/images1024x1024",
            "images1024x1024 exists", "choose another out",
        ),
        _case(
            "ffhq", "a compression that does not exist", f"data pack {FFHQ} out=faces.zip compression=12",
            "compression: got 12",
        ),
        _case(
            "ffhq_eg3d", "half a zip, packed", f"data pack data=zip data.root={zip_file} out=faces", zip_file,
            "zip file", act=damage.half(f"../{zip_file}"),
        ),
        _case(
            "ffhq", "photographs that do not exist", "data curate root=nowhere out=mine",
            "root: nowhere does not exist",
        ),
        _case(
            "ffhq", "curation into the photographs", "data curate root=ffhq-dataset out=ffhq-dataset/mine",
            "out: ffhq-dataset/mine lies in the folder",
        ),
        _case("ffhq", "an unknown detector", f"{curate} detector=retina", "detector: got 'retina'"),
        _case("ffhq", "stages from the middle", f"{curate} stages=[crops]", "stages: got ['crops']", "detect"),
        _case("ffhq", "a morphable model of 0 bytes", f"{curate} morphable=numbers.npz", "numbers.npz", act=made),
        _case(
            "ffhq", "a morphable model that does not exist", f"{curate} morphable=bfm.mat", "bfm.mat does not exist",
        ),
        _case("ffhq", "a folder to clean that does not exist", "data clean root=nowhere", "nowhere does not exist"),
        _case(
            "ffhq", "a list of faces to leave out that is no file", "data clean root=ffhq-dataset out=bad",
            "out: got bad, expected a text file",
        ),
        _case(
            "ffhq", "a probability above one", "data clean root=ffhq-dataset max_score=3", "max_score: got 3",
        ),
        _case(
            "ffhq", "columns for a table that is not there", f"fit {FFHQ} index=true", "index=true", "data index root=",
        ),
        _case(
            "ffhq", "landmarks that a table has not", f"fit {FFHQ} landmarks=table", "landmarks=table: 10 of 10 faces",
        ),
        _case("ffhq", "half of a rule about density", f"{curate} max_density=0.4", "max_density and density_of"),
        _case("ffhq", "faces to exclude that are nowhere", f"{curate} exclude=faces.txt", "faces.txt does not exist"),
    ]  # fmt: skip
