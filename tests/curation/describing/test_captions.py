import random
import re
from itertools import pairwise

import pytest

from facegen.curation.describing import captions as module
from facegen.curation.describing import words
from facegen.curation.describing.captions import START, captions, grammar_of, plans, spoken_of
from facegen.curation.describing.grammar import Grammar, Production, check, derive, equal, realised, symbols
from facegen.data.celeba import ATTRIBUTES

SEXES: tuple[words.Sex, ...] = ("male", "female", "unknown")
# Words by which an attribute can be told.
TOLD = {
    **{name: texts for part in words.PARTS for name, texts in part.adjectives.items()},
    **{name: tuple(text.replace("a| ", "") for text in texts) for name, texts in (words.FEATURES | words.WORN).items()},
    **words.ADJECTIVES,
    "Smiling": ("smil",),
    "Blurry": ("blurr",),
}


def random_face(seed: int, share: float = 0.25) -> dict[str, bool]:
    rng = random.Random(seed)
    face = {name: rng.random() < share for name in ATTRIBUTES}
    if seed % 3 == 2:
        del face["Male"]
    return face


def tells(text: str, name: str) -> bool:
    return any(re.search(rf"\b{re.escape(word)}", text.lower()) for word in TOLD[name])


@pytest.mark.parametrize("seed", range(12))
def test_ten_different_captions_that_together_tell_everything(seed: int) -> None:
    face = random_face(seed)
    texts = captions(face, f"face{seed}")
    assert len(texts) == len(set(texts)) == 10
    assert all(any(tells(text, name) for text in texts) for name in spoken_of(face))
    joined = " ".join(texts).lower()
    he, she = (bool(re.search(rf"\b({words})\b", joined)) for words in ("he|his|man|gentleman", "she|her|woman|lady"))
    assert (he, she) == {True: (True, False), False: (False, True), None: (False, False)}[face.get("Male")]


# Words of one attribute that are also found in the words of another.
AMBIGUOUS = {"Big_Nose", "Big_Lips", "Narrow_Eyes", "Bushy_Eyebrows", "Straight_Hair", "Arched_Eyebrows", "Pale_Skin"}


@pytest.mark.parametrize("seed", range(12))
def test_nothing_absent_is_told(seed: int) -> None:
    face = random_face(seed, share=0.15)
    absent = set(TOLD) - AMBIGUOUS - set(spoken_of(face))
    for text in captions(face, f"face{seed}"):
        assert not [name for name in absent if tells(text, name)], text


@pytest.mark.parametrize("seed", range(8))
def test_captions_are_well_formed(seed: int) -> None:
    for text in captions(random_face(seed, share=0.1 * (seed % 4)), "x"):
        assert re.fullmatch(r"([A-Z][a-z',-]*( [a-z',-]+)+\.( |$))+", text), text
        assert not re.search(
            r"\ba [aeiou]|\ban [^aeiou]|they (has|is|wears|looks)|(?<!h)e are|(\b\w+) \2\b", text.lower()
        )
        for word, after in pairwise(text.lower().split()):
            assert (word, after) not in {("and", "and"), ("with", "and"), ("has", "and"), ("a", "and")}


def test_the_same_from_the_same_seed_and_face() -> None:
    face = random_face(1)
    assert captions(face, "a", 3) == captions(dict(reversed(face.items())), "a", 3)
    assert captions(face, "a", 3) != captions(face, "b", 3) != captions(face, "b", 4)


def test_what_is_drawn_stays() -> None:
    """Captions of published tables must not change without a new VERSION."""
    face = {"Male": False, "Young": True, "Wavy_Hair": True, "Brown_Hair": True, "Wearing_Earrings": True}
    assert module.VERSION == 1
    assert captions(face, "7")[:2] == [
        "The young lady wears a pair of earrings and has curled brown hair.",
        "This image shows a youthful woman wearing a pair of earrings. She has brown hair.",
    ]


def test_nothing_known_and_everything_at_once() -> None:
    assert len(set(captions({}, "0"))) == 10
    assert len(set(captions(dict.fromkeys(ATTRIBUTES, False), "0", count=30))) == 30
    everything = captions(dict.fromkeys(ATTRIBUTES, True), "0")
    assert all(any(tells(text, name) for text in everything) for name in TOLD)


def test_no_caption_contradicts_itself() -> None:
    every = dict.fromkeys(ATTRIBUTES, True)
    for seed in range(30):
        for plan in plans(spoken_of(every), random.Random(seed), 10):
            assert all(sum(name in group for name in plan) < 2 for group in words.EXCLUSIVE)
            assert sum(name in words.ADJECTIVES for name in plan) <= words.MOST_ADJECTIVES


def test_every_derivation_ends_in_words() -> None:
    for seed in range(40):
        rng = random.Random(seed)
        face = random_face(seed, 0.5)
        for plan in plans(spoken_of(face), rng, 10):
            grammar = grammar_of(plan, SEXES[seed % 3], rng)
            check(grammar, START)
            text = realised(derive(grammar, START, rng))
            assert not set(text) & set("{}[]|_"), text


def test_every_form_and_every_word_comes() -> None:
    texts = " ".join(text for seed in range(60) for text in captions(random_face(seed, 0.3), str(seed))).lower()
    for name, options in TOLD.items():
        assert all(word in texts for word in options), name


def test_weights_decide_how_often() -> None:
    grammar: Grammar = {"A": [Production(3, "{B}"), Production(1, "rare")], "B": equal("common")}
    rng = random.Random(0)
    drawn = [derive(grammar, "A", rng) for _ in range(4000)]
    assert abs(drawn.count("rare") / 4000 - 0.25) < 0.03


@pytest.mark.parametrize(
    ("grammar", "message"),
    [
        ({"A": equal("{B}"), "B": equal("{A} x")}, "A contains itself"),
        ({"A": equal("{B}")}, "nothing says what B is"),
        ({"A": equal("x[ {B}]"), "B": equal("y")}, "open group"),
        ({"A": []}, "nothing says what A is"),
    ],
)
def test_a_grammar_that_is_not_closed_is_refused(grammar: Grammar, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check(grammar, "A")


def test_articles_capitals_and_stops() -> None:
    assert (
        realised("this is a| image of a| woman. she has a| oval face")
        == "This is an image of a woman. She has an oval face."
    )
    assert symbols("{THE} {PERSON} x") == ["THE", "PERSON"]


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="got 'Tall', expected CelebA's"):
        captions({"Tall": True}, "0")
    with pytest.raises(ValueError, match="count=500, expected fewer"):
        captions({}, "0", count=500)
