from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facegen.data import masks
from facegen.data.mask_parts import merge_folder, part_file, read_parts
from facegen.data.masks import CELEBAMASK, FACE_PARSING
from facegen.data.sketches import sketch

ALL = np.arange(masks.NUM_IDS, dtype=np.uint8).reshape(1, -1)


def test_both_orders_name_the_same_parts() -> None:
    assert len(CELEBAMASK) == len(set(CELEBAMASK)) == 19 and set(CELEBAMASK) == set(FACE_PARSING)


def test_conversion_keeps_names_and_is_undone_by_its_inverse() -> None:
    converted = masks.convert_ids(ALL, CELEBAMASK, FACE_PARSING)
    assert [FACE_PARSING[number] for number in converted[0]] == list(CELEBAMASK)
    np.testing.assert_array_equal(masks.convert_ids(converted, FACE_PARSING, CELEBAMASK), ALL)
    np.testing.assert_array_equal(masks.colorize(converted, FACE_PARSING), masks.colorize(ALL))
    assert len(np.unique(masks.COLORS, axis=0)) == 19


@pytest.mark.parametrize("order", [CELEBAMASK, FACE_PARSING])
def test_later_parts_win(order: tuple[str, ...]) -> None:
    parts = np.zeros((18, 1, 3), bool)
    nose, neck, hat = (CELEBAMASK.index(name) - 1 for name in ("nose", "neck", "hat"))
    parts[nose, 0, 0] = parts[neck, 0, :2] = parts[hat, 0, :2] = True
    winners = [max(("neck", "hat", *extra), key=order.index) for extra in (["nose"], [])]
    assert [order[number] for number in masks.merge_parts(parts, order)[0]] == [*winners, "background"]
    with pytest.raises(ValueError, match="expected 18"):
        masks.merge_parts(parts[:17])


def test_unknown_ids_and_groups_are_refused() -> None:
    with pytest.raises(ValueError, match="got the id 19, expected 0 to 18"):
        masks.colorize(ALL + 1)
    with pytest.raises(ValueError, match="'nose', expected one of: face, "):
        masks.in_group(ALL, "nose")


def test_darkening_leaves_the_rest() -> None:
    image = np.full((2, 2, 3), 200, np.uint8)
    where = np.array([[True, False], [False, False]])
    assert masks.darken(image, where)[..., 0].tolist() == [[70, 200], [200, 200]] and image.min() == 200


def _write_part(folder: Path, face: int, part: str, rows: slice, mode: str = "RGB") -> None:
    path = part_file(folder, face, part)
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((512, 512), np.uint8)
    pixels[rows] = 255
    Image.fromarray(pixels).convert(mode).save(path)


def test_parts_on_disk_become_masks(tmp_path: Path) -> None:
    folder = tmp_path / "CelebAMask-HQ-mask-anno"
    _write_part(folder, 2001, "skin", slice(0, 200))
    _write_part(folder, 2001, "hair", slice(100, 150), "L")
    assert (folder / "1" / "02001_skin.png").is_file()
    merge_folder(folder, tmp_path / "label", [2001])
    merged = np.asarray(Image.open(tmp_path / "label" / "2001.png"))
    assert [CELEBAMASK[number] for number in merged[[0, 120, 300], 5]] == ["skin", "hair", "background"]
    before = (tmp_path / "label" / "2001.png").stat().st_mtime_ns
    merge_folder(folder, tmp_path / "label", [2001])
    assert (tmp_path / "label" / "2001.png").stat().st_mtime_ns == before


def test_damaged_parts_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no part of face 3, such as 00003_skin\.png"):
        read_parts(tmp_path, 3)
    _write_part(tmp_path, 3, "nose", slice(0, 2))
    path = part_file(tmp_path, 3, "nose")
    Image.new("L", (8, 8)).save(path)
    with pytest.raises(ValueError, match=r"00003_nose\.png: got 8x8, expected 512x512"):
        read_parts(tmp_path, 3)
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(ValueError, match=r"00003_nose\.png: not a readable picture"):
        read_parts(tmp_path, 3)


def test_sketches_draw_edges_on_white() -> None:
    image = np.full((20, 20, 3), 60, np.uint8)
    image[:, 10:] = 180
    drawn = sketch(image)
    assert drawn[:, :8].min() == drawn[:, 13:].min() == 255 and drawn[:, 9:11].max() < 70
    np.testing.assert_array_equal(drawn, sketch(image[..., 0]))  # a grey image is what its RGB copy is
    assert 0 < (255 - sketch(255 - image)[10, 9]) == (255 - drawn[10, 9])  # an edge counts in both directions
