"""Captions, masks, sketches and search against golden3d's files 15 and 17: every key of them is compared."""

import json
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

from facegen.data import captions, celeba, masks, tokens
from facegen.data.captions import caption, caption_all, traits
from facegen.data.layouts import sfhq, sfhq_t2i
from facegen.data.layouts.mm_celebahq_lists import MAPPING
from facegen.data.search import NEAR_DUPLICATE_COSINE, num_candidates, search, similar_pairs, similarity
from facegen.data.sketches import sketch
from tests.geometry.reference import reference_file

JSON, NPZ, SFHQ = (f"golden3d/{name}" for name in ("15_mmceleba.json", "15_mmceleba_sfhq.npz", "17_sfhq_layout.json"))
pytestmark = pytest.mark.parity


@cache
def _json(name: str) -> dict[str, Any]:
    return json.loads(reference_file(name).read_text())


@cache
def _npz() -> dict[str, np.ndarray]:
    with np.load(reference_file(NPZ), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _keys(name: str) -> list[Any]:
    """The keys of a file, each to be compared; one skipped entry where there is no such file."""
    if not reference_file(name).exists():
        return [pytest.param("", marks=pytest.mark.skip(reason=f"no {reference_file(name)}"), id="absent")]
    if not name.endswith(".npz"):
        return list(_json(name))
    return list(_npz())


def _attributes(values: list[int]) -> dict[str, int]:
    return dict(zip(celeba.ATTRIBUTES, values, strict=True))


def _grammar(grammar: dict[str, Any]) -> None:
    categories = {"IsAttributes": captions.IS, "HasAttributes": captions.HAS, "WearAttributes": captions.WEARS}
    ours = {
        "categories": {name: list(names) for name, names in categories.items()},
        "subjects": {kind: list(subjects) for kind, subjects in captions.SUBJECTS.items()},
        "is_verbs": list(captions.IS_VERBS),
        "wear_verbs": list(captions.WEARS_VERBS),
        "have_verbs": list(captions.HAS_VERBS),
        "templates": list(captions.TEMPLATES),
        "template_all": captions.TEMPLATE_ALL,
        "captions_per_image": captions.CAPTIONS_PER_IMAGE,
    }
    assert {key: value for key, value in grammar.items() if key != "note"} == ours  # the note: what `items` show


def _items(items: list[dict[str, Any]]) -> None:
    for item in items:
        attributes = _attributes(item["attributes"])
        rng = random.Random(item["python_seed"])
        assert [caption(attributes, rng, published=True) for _ in item["captions"]] == item["captions"]
        kinds = zip(item["feature"].values(), traits(attributes)[1:], strict=True)
        assert all(theirs == ours for theirs, ours in kinds)
        assert caption_all(attributes, random.Random(item["python_seed"])) == item["caption_all_attributes"]
        unknown = item.keys() - {"attributes", "python_seed", "feature", "captions", "caption_all_attributes"}
        assert unknown <= {"text_file_lines"}  # input of the words below


def _tokenisation(expected: dict[str, Any]) -> None:
    lines = {str(number): item["text_file_lines"] for number, item in enumerate(_json(JSON)["items"]) if
             "text_file_lines" in item}  # fmt: skip
    train, test = (
        [words for name in expected[f"{part}_files"] for words in tokens.caption_words("\n".join(lines[name]))]
        for part in ("train", "test")
    )
    numbers = tokens.vocabulary([*train, *test])
    found: dict[str, Any] = {
        "train_tokens": train,
        "test_tokens": test,
        "wordtoix": numbers,
        "n_words": len(numbers),
        "train_ids": [tokens.encode(words, numbers) for words in train],
        "test_ids": [tokens.encode(words, numbers) for words in test],
        "txt_word_num": tokens.NUM_WORDS,
        "get_caption": [_padded(case, train, numbers) for case in expected["get_caption"]],
    }
    inputs = {"regex", "train_files", "test_files"}
    assert {key: value for key, value in expected.items() if key not in inputs} == found
    assert expected["regex"].startswith(tokens._WORD.pattern)


def _padded(case: dict[str, Any], train: list[list[str]], numbers: dict[str, int]) -> dict[str, Any]:
    rng = np.random.RandomState(case["numpy_seed"])
    padded = tokens.pad(tokens.encode(train[case["index"]], numbers), rng)
    return {**case, "tokens_padded": padded.numbers.tolist(), "length": padded.length}


def _partition(rules: dict[str, str]) -> None:
    for index in (0, 1, 162770, 162771, 162772, 182637, 182638, 182639, 202598):
        names = [part for part in ("val", "test") if eval(rules[part], {"celeba_index": index})]
        assert celeba.partition(index) == (names[0] if names else "train")
    assert rules.keys() == {"val", "test", "train", "celeba_index"}
    assert rules["celeba_index"] == f"second column of {MAPPING}"  # test_mm_celebahq.py reads such a file


def _layout(described: dict[str, str]) -> None:
    """The sample that the layout's tests read is laid out like this: tests/data/layouts/test_mm_celebahq.py."""
    from tests.data.samples.mm_celebahq import SHIPPED

    assert {key: described[key].split()[0].rstrip(":,") for key in SHIPPED} == SHIPPED
    assert described.keys() - SHIPPED.keys() == {"captions_pickle"}  # made by the loader, not shipped


JSON_CHECKS: dict[str, Callable[[Any], None]] = {
    "celeba_attributes": lambda names: _same(names, celeba.ATTRIBUTES),
    "attribute_file": lambda text: _attribute_file(text),
    "caption_grammar": _grammar,
    "items": _items,
    "tokenisation": _tokenisation,
    "celebamask_labels": lambda labels: _same(labels, masks.CELEBAMASK[1:]),
    "celebamask_colors": lambda colors: _same(colors, masks.COLORS.tolist()),
    "face_parsing_labels": lambda labels: _same(labels, masks.FACE_PARSING[1:]),
    "partition": _partition,
    "layout": _layout,
}


def _attribute_file(text: str) -> None:
    """A file written as the text says is read."""
    form = 'line 1: number of images; line 2: the 40 names; then "<id>.jpg v1 ... v40" with v in {-1,1}'
    assert text == form
    values = [item["attributes"] for item in _json(JSON)["items"]]
    rows = [f"{number}.jpg {' '.join(map(str, row))}" for number, row in enumerate(values)]
    with TemporaryDirectory() as folder:
        path = Path(folder, "attributes.txt")
        path.write_text("\n".join([str(len(rows)), " ".join(_json(JSON)["celeba_attributes"]), *rows]))
        found = celeba.read_attributes(path)
    assert found.ids == [str(number) for number in range(len(rows))] and found.values.tolist() == values


def _same(theirs: Any, ours: Any) -> None:
    assert theirs == (list(ours) if isinstance(ours, tuple) else ours)


@pytest.mark.parametrize("key", _keys(JSON))
def test_mm_celeba(key: str) -> None:
    JSON_CHECKS[key](_json(JSON)[key])


def _parts() -> np.ndarray:
    return np.unpackbits(_npz()["mask_parts"], axis=2).astype(bool)


def _clip(count: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    found = search(_npz()["clip_features"], _npz()["clip_text"], count or num_candidates(len(_npz()["clip_text"])))
    return found.rows, found.similarity


NPZ_FOUND: dict[str, Callable[[], np.ndarray]] = {
    "mask_parts": lambda: np.packbits(_parts(), axis=2),
    "mask_id_celebamask": lambda: masks.merge_parts(_parts()),
    "mask_id_faceparsing": lambda: masks.merge_parts(_parts(), masks.FACE_PARSING),
    "mask_color": lambda: masks.colorize(masks.merge_parts(_parts())),
    "sketch_rgb": lambda: _npz()["sketch_rgb"],  # input of the next two
    "sketch_gray": lambda: _grey(_npz()["sketch_rgb"]),
    "sketch_out": lambda: sketch(_npz()["sketch_rgb"]),
    "sketch_of_gray_direct": lambda: sketch(_npz()["sketch_gray"]),
    "clip_features": lambda: _npz()["clip_features"],  # input of the rest
    "clip_text": lambda: _npz()["clip_text"],
    "clip_similarity": lambda: similarity(_npz()["clip_features"], _npz()["clip_text"]),
    "clip_top": lambda: _clip()[0],
    "clip_pairs_over_092": lambda: np.stack(similar_pairs(_npz()["clip_features"], block=16)[:2], axis=1),
    "clip_pair_similarity": lambda: similar_pairs(_npz()["clip_features"]).similarity,
}


def _grey(rgb: np.ndarray) -> np.ndarray:
    import cv2

    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))


@pytest.mark.parametrize("key", _keys(NPZ))
def test_masks_sketches_and_search(key: str) -> None:
    expected, found = _npz()[key], NPZ_FOUND[key]()
    if expected.dtype.kind == "f":
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    else:
        np.testing.assert_array_equal(found, expected)


def test_conversion_agrees_with_merging_where_parts_do_not_overlap() -> None:
    if not reference_file(NPZ).exists():
        pytest.skip(f"no {reference_file(NPZ)}")
    once = _parts().sum(0) <= 1
    converted = masks.convert_ids(_npz()["mask_id_celebamask"], masks.CELEBAMASK, masks.FACE_PARSING)
    assert once.any() and len(np.unique(converted)) > 5
    np.testing.assert_array_equal(converted[once], _npz()["mask_id_faceparsing"][once])


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
    from tests.data.samples.sfhq import SHIPPED

    assert {name: text.split()[0].rstrip(",:") for name, text in folders.items()} == SHIPPED


def _search(rules: dict[str, str]) -> None:
    count = eval(rules["candidates"].split(",")[0], {"int": int, "num_show": 2 * 4 + 1})
    assert count == num_candidates(4) and "num_show=2*len(queries)+1" in rules["candidates"]
    assert rules.keys() == {"normalise", "score", "candidates", "prefix"}  # compared as clip_similarity and clip_top


def _successor(described: dict[str, Any]) -> None:
    assert described["csv"] == sfhq_t2i.TABLE and described["columns"] == list(sfhq_t2i.COLUMNS)
    assert described["counts"] == sfhq_t2i.MODELS and described["models"] == list(sfhq_t2i.MODELS)
    assert described["total"] == sum(sfhq_t2i.MODELS.values())
    assert described["derived_columns"] == list(sfhq_t2i.DERIVED)
    assert described["images"] == "images/<image_filename>" and described["configs"] == "JSON string per row"
    assert len(described) == 8


SFHQ_CHECKS: dict[str, Callable[[Any], None]] = {
    "parts": _parts_of_sfhq,
    "total": lambda total: _same(total, sum(part.images for part in sfhq.PARTS)),
    "root": lambda root: _same(root, f"{sfhq.PART_NAME}{{1..{len(sfhq.PARTS)}}}"),
    "image_size": lambda size: _same(size, sfhq.IMAGE_SIZE),
    "annotation_size_before_upscaling": lambda size: _same(size, sfhq.ANNOTATED_AT),
    "folders": _folders,
    "feature_key": lambda key: _same(key, sfhq.FEATURES),
    "clip_model": lambda name: _same(name, sfhq.CLIP_MODEL),
    "clip_dim": lambda size: _same(size, sfhq.CLIP_SIZE),
    "landmark_count": lambda count: _same(count, sfhq.NUM_LANDMARKS),
    "segmentation_classes": lambda classes: _same(classes, masks.FACE_PARSING),
    "groups_used_by_the_script": _groups,
    "darkening_factor": lambda factor: _same(factor, masks.DARKENING),
    "search": _search,
    "near_duplicate_cosine": lambda cosine: _same(cosine, NEAR_DUPLICATE_COSINE),
    "t2i_successor": _successor,
}


@pytest.mark.parametrize("key", _keys(SFHQ))
def test_sfhq(key: str) -> None:
    SFHQ_CHECKS[key](_json(SFHQ)[key])
