"""Captions, words, labels and lists of Multi-Modal-CelebA-HQ against golden3d's file 15: every key is compared."""

import random
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

from facegen.data import captions, celeba, masks, tokens
from facegen.data.captions import caption, caption_all, traits
from facegen.data.layouts.mm_celebahq_lists import MAPPING
from tests.data.golden3d import described, keys, same
from tests.data.samples.mm_celebahq import SHIPPED

FILE = "15_mmceleba.json"
pytestmark = pytest.mark.parity


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
    lines = {str(number): item["text_file_lines"] for number, item in enumerate(described(FILE)["items"]) if
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


def _layout(places: dict[str, str]) -> None:
    """The sample that the layout's tests read is laid out like this: tests/data/layouts/test_mm_celebahq.py."""
    assert {key: places[key].split()[0].rstrip(":,") for key in SHIPPED} == SHIPPED
    assert places.keys() - SHIPPED.keys() == {"captions_pickle"}  # made by the loader, not shipped


JSON_CHECKS: dict[str, Callable[[Any], None]] = {
    "celeba_attributes": lambda names: same(names, celeba.ATTRIBUTES),
    "attribute_file": lambda text: _attribute_file(text),
    "caption_grammar": _grammar,
    "items": _items,
    "tokenisation": _tokenisation,
    "celebamask_labels": lambda labels: same(labels, masks.CELEBAMASK[1:]),
    "celebamask_colors": lambda colors: same(colors, masks.COLORS.tolist()),
    "face_parsing_labels": lambda labels: same(labels, masks.FACE_PARSING[1:]),
    "partition": _partition,
    "layout": _layout,
}


def _attribute_file(text: str) -> None:
    """A file written as the text says is read."""
    form = 'line 1: number of images; line 2: the 40 names; then "<id>.jpg v1 ... v40" with v in {-1,1}'
    assert text == form
    values = [item["attributes"] for item in described(FILE)["items"]]
    rows = [f"{number}.jpg {' '.join(map(str, row))}" for number, row in enumerate(values)]
    with TemporaryDirectory() as folder:
        path = Path(folder, "attributes.txt")
        path.write_text("\n".join([str(len(rows)), " ".join(described(FILE)["celeba_attributes"]), *rows]))
        found = celeba.read_attributes(path)
    assert found.ids == [str(number) for number in range(len(rows))] and found.values.tolist() == values


@pytest.mark.parametrize("key", keys(FILE))
def test_mm_celeba(key: str) -> None:
    JSON_CHECKS[key](described(FILE)[key])
