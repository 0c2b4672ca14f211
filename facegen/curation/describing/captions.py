"""Captions of a face from CelebA's attributes, drawn from a grammar of our own.

A caption is planned first: a few of the attributes that are present, none that contradict each other. From the words
for these and the sentences of `words.CAPTION` a probabilistic context-free grammar is made whose every text says
exactly what was planned; the caption is drawn from it. Over the captions of a face every attribute comes at least once.
"""

import random
from collections.abc import Mapping, Sequence

from facegen.curation.describing import words
from facegen.curation.describing.grammar import Grammar, Production, check, derive, equal, realised, specialised
from facegen.data.captions import CAPTIONS_PER_IMAGE
from facegen.data.celeba import ATTRIBUTES

VERSION = 1  # of the grammar and its words
START = "CAPTION"
_MOST_SAID = 6  # attributes in one caption, where all can still be said
_TRIES = 100
_SPOKEN_OF = (
    *(name for part in words.PARTS for name in part.adjectives),
    *(*words.FEATURES, *words.WORN, *words.ADJECTIVES, words.BLURRY),
)


def spoken_of(attributes: Mapping[str, bool]) -> list[str]:
    """The present attributes that captions name, in CelebA's order. `Male` decides nouns and pronouns.

    Raises ValueError for a name that is not CelebA's.
    """
    if unknown := sorted(set(attributes) - set(ATTRIBUTES)):
        raise ValueError(f"attributes: got {unknown[0]!r}, expected CelebA's, such as {ATTRIBUTES[0]}")
    present = [name for name in ATTRIBUTES if attributes.get(name) and name in _SPOKEN_OF]
    return [name for name in present if name != words.NO_BEARD or attributes.get("Male")]


def captions(attributes: Mapping[str, bool], face: str, seed: int = 0, count: int = CAPTIONS_PER_IMAGE) -> list[str]:
    """`count` different captions of a face: a function of the attributes, the face's id and the seed.

    `attributes`: those of CelebA's names that are known, present or not; of others nothing is said. Where `Male` is
    not known, neither is the person called a man or a woman.
    """
    rng = random.Random(f"{seed}/{face}")
    said = spoken_of(attributes)
    sex: words.Sex = "unknown" if "Male" not in attributes else "male" if attributes["Male"] else "female"
    found: dict[str, None] = {}
    for plan in plans(said, rng, count):
        for _ in range(_TRIES):
            grammar = grammar_of(plan, sex, rng)
            text = realised(derive(grammar, START, rng))
            if text not in found:
                found[text] = None
                break
        else:
            raise ValueError(f"captions: got count={count}, expected fewer: {face} has no more than {len(found)}")
    return list(found)


def plans(said: Sequence[str], rng: random.Random, count: int) -> list[list[str]]:
    """What each caption tells: every attribute once at least, and further ones that go with those."""
    chosen: list[list[str]] = [[] for _ in range(count)]
    for name in rng.sample(said, len(said)):
        fitting = [plan for plan in chosen if _fits(name, plan)]
        least = min(map(len, fitting))
        rng.choice([plan for plan in fitting if len(plan) == least]).append(name)
    for plan in chosen:
        wanted = max(len(plan), rng.randint(2, _MOST_SAID))
        for name in rng.sample(said, len(said)):
            if len(plan) < wanted and name not in plan and _fits(name, plan):
                plan.append(name)
    return chosen


def _fits(name: str, plan: Sequence[str]) -> bool:
    """Whether a caption can say an attribute beside others: no contradiction, not too many before the noun."""
    if any(name in group and other in group for group in words.EXCLUSIVE for other in plan):
        return False
    return name not in words.ADJECTIVES or sum(other in words.ADJECTIVES for other in plan) < words.MOST_ADJECTIVES


def grammar_of(plan: Sequence[str], sex: words.Sex, rng: random.Random) -> Grammar:
    """The grammar whose texts say the attributes of a plan; `rng` decides their order and which part stands alone."""
    rules = dict(words.person(sex))
    parts = [part for part in words.PARTS if set(plan) & set(part.adjectives)]
    smiles = words.SMILE in plan and rng.random() < 0.6
    alone = rng.choice(parts) if parts and not smiles and rng.random() < 0.35 else None
    adjectives = [name for name in words.ADJECTIVES if name in plan and not (smiles and name == words.SMILE)]
    phrases = {f"PART_{next(iter(part.nouns)).upper()}": _phrases(part, plan) for part in parts if part is not alone}
    phrases |= {_symbol(name): equal(*texts) for name, texts in words.FEATURES.items() if name in plan}
    worn = {_symbol(name): equal(*texts) for name, texts in words.WORN.items() if name in plan}
    said = {_symbol(name): equal(*words.ADJECTIVES[name]) for name in adjectives}
    listed = {"FEATURES": phrases, "WORN": worn, "ADJECTIVES": said}
    rules |= {name: [_list(items, rng)] for name, items in listed.items() if items}
    rules["PERSON"] = equal(" ".join([*(f"{{{name}}}" for name in said), "{NOUN}"]))
    if alone is not None:
        rules["QUALITY"] = _qualities(alone, plan)
    if not smiles:
        del rules["SMILES"]
    blurry = words.BLURRY in plan
    rules["PICTURE"] = equal("blurry {IMAGE}", "blurred {IMAGE}") if blurry else equal("{IMAGE}")
    told = {name for name in ("FEATURES", "WORN", "QUALITY", "SMILES", "ADJECTIVES") if name in rules}
    sentences = _sentences(rules, told, blurry)
    grammar: Grammar = rules | phrases | worn | said | {START: sentences}
    check(grammar, START)
    return grammar


def _sentences(rules: Grammar, told: set[str], blurry: bool) -> list[Production]:
    """The forms that say what is to be told; PERSON has the adjectives in it, SEEN and SHOWS have the picture."""
    found = []
    for form in words.CAPTION:
        says = told - ({"ADJECTIVES"} if "{PERSON}" in form.text else set())
        if not blurry or "{SEEN}" in form.text or "{SHOWS}" in form.text:
            found += specialised([form], set(rules), says)
    return found


def _symbol(attribute: str) -> str:
    return f"SAY_{attribute.upper().replace('5_', 'FIVE_')}"


def _list(items: Grammar, rng: random.Random) -> Production:
    """ "x, y and z" of the symbols in a random order."""
    names = [f"{{{name}}}" for name in rng.sample(list(items), len(items))]
    return Production(1, " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names))


def _worded(part: words.Part, plan: Sequence[str]) -> list[tuple[str, ...]]:
    return [texts for name, texts in part.adjectives.items() if name in plan]


def _phrases(part: words.Part, plan: Sequence[str]) -> list[Production]:
    """The part with its adjectives before it: "wavy brown hair", "a big, pointed nose"."""
    found = []
    for noun, number in part.nouns.items():
        article, comma = "a| " if number == "one" else "", " " if number == "mass" else ", "
        found += [f"{article}{comma.join(adjectives)} {noun}" for adjectives in _combined(_worded(part, plan))]
    return equal(*found)


def _qualities(part: words.Part, plan: Sequence[str]) -> list[Production]:
    """The part with its adjectives after it: "hair is wavy and brown", "lips are full"."""
    found = []
    for noun, number in part.nouns.items():
        verb = "are" if number == "many" else "is"
        found += [f"{noun} {verb} {' and '.join(adjectives)}" for adjectives in _combined(_worded(part, plan))]
    return equal(*found)


def _combined(choices: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Every way to take one word of each."""
    ways: list[tuple[str, ...]] = [()]
    for texts in choices:
        ways = [(*way, text) for way in ways for text in texts]
    return ways
