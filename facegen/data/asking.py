"""Conditions on faces in SQL: CelebA's attributes and flags by their names, and good answers to wrong ones."""

import difflib
import re
from collections.abc import Iterator, Sequence

from facegen.data.celeba import ATTRIBUTES
from facegen.data.flags import FLAGS

ATTRIBUTE_COLUMN, FLAG_COLUMN = "celeba_attributes", "flags"
MOST_CHARACTERS = 20_000  # a list of a thousand ids is shorter; a page must not be kept busy by more
FUNCTIONS = {  # none of them makes more than it gets, as repeat() does
    *("abs", "round", "floor", "ceil", "sqrt", "power", "exp", "ln", "sin", "cos", "atan2", "radians", "degrees"),
    *("greatest", "least", "coalesce", "nullif", "isnan", "cast", "length", "lower", "upper", "substr"),
    *("starts_with", "ends_with", "contains", "regexp_like", "array_has", "array_length"),
}
_MOST_SAID = 240
_WORDS = {"and", "or", "not", "in", "like", "ilike", "escape", "is", "null", "true", "false", "between", "as"}
_TOKEN = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|`[^`]*`|\w+|\s+|.", re.DOTALL)
_UNKNOWN = re.compile(r"No field named \"?([\w.]+)")


def in_columns(condition: str, columns: Sequence[str]) -> str:
    """A condition in which attributes and flags stand for what the columns `celeba_attributes` and `flags` say of them.

    `Smiling` becomes true, false, or null where it is not known, so that neither it nor `not Smiling` takes such a
    face. Names are those of CelebA's 40 attributes and of `facegen.data.flags.FLAGS`, in any case; a column of that
    name comes first. Raises ValueError for names of columns that the table has not, for functions that are not in
    FUNCTIONS, and for a condition beyond MOST_CHARACTERS.
    """
    if len(condition) > MOST_CHARACTERS:
        raise ValueError(f"{len(condition)} characters; expected at most {MOST_CHARACTERS}")
    return "".join(_meant(word, following, columns) for word, following in _tokens(condition))


def mentioned(condition: str, columns: Sequence[str]) -> list[str]:
    """The columns that a condition asks about, each once, in its order; attributes and flags as their column."""
    words = (word for word, _ in _tokens(in_columns(condition, columns)))
    known = {name.lower(): name for name in columns}
    return list(dict.fromkeys(known[word.strip("`").lower()] for word in words if word.strip("`").lower() in known))


def names_of(columns: Sequence[str]) -> list[str]:
    """Everything that conditions on a table of these columns can call by name."""
    attributes = ATTRIBUTES if ATTRIBUTE_COLUMN in columns else ()
    return [*columns, *attributes, *(FLAGS if FLAG_COLUMN in columns else ())]


def complaint(reason: str, columns: Sequence[str]) -> str:
    """What Lance says of a condition, in short; of a name that it does not know, the nearest that it does."""
    reason = reason.splitlines()[0].removeprefix("Invalid user input: ").removeprefix("Schema error: ")
    for end in (". Valid fields", ". Did you mean", ".Did you mean", ", /"):
        reason = reason.partition(end)[0]
    if len(reason) > _MOST_SAID:
        reason = f"{reason[: _MOST_SAID // 3]} ... {reason[-_MOST_SAID // 2 :]}"
    unknown = _UNKNOWN.search(reason)
    return f"{reason}{suggestion(unknown[1], names_of(columns))}" if unknown else reason


def suggestion(word: str, names: Sequence[str]) -> str:
    """`; did you mean X?` for the nearest of some names, in any case, or nothing."""
    known = {name.lower(): name for name in names}
    match = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return f"; did you mean {known[match[0]]}?" if match else ""


def _tokens(condition: str) -> Iterator[tuple[str, str]]:
    """Words, texts in quotes, spaces and signs of a condition, each with what follows it beyond spaces."""
    tokens = _TOKEN.findall(condition)
    for place, token in enumerate(tokens):
        yield token, next((later for later in tokens[place + 1 : place + 3] if not later.isspace()), "")


def _meant(word: str, following: str, columns: Sequence[str]) -> str:
    name = word.lower()
    if name in _WORDS or name in (column.lower() for column in columns):
        return word
    if following == "(" and (name[:1].isalpha() or name[:1] == "_"):
        if name not in FUNCTIONS:
            raise ValueError(f"no function {word}(); expected some of: {', '.join(sorted(FUNCTIONS))}")
        return word
    if name in (numbers := {attribute.lower(): n for n, attribute in enumerate(ATTRIBUTES, 1)}):
        _require(ATTRIBUTE_COLUMN, word, columns, "facegen data describe columns=[captions] adds them where it can")
        return f"(nullif({ATTRIBUTE_COLUMN}[{numbers[name]}], 0) = 1)"
    if name in FLAGS:
        _require(FLAG_COLUMN, word, columns, "add them: facegen data describe columns=[flags]")
        return f"array_has({FLAG_COLUMN}, '{name}')"
    return word


def _require(column: str, word: str, columns: Sequence[str], hint: str) -> None:
    if column not in columns:
        raise ValueError(f"{word} is one of the {column.removeprefix('celeba_')}, which are not known; {hint}")
