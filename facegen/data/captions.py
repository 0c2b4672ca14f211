"""Captions from CelebA's attributes, drawn as the published sampler of Multi-Modal-CelebA-HQ draws them.

Each caption names a random part of the attributes that a face *is*, *has* and *wears*, in one of three forms
(https://github.com/IIGROUP/MM-CelebA-HQ-Dataset). The captions that the dataset ships were not made by that script,
as the script itself says.
"""

import random
from collections.abc import Mapping, Sequence
from typing import NamedTuple

IS = ("Attractive", "Bald", "Chubby", "Young", "Smiling")
HAS = (
    *("Eyeglasses", "Arched_Eyebrows", "Bags_Under_Eyes", "Bangs", "Big_Lips", "Big_Nose", "Black_Hair", "Blond_Hair"),
    *("Brown_Hair", "Bushy_Eyebrows", "Double_Chin", "Goatee", "Gray_Hair", "Straight_Hair", "Sideburns"),
    *("Rosy_Cheeks", "Receding_Hairline", "Pointy_Nose", "Pale_Skin", "Oval_Face", "Narrow_Eyes", "Mustache"),
    *("Mouth_Slightly_Open", "High_Cheekbones", "Wavy_Hair"),
)
WEARS = (
    *("Wearing_Necktie", "Wearing_Necklace", "Wearing_Lipstick", "Wearing_Hat", "Wearing_Earrings"),
    "Heavy_Makeup",
)
SUBJECTS = {
    "female": ("She", "This woman", "The woman", "The person", "This person"),
    "male": ("He", "This man", "The man", "The person", "This person"),
}
IS_VERBS = (" is ", " looks ", " appears to be ")
HAS_VERBS = (" has ", " is with ")
WEARS_VERBS = (" wears ", " is wearing ")
# {S}: a subject, drawn again each time; {IS}, {HAS}, {WEAR}: attributes; {isV}, {haveV}, {wearV}: verbs.
TEMPLATES = (
    "{S}{isV}{IS}. {S}{haveV}{HAS} and{wearV}{WEAR}.",
    "{S}{isV}{IS} and{haveV}{HAS}. {S}{wearV}{WEAR}.",
    "This is a {IS} person. {S}{haveV}{HAS}. {S}{wearV}{WEAR}.",
)
TEMPLATE_ALL = "The person in the picture is {IS}. {S}{haveV}{HAS}. {S}{wearV}{WEAR}."
CAPTIONS_PER_IMAGE = 10


class Traits(NamedTuple):
    """What a caption can say of a face: the words for it, and what it is, has and wears, in the grammar's order."""

    subjects: tuple[str, ...]
    is_: list[str]
    has: list[str]
    wears: list[str]


def traits(attributes: Mapping[str, int]) -> Traits:
    """Those of CelebA's attributes (name -> -1 or 1) that are present, by kind. `Male` decides the subjects only.

    5_o_Clock_Shadow, Blurry and No_Beard are never spoken of. Raises ValueError for an attribute that is missing.
    """
    if missing := [name for name in (*IS, *HAS, *WEARS, "Male") if name not in attributes]:
        raise ValueError(f"captions: the attribute {missing[0]!r} is missing, expected CelebA's 40 names with -1 or 1")
    present = [[name for name in names if attributes[name] == 1] for names in (IS, HAS, WEARS)]
    return Traits(SUBJECTS["female" if attributes["Male"] == -1 else "male"], *present)


def caption(attributes: Mapping[str, int], rng: random.Random, published: bool = False) -> str:
    """A caption of a random part of a face's attributes.

    `published`: exactly the published text, which has holes such as "wears ." for a face without attributes of a kind.
    Otherwise clauses without attributes are left out; the random numbers drawn are the same.
    """
    face = traits(attributes)
    counts = [rng.randint(1, len(names)) if len(names) > 1 else len(names) for names in face[1:]]
    words = _Words(*(_joined(rng.sample(names, count)) for names, count in zip(face[1:], counts, strict=True)))
    wears, has = rng.choice(WEARS_VERBS), rng.choice(HAS_VERBS)
    first, is_ = rng.choice(face.subjects), rng.choice(IS_VERBS)
    # The script fills in all three forms before it takes one, so each draws its own subjects.
    others = [rng.choice(face.subjects) for _ in range(4)]
    form = rng.choice(range(len(TEMPLATES)))
    subjects = [[first, others[0]], [first, others[1]], others[2:]][form]
    if published:
        return _filled(TEMPLATES[form], subjects, words, _Words(is_, has, wears))
    return _sentences(form, subjects, words, _Words(is_, has, wears))


def caption_all(attributes: Mapping[str, int], rng: random.Random) -> str:
    """The published sentence that names every attribute; only subjects and verbs are drawn. It may have holes."""
    face = traits(attributes)
    first, has = rng.choice(face.subjects), rng.choice(HAS_VERBS)
    second, wears = rng.choice(face.subjects), rng.choice(WEARS_VERBS)
    words = _Words(*(_joined(names) for names in face[1:]))
    return _filled(TEMPLATE_ALL, [first, second], words, _Words("", has, wears))


class _Words(NamedTuple):
    is_: str
    has: str
    wears: str


def _joined(names: Sequence[str]) -> str:
    return ", ".join(name.removeprefix("Wearing_").replace("_", " ").lower() for name in names)


def _filled(template: str, subjects: Sequence[str], words: _Words, verbs: _Words) -> str:
    for subject in subjects:
        template = template.replace("{S}", subject, 1)
    return template.format(
        IS=words.is_, HAS=words.has, WEAR=words.wears, isV=verbs.is_, haveV=verbs.has, wearV=verbs.wears
    )


def _sentences(form: int, subjects: Sequence[str], words: _Words, verbs: _Words) -> str:
    """The text of a form without the clauses that have nothing to say, and with "an" where it belongs."""
    is_, has, wears = (verb + word if word else "" for verb, word in zip(verbs, words, strict=True))
    article = "an" if words.is_.startswith("a") else "a"
    if form == 0:
        sentences = [(subjects[0], [is_]), (subjects[1], [has, wears])]
    elif form == 1:
        sentences = [(subjects[0], [is_, has]), (subjects[1], [wears])]
    else:
        kind = f" is {article} {words.is_} person" if is_ else " is a person"
        sentences = [("This", [kind]), (subjects[0], [has]), (subjects[1], [wears])]
    spoken = [(subject, [clause for clause in clauses if clause]) for subject, clauses in sentences]
    return (
        " ".join(f"{subject}{' and'.join(clauses)}." for subject, clauses in spoken if clauses) or "This is a person."
    )
