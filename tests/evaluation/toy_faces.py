"""Faces that judges can read without error: coloured masks, numbered renders, generators that paint them or do not."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import torch
from PIL import Image
from torch import Tensor, nn

from facegen.data import Recipe, table
from facegen.data.dataset import FaceDataset
from facegen.data.index import build_index
from facegen.data.part_orders import part_colors, part_names
from facegen.data.pictures import to_uint8
from facegen.data.sketches import sketch
from facegen.evaluation.adherence_sides import Judges
from facegen.evaluation.estimator import MorphableEstimator
from facegen.geometry.cameras import from_coefficients
from facegen.morphable.views import face_view
from facegen.networks.parsing import ParsingNetwork
from tests.morphable.small import small_model
from tests.morphable.test_regressor import small_regressor

SIDE, COUNT = 16, 8
COLUMNS = ["parts", "sketch", "coefficients"]


def toy_coefficients() -> Tensor:
    """Faces of the small model with poses of their own, (COUNT, K)."""
    model, generator = small_model(), torch.Generator().manual_seed(3)
    found = torch.randn(COUNT, model.layout.total, generator=generator)
    parts = model.split(found)
    turned = parts._replace(angle=0.3 * parts.angle, translation=0.05 * parts.translation, light=0.02 * parts.light)
    return model.layout.join(turned)


def toy_labels() -> Tensor:
    """Their cameras, (COUNT, 25)."""
    parts = small_model().split(toy_coefficients())
    return from_coefficients(parts.angle, parts.translation)


def toy_pictures() -> Tensor:
    """Renders of them, uint8, with the number of the face in red in the first pixel."""
    view = face_view(small_model(), toy_coefficients(), SIDE)
    pictures = to_uint8(view.images)
    pictures[:, 0, 0, 0] = torch.arange(COUNT)
    assert not view.mask[:, :, 0, 0].any()
    return pictures


def toy_masks() -> np.ndarray:
    """A mask of parts for each face (COUNT, SIDE, SIDE): skin, hair and cloth in places of their own."""
    rng, masks = np.random.default_rng(1), np.zeros((COUNT, SIDE, SIDE), dtype=np.uint8)
    for mask in masks:
        for part in (1, 2, 8):
            top, left = rng.integers(0, SIDE - 6, 2)
            mask[top : top + 6, left : left + 6] = part
    return masks


def toy_folder(folder: Path) -> Path:
    """A source of these faces with masks, sketches, coefficients and cameras."""
    folder.mkdir(parents=True)
    coefficients = toy_coefficients()
    pairs = zip(toy_pictures(), toy_masks(), strict=True)
    for number, (picture, mask) in enumerate(pairs):
        pixels = np.ascontiguousarray(picture.permute(1, 2, 0).numpy())
        Image.fromarray(pixels).save(folder / f"{number}.png")
        for name, drawn in ((".masks", mask), (".sketches", cv2.cvtColor(sketch(pixels), cv2.COLOR_GRAY2RGB))):
            (folder / name).mkdir(exist_ok=True)
            Image.fromarray(np.asarray(drawn)).save(folder / name / f"{number}.png")
    entries = [[f"{number}.png", label] for number, label in enumerate(toy_labels().tolist())]
    (folder / "dataset.json").write_text(json.dumps({"labels": entries}))
    indexed = build_index(folder)
    names = [str(number) for number in range(COUNT)]
    values = pa.FixedSizeListArray.from_arrays(pa.array(coefficients.numpy().ravel()), coefficients.shape[1])
    columns = {"id": names, "parts": [f".masks/{name}.png" for name in names]}
    columns |= {"sketch": [f".sketches/{name}.png" for name in names], "coefficients": values}
    table.set_columns(indexed.path, pa.table(columns))
    return folder


def toy_dataset(folder: Path, columns: list[str] | None = None) -> FaceDataset:
    """The source with some of its columns."""
    return FaceDataset(Recipe(folder, SIDE, labels=True, conditions=COLUMNS if columns is None else columns))


class Colours(ParsingNetwork):
    """A parser that reads the colours of masks."""

    def __init__(self, column: str = "parts") -> None:
        super().__init__(part_names(column), SIDE, [8], groups=8)

    def forward(self, images: Tensor) -> Tensor:
        colors = torch.from_numpy(part_colors(self.parts)).float() / 127.5 - 1
        return -(images[:, None] - colors[None, :, :, None, None]).abs().sum(dim=2)


class Numbers(MorphableEstimator):
    """An estimator that reads the number in the first pixel, and knows whose coefficients that are."""

    def __init__(self) -> None:
        super().__init__(small_regressor())

    def to(self, device: Any) -> "Numbers":
        return self

    def _coefficients(self, images: Tensor, pictures: Tensor) -> tuple[Tensor, Tensor]:
        found = toy_coefficients()[images[:, 0, 0, 0].long() % COUNT]
        return found, torch.full((len(found),), torch.nan)


JUDGES = Judges(Colours().eval(), Numbers())


class Painter(nn.Module):
    """A generator with the interface of `LatentGenerator` that paints what it is told, or what its noise says.

    kind: `mask` paints the hint, `face` the face whose camera it gets, `deaf` a face or mask that only z chooses.
    """

    conditioner = None
    condition_names, img_resolution, z_dim = (), SIDE, 4

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.weight = kind, nn.Parameter(torch.zeros(1))
        self.control_names = () if kind == "face" else ("parts",)
        self.c_dim = 25
        self.told: list[Any] = []
        self.shown: list[str] = []  # names of hints

    def forward(self, z: Tensor, c: Tensor, conditions: Any, *, hints: Any, randn: Any, **settings: Any) -> Tensor:
        self.told.append((z, randn([len(z), 2])))
        self.shown += hints
        if self.kind == "mask":
            return hints["parts"] * 2 - 1
        pictures = toy_pictures() / 127.5 - 1
        if self.kind == "face":
            return pictures[torch.cdist(c, toy_labels()).argmin(dim=1)]
        return pictures[(z.abs().sum(dim=1) * 1000).long() % COUNT]
