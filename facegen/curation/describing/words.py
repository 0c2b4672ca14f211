"""The words of the captions: what CelebA's attributes are called, and the sentences they come in."""

from typing import Literal, NamedTuple

from facegen.curation.describing.grammar import Production, equal

Sex = Literal["male", "female", "unknown"]
Number = Literal["one", "many", "mass"]  # a nose, lips, hair


class Part(NamedTuple):
    """A part of a face that attributes qualify: "wavy brown hair", "a pointed nose", "her lips are full"."""

    nouns: dict[str, Number]
    adjectives: dict[str, tuple[str, ...]]  # by attribute, in the order in which they stand


PARTS = (
    Part(
        {"hair": "mass"},
        {
            "Wavy_Hair": ("wavy", "curled"),
            "Straight_Hair": ("straight", "smooth"),
            "Black_Hair": ("black", "jet-black"),
            "Brown_Hair": ("brown", "chestnut"),
            "Blond_Hair": ("blond", "fair"),
            "Gray_Hair": ("gray", "graying"),
        },
    ),
    Part(
        {"eyebrows": "many", "brows": "many"},
        {"Bushy_Eyebrows": ("bushy", "thick"), "Arched_Eyebrows": ("arched", "curved")},
    ),
    Part({"eyes": "many"}, {"Narrow_Eyes": ("narrow", "small")}),
    Part({"nose": "one"}, {"Big_Nose": ("big", "large"), "Pointy_Nose": ("pointed", "pointy")}),
    Part({"lips": "many"}, {"Big_Lips": ("full", "big", "thick")}),
    Part({"mouth": "one"}, {"Mouth_Slightly_Open": ("slightly open", "half-open")}),
    Part({"cheeks": "many"}, {"Rosy_Cheeks": ("rosy", "flushed")}),
    Part({"cheekbones": "many"}, {"High_Cheekbones": ("high", "prominent")}),
    Part({"face": "one"}, {"Oval_Face": ("oval",)}),
    Part({"skin": "mass", "complexion": "one"}, {"Pale_Skin": ("pale", "light")}),
)
# What a face has, as a whole phrase.
FEATURES = {
    "Bangs": ("bangs", "a| fringe"),
    "Receding_Hairline": ("a| receding hairline", "hair that recedes at the temples"),
    "Bags_Under_Eyes": ("bags under the eyes", "puffy lower eyelids"),
    "Double_Chin": ("a| double chin",),
    "Goatee": ("a| goatee",),
    "Mustache": ("a| mustache", "a| moustache"),
    "Sideburns": ("sideburns",),
    "5_o_Clock_Shadow": ("a| five o'clock shadow", "short stubble"),
}
WORN = {
    "Eyeglasses": ("eyeglasses", "glasses", "spectacles"),
    "Wearing_Earrings": ("earrings", "a| pair of earrings"),
    "Wearing_Hat": ("a| hat",),
    "Wearing_Lipstick": ("lipstick",),
    "Wearing_Necklace": ("a| necklace",),
    "Wearing_Necktie": ("a| necktie", "a| tie"),
    "Heavy_Makeup": ("heavy makeup", "a| lot of makeup"),
}
# What a person is, in the order in which it stands before the noun.
ADJECTIVES = {
    "Attractive": ("attractive", "good-looking"),
    "Smiling": ("smiling",),
    "Chubby": ("chubby", "plump"),
    "Bald": ("bald",),
    "No_Beard": ("clean-shaven", "beardless"),
    "Young": ("young", "youthful"),
}
MOST_ADJECTIVES = 2  # in a caption: more would pile up before the noun
SMILE = "Smiling"
BLURRY = "Blurry"
NO_BEARD = "No_Beard"  # said of men only: of others it says nothing
# Of these a caption names one at most, of a whole group or of each pair.
EXCLUSIVE = (
    ("Black_Hair", "Brown_Hair", "Blond_Hair", "Gray_Hair"),
    ("Wavy_Hair", "Straight_Hair"),
    *(("Bald", other) for other in ("Bangs", "Receding_Hairline", "Wavy_Hair", "Straight_Hair")),
    *(("Bald", other) for other in ("Black_Hair", "Brown_Hair", "Blond_Hair", "Gray_Hair")),
    ("No_Beard", "5_o_Clock_Shadow", "Goatee"),
    ("No_Beard", "Mustache"),
    ("No_Beard", "Sideburns"),
    ("Bangs", "Receding_Hairline"),
)

_PERSONS = {
    "male": (equal("man", "gentleman"), "he", "his", "is", "has", "wears"),
    "female": (equal("woman", "lady"), "she", "her", "is", "has", "wears"),
    "unknown": ([Production(3, "person"), Production(1, "individual")], "they", "their", "are", "have", "wear"),
}


def person(sex: Sex) -> dict[str, list[Production]]:
    """Nouns, pronouns and verbs that agree. After a noun the verb is singular, after "they" it is plural."""
    nouns, pronoun, possessive, are, have, wear = _PERSONS[sex]
    return {
        "NOUN": list(nouns),
        "PRONOUN": equal(pronoun),
        "POSSESSIVE": equal(possessive),
        "ARE": [Production(3, are), Production(1, "look" if are == "are" else "looks")],
        "HAVE": equal(have),
        "WEAR": equal(wear, f"{are} wearing"),
        "HAS": equal("has"),
        "WEARS": equal("wears", "is wearing"),
        "SMILES": equal("is smiling", "smiles", f"has a| smile on {possessive} face"),
        "THE": equal("the", "this"),
        "IMAGE": equal("photo", "photograph", "picture", "image", "portrait"),
        "SEEN": equal("this is a| {PICTURE} of", "here is a| {PICTURE} of", "we see a| {PICTURE} of"),
        "SHOWS": equal("{THE} {PICTURE} shows", "{THE} {PICTURE} is of"),
    }


# What a caption tells of: FEATURES has, WORN wears, QUALITY a part's own sentence ("nose is big"), SMILES, ADJECTIVES
# (those of PERSON, before the noun, or after a pronoun), and PICTURE, where that is blurred.
CAPTION = (
    Production(3, "{THE} {PERSON} {HAS} {FEATURES}[ and {WEARS} {WORN}]"),
    Production(2, "{THE} {PERSON} {WEARS} {WORN}[ and {HAS} {FEATURES}]"),
    Production(2, "{THE} {PERSON} with {FEATURES} {WEARS} {WORN}"),
    Production(2, "{SEEN} a| {PERSON}[ with {FEATURES}][ wearing {WORN}]"),
    Production(2, "{SHOWS} a| {PERSON}[ with {FEATURES}][. {PRONOUN} {WEAR} {WORN}]"),
    Production(1, "{SHOWS} a| {PERSON}[ wearing {WORN}][. {PRONOUN} {HAVE} {FEATURES}]"),
    Production(2, "{PRONOUN} {HAVE} {FEATURES}[ and {WEAR} {WORN}]"),
    Production(1, "{PRONOUN} {WEAR} {WORN}[ and {HAVE} {FEATURES}]"),
    Production(2, "{PRONOUN} {ARE} {ADJECTIVES}[ and {HAVE} {FEATURES}][. {PRONOUN} {WEAR} {WORN}]"),
    Production(2, "{THE} {PERSON} {SMILES}[ and {HAS} {FEATURES}][. {PRONOUN} {WEAR} {WORN}]"),
    Production(2, "a| {PERSON}[ with {FEATURES}] {SMILES}[ and {WEARS} {WORN}]"),
    Production(1, "{SHOWS} a| {PERSON} who {SMILES}[ and {HAS} {FEATURES}][. {PRONOUN} {WEAR} {WORN}]"),
    Production(2, "{THE} {PERSON}'s {QUALITY}[ and {PRONOUN} {HAVE} {FEATURES}][. {PRONOUN} {WEAR} {WORN}]"),
    Production(2, "{SEEN} a| {PERSON}[ with {FEATURES}][ wearing {WORN}]. {POSSESSIVE} {QUALITY}"),
    Production(1, "{SHOWS} a| {PERSON} whose {QUALITY}[. {PRONOUN} {HAVE} {FEATURES}][. {PRONOUN} {WEAR} {WORN}]"),
)
