"""Masks, sketches, search and SFHQ's facts against golden3d's files 15 (arrays) and 17: every key is compared."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from facegen.data import masks
from facegen.data.layouts import sfhq, sfhq_t2i
from facegen.data.search import NEAR_DUPLICATE_COSINE, num_candidates, search, similar_pairs, similarity
from facegen.data.sketches import sketch
from tests.data.golden3d import arrays, described, keys, same
from tests.data.samples.sfhq import SHIPPED
from tests.geometry.reference import reference_file

ARRAYS, FACTS = "15_mmceleba_sfhq.npz", "17_sfhq_layout.json"
pytestmark = pytest.mark.parity


def _given(key: str) -> np.ndarray:
    return arrays(ARRAYS)[key]


def _parts() -> np.ndarray:
    return np.unpackbits(_given("mask_parts"), axis=2).astype(bool)


def _clip_top() -> np.ndarray:
    return search(_given("clip_features"), _given("clip_text"), num_candidates(len(_given("clip_text")))).rows


FOUND: dict[str, Callable[[], np.ndarray]] = {
    "mask_parts": lambda: np.packbits(_parts(), axis=2),
    "mask_id_celebamask": lambda: masks.merge_parts(_parts()),
    "mask_id_faceparsing": lambda: masks.merge_parts(_parts(), masks.FACE_PARSING),
    "mask_color": lambda: masks.colorize(masks.merge_parts(_parts())),
    "sketch_rgb": lambda: _given("sketch_rgb"),  # input of the next two
    "sketch_gray": lambda: _grey(_given("sketch_rgb")),
    "sketch_out": lambda: sketch(_given("sketch_rgb")),
    "sketch_of_gray_direct": lambda: sketch(_given("sketch_gray")),
    "clip_features": lambda: _given("clip_features"),  # input of the rest
    "clip_text": lambda: _given("clip_text"),
    "clip_similarity": lambda: similarity(_given("clip_features"), _given("clip_text")),
    "clip_top": lambda: _clip_top(),
    "clip_pairs_over_092": lambda: np.stack(similar_pairs(_given("clip_features"), block=16)[:2], axis=1),
    "clip_pair_similarity": lambda: similar_pairs(_given("clip_features")).similarity,
}


def _grey(rgb: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))


@pytest.mark.parametrize("key", keys(ARRAYS))
def test_masks_sketches_and_search(key: str) -> None:
    expected, found = _given(key), FOUND[key]()
    if expected.dtype.kind == "f":
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    else:
        np.testing.assert_array_equal(found, expected)


def test_conversion_agrees_with_merging_where_parts_do_not_overlap() -> None:
    if not (path := reference_file(f"golden3d/{ARRAYS}")).exists():
        pytest.skip(f"reference numbers not found: {path}")
    once = _parts().sum(0) <= 1
    converted = masks.convert_ids(_given("mask_id_celebamask"), masks.CELEBAMASK, masks.FACE_PARSING)
    assert once.any() and len(np.unique(converted)) > 5
    np.testing.assert_array_equal(converted[once], _given("mask_id_faceparsing")[once])


def _parts_of_sfhq(parts: list[dict[str, Any]]) -> None:
    ours = [(part.number, part.images, list(part.inspiration)) for part in sfhq.PARTS]
    assert [(part["part"], part["images"], part["inspiration"]) for part in parts] == ours
    samples = {part[key] for part in parts for key in ("tiny_sample", "small_sample") if key in part}
    assert samples and all(sfhq.SAMPLE.fullmatch(name) for name in samples)
    assert not sfhq.SAMPLE.fullmatch("images")


def _groups(rules: dict[str, str]) -> None:
    ids = np.arange(masks.NUM_IDS, dtype=np.uint8)[None]
    assert rules.keys() == masks.GROUPS.keys()
    for name, rule in rules.items():
        assert masks.in_group(ids, name)[0].tolist() == [eval(rule, {"id": number}) for number in range(masks.NUM_IDS)]


def _folders(folders: dict[str, str]) -> None:
    assert {name: text.split()[0].rstrip(",:") for name, text in folders.items()} == SHIPPED


def _search(rules: dict[str, str]) -> None:
    count = eval(rules["candidates"].split(",")[0], {"int": int, "num_show": 2 * 4 + 1})
    assert count == num_candidates(4) and "num_show=2*len(queries)+1" in rules["candidates"]
    assert rules.keys() == {"normalise", "score", "candidates", "prefix"}  # compared as clip_similarity and clip_top


def _successor(facts: dict[str, Any]) -> None:
    assert facts["csv"] == sfhq_t2i.TABLE and facts["columns"] == list(sfhq_t2i.COLUMNS)
    assert facts["counts"] == sfhq_t2i.MODELS and facts["models"] == list(sfhq_t2i.MODELS)
    assert facts["total"] == sum(sfhq_t2i.MODELS.values())
    assert facts["derived_columns"] == list(sfhq_t2i.DERIVED)
    assert facts["images"] == "images/<image_filename>" and facts["configs"] == "JSON string per row"
    assert len(facts) == 8


CHECKS: dict[str, Callable[[Any], None]] = {
    "parts": _parts_of_sfhq,
    "total": lambda total: same(total, sum(part.images for part in sfhq.PARTS)),
    "root": lambda root: same(root, f"{sfhq.PART_NAME}{{1..{len(sfhq.PARTS)}}}"),
    "image_size": lambda size: same(size, sfhq.IMAGE_SIZE),
    "annotation_size_before_upscaling": lambda size: same(size, sfhq.ANNOTATED_AT),
    "folders": _folders,
    "feature_key": lambda key: same(key, sfhq.FEATURES),
    "clip_model": lambda name: same(name, sfhq.CLIP_MODEL),
    "clip_dim": lambda size: same(size, sfhq.CLIP_SIZE),
    "landmark_count": lambda count: same(count, sfhq.NUM_LANDMARKS),
    "segmentation_classes": lambda classes: same(classes, masks.FACE_PARSING),
    "groups_used_by_the_script": _groups,
    "darkening_factor": lambda factor: same(factor, masks.DARKENING),
    "search": _search,
    "near_duplicate_cosine": lambda cosine: same(cosine, NEAR_DUPLICATE_COSINE),
    "t2i_successor": _successor,
}


@pytest.mark.parametrize("key", keys(FACTS))
def test_sfhq(key: str) -> None:
    CHECKS[key](described(FACTS)[key])
