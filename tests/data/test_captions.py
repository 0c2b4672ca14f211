import random
import re

import pytest

from facegen.data.captions import TEMPLATES, WEARS, caption, caption_all, traits
from facegen.data.celeba import ATTRIBUTES

NOTHING = dict.fromkeys(ATTRIBUTES, -1)


def _face(*names: str) -> dict[str, int]:
    return NOTHING | dict.fromkeys(names, 1)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        pytest.param([], {"This is a person."}, id="nothing"),
        pytest.param(["Bald"], {"bald"}, id="is"),
        pytest.param(["Goatee"], {"goatee"}, id="has"),
        pytest.param(["Wearing_Hat"], {"hat"}, id="wears"),
        pytest.param(["Bald", "Wearing_Hat"], {"bald", "hat"}, id="is-wears"),
        pytest.param(["Goatee", "Heavy_Makeup"], {"goatee", "heavy makeup"}, id="has-wears"),
        pytest.param(["Attractive", "Mouth_Slightly_Open"], {"attractive", "mouth slightly open"}, id="is-has"),
        pytest.param(["Attractive", "Bangs", "Wearing_Hat"], {"attractive", "bangs", "hat"}, id="all"),
    ],
)
def test_captions_have_no_holes(names: list[str], said: set[str]) -> None:
    for seed in range(60):
        text = caption(_face(*names), random.Random(seed))
        assert all(words in text for words in said)
        assert not re.search(r"(?:is|has|with|wears|wearing|looks|be|and|a|an) ?[.]|  |is and|\ba attr|\. and", text)
        assert re.fullmatch(r"(?:[A-Z][a-z, ]+\. ?){1,3}", text) and not text.endswith(" ")


def test_without_empty_kinds_the_text_is_the_published_one() -> None:
    face = _face("Young", "Smiling", "Goatee", "Bangs", "Wearing_Hat", "Wearing_Necktie")
    texts = {seed: caption(face, random.Random(seed)) for seed in range(50)}
    assert texts == {seed: caption(face, random.Random(seed), published=True) for seed in texts}
    assert len(set(texts.values())) > 30


def test_leaving_out_holes_draws_as_many_random_numbers() -> None:
    ours, theirs = random.Random(5), random.Random(5)
    for names in ([], ["Bald"], ["Goatee", "Heavy_Makeup"]):
        caption(_face(*names), ours)
        caption(_face(*names), theirs, published=True)
    assert ours.random() == theirs.random()


def test_every_form_and_every_attribute_comes() -> None:
    rng = random.Random(0)
    face = _face("Bald", "Young", "Goatee", *WEARS)
    texts = [caption(face, rng) for _ in range(200)]
    starts = [sum(bool(re.search(form, text)) for text in texts) for form in ("^This is a", "and wear|and is w", "")]
    assert starts[0] > 30 and starts[1] > 30 and len(TEMPLATES) == 3
    assert all(any(word in text for text in texts) for word in ("necktie", "heavy makeup", "goatee", "bald", "young"))
    assert caption_all(face, rng).count("necktie") == 1


def test_gender_is_in_the_subjects_only() -> None:
    woman, man = (
        [caption(_face("Bald", *extra), random.Random(seed)) for seed in range(40)] for extra in ([], ["Male"])
    )
    assert any("woman" in text or "She" in text for text in woman) and not any("man" in t.split() for t in woman)
    assert any(" man " in text or "He " in text for text in man) and not any("woman" in text for text in man)
    assert traits(_face("Male", "Blurry", "No_Beard", "5_o_Clock_Shadow"))[1:] == ([], [], [])


def test_a_missing_attribute_is_named() -> None:
    with pytest.raises(ValueError, match="'Bald' is missing"):
        caption({name: 1 for name in ATTRIBUTES if name != "Bald"}, random.Random(0))
