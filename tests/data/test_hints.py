"""Hints: pictures of what is known of faces, right for flipped ones, and refused where it is not known."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from facegen.data import FaceDataModule, Recipe, hint_faces
from facegen.data.batch import FaceBatch
from facegen.data.dataset import FaceDataset
from facegen.data.hint_faces import KNOWN, RENDERS, known_coefficients
from facegen.data.hint_lines import draw_landmarks
from facegen.data.hints import HINTS, hint, hint_columns, mask_colors
from facegen.data.masks import CELEBAMASK, FACE_PARSING, colorize
from facegen.data.part_orders import part_names
from facegen.data.synthetic import synthesize

SIDE = 64
FACE = ("skin", "eye", "lips", "mouth", "ear", "brow")


@pytest.fixture(scope="module", autouse=True)
def coarse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The mesh that the faces here are made with: the whole one takes seconds to make."""
    own = hint_faces._own
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEGEN_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(hint_faces, "_own", lambda detail: own(0.3))
        yield
    own.cache_clear()


@pytest.fixture(scope="module")
def root(coarse: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthesize(tmp_path_factory.mktemp("made") / "faces", 6, SIDE, seed=5, workers=0, detail=0.3)


@pytest.fixture(scope="module")
def batch(root: Path) -> FaceBatch:
    recipe = Recipe(str(root), SIDE, labels=True, conditions=[*KNOWN, "landmarks", "parts"])
    return FaceDataset(recipe)[list(range(6))]


def without(batch: FaceBatch, *names: str) -> FaceBatch:
    return batch._replace(conditions={name: value for name, value in batch.conditions.items() if name not in names})


def seen(picture: Tensor) -> Tensor:
    return picture.amax(dim=1) > 0


@pytest.mark.parametrize("name", [*RENDERS, "landmarks", "parts"])
def test_hints_are_pictures_of_the_faces(name: str, batch: FaceBatch) -> None:
    found = hint(name, batch)
    assert found.shape == (6, 3, SIDE, SIDE) and found.dtype == torch.float32
    assert found.min() == 0 and 0.3 < found.max() <= 1
    assert not torch.equal(found[0], found[1])
    larger = hint(name, batch, 96) if name != "parts" else found
    smaller = torch.nn.functional.interpolate(larger, SIDE, mode="area")
    assert (smaller - found).abs().mean() < 0.03


def test_renders_lie_on_the_faces(batch: FaceBatch) -> None:
    """Hair hides some of what is drawn; what is skin in the picture is nearly all drawn, in about its colours."""
    ids = batch.conditions["parts"][:, 0]
    skin = ids == part_names("parts").index("skin")
    render = hint("render", batch)
    assert (seen(render) & skin).sum() > 0.85 * skin.sum()
    both = (seen(render) & skin)[:, None].expand(-1, 3, -1, -1)
    assert (render - batch.images / 255).abs()[both].mean() < 0.08
    assert torch.equal(seen(hint("depth", batch)), seen(hint("uv", batch)))


def test_normals_are_unit_vectors_and_depth_is_near_at_the_nose(batch: FaceBatch) -> None:
    normals, depth = hint("normals", batch), hint("depth", batch)
    inside = seen(depth)
    lengths = (2 * normals - 1).norm(dim=1)[inside]
    torch.testing.assert_close(lengths, torch.ones_like(lengths), rtol=0, atol=1e-4)
    points = batch.conditions["landmarks"].unflatten(1, (68, 2)).long().clamp(0, SIDE - 1)
    nose, chin = (depth[torch.arange(6), 0, points[:, at, 1], points[:, at, 0]] for at in (30, 8))
    assert (nose > chin).float().mean() > 0.8 and nose.min() > 0.5


def test_landmarks_are_drawn_where_they_are(batch: FaceBatch) -> None:
    of_column, of_coefficients = hint("landmarks", batch), hint("landmarks", without(batch, "landmarks"))
    torch.testing.assert_close(of_column, of_coefficients, rtol=0, atol=0.02)
    points = batch.conditions["landmarks"].unflatten(1, (68, 2))
    for face, picture in zip(points, of_column, strict=True):
        inside = ((face > 1) & (face < SIDE - 1)).all(dim=1)
        x, y = face[inside].long().unbind(-1)
        assert (picture.amax(dim=0)[y, x] > 0.05).float().mean() > 0.9


def test_a_line_of_a_missing_point_is_left_out() -> None:
    points = torch.linspace(0.1, 0.9, 68)[:, None].expand(68, 2).clone()
    whole = draw_landmarks(points[None], 32)
    points[3] = torch.nan
    part = draw_landmarks(points[None], 32)
    assert whole.max() == 1 and (part != whole).any() and part.any()
    assert not draw_landmarks(torch.full((1, 68, 2), torch.nan), 32).any()


@pytest.mark.parametrize(("column", "order"), [("mask", CELEBAMASK), ("segmentation", FACE_PARSING)])
def test_masks_have_the_colours_of_their_parts(column: str, order: tuple[str, ...]) -> None:
    ids = torch.arange(19, dtype=torch.uint8).view(1, 1, 1, 19)
    expected = torch.from_numpy(colorize(ids[0, 0].numpy(), order)).permute(2, 0, 1)[None] / 255
    torch.testing.assert_close(mask_colors(ids, column), expected)
    with pytest.raises(ValueError, match="id 19"):
        mask_colors(ids + 1, column)


def test_hints_of_flipped_faces_are_flipped(root: Path) -> None:
    data = FaceDataModule(Recipe(str(root), SIDE, mirror=True, labels=True, conditions=["parts"]), 12, workers=0)
    batch = next(iter(data.sequential_dataloader(mirror=True)))
    found = hint("parts", batch)
    assert len(batch.ids) == 12 and torch.equal(found[6:], found[:6].flip(-1))
    with pytest.raises(ValueError, match="coefficients_identity of flipped faces is not known; set mirror=false"):
        FaceDataset(Recipe(str(root), SIDE, mirror=True, labels=True, conditions=list(KNOWN)))
    with pytest.raises(ValueError, match="hints: render needs coefficients_identity"):
        hint("render", batch)


def test_left_and_right_of_flipped_masks() -> None:
    """A flipped face's left eye is where its right one was, and has the left one's colour."""
    from facegen.data.conditions import _flip

    mask = np.zeros((1, 4, 4), np.uint8)
    mask[0, 1, 0], mask[0, 1, 3] = CELEBAMASK.index("l_eye"), CELEBAMASK.index("r_eye")
    pair = torch.from_numpy(np.stack([mask, _flip("mask", mask)]))
    assert torch.equal(*mask_colors(pair).unbind())


def test_columns_of_pictures_and_of_coefficients_of_a_model(batch: FaceBatch) -> None:
    pictures = torch.randint(0, 256, (6, 3, SIDE, SIDE), dtype=torch.uint8)
    given = batch._replace(conditions={"render": pictures, "sketch": pictures})
    torch.testing.assert_close(hint("render", given), pictures / 255)
    torch.testing.assert_close(hint("sketch", given), pictures / 255)
    made = given._replace(conditions={"render": pictures / 127.5 - 1})
    torch.testing.assert_close(hint("render", made), pictures / 255)
    own = hint_faces._own(0.3)
    coefficients = known_coefficients(batch, own.faces)
    coefficients[2, 0] = torch.nan
    alike = batch._replace(cameras=torch.empty(6, 0), conditions={"coefficients": coefficients})
    found = hint("render", alike, model=own.model)
    torch.testing.assert_close(found[3:], hint("render", batch)[3:])
    assert not found[2].any()
    with pytest.raises(ValueError, match=r"expected \(N, 120\) for this morphable model"):
        hint("render", alike._replace(conditions={"coefficients": torch.zeros(6, 257)}))


def test_what_hints_are_made_of() -> None:
    assert hint_columns("parts") == ("parts",) and hint_columns("sketch") == ("sketch",)
    assert hint_columns("render") == KNOWN and hint_columns("render", ["render"]) == ("render",)
    assert hint_columns("depth", ["coefficients"]) == ("coefficients",)
    assert hint_columns("landmarks") == ("landmarks",) and hint_columns("landmarks", KNOWN) == KNOWN
    assert all(hint_columns(name) for name in HINTS)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("shadow", {}, "hints: got 'shadow', expected one of render, albedo"),
        ("mask", {}, r"the faces come without mask; add data.conditions=\[mask\]"),
        ("sketch", {}, "the faces come without sketch"),
        ("normals", {"cameras": torch.empty(6, 0)}, "hints: normals needs camera labels"),
        ("parts", {"images": torch.empty(6, 3, 32, 32)}, "parts: got pictures of 64 pixels, expected 32"),
        ("landmarks", {"images": torch.empty(6, 3, 16, 16)}, "landmarks lie far outside"),
    ],
)
def test_refusals(name: str, change: dict, said: str, batch: FaceBatch) -> None:
    with pytest.raises(ValueError, match=said):
        hint(name, batch._replace(**change))
