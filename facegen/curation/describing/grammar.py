"""Probabilistic context-free grammars: symbols, weighted productions, and texts drawn from them.

A production is text with symbols in braces, `{SUBJECT} has {FEATURES}`, and optional groups in brackets, which are
left out where a symbol of theirs has nothing to say. Written before a word, `a|` becomes "a" or "an".
"""

import random
import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple


class Production(NamedTuple):
    """One way to write a symbol, and how often relative to the others."""

    weight: float
    text: str


Grammar = Mapping[str, Sequence[Production]]

_SYMBOL = re.compile(r"\{([A-Z_]+)\}")
_GROUP = re.compile(r"\[([^\[\]]*)\]")
_ARTICLE = re.compile(r"\ba\| (?=(\w))")
_START = re.compile(r"(?:^|(?<=[.] ))([a-z])")


def symbols(text: str) -> list[str]:
    """The symbols of a production in their order."""
    return _SYMBOL.findall(text)


def equal(*texts: str) -> list[Production]:
    """Productions of equal weight."""
    return [Production(1, text) for text in texts]


def specialised(
    productions: Sequence[Production], available: Collection[str], told: Collection[str]
) -> list[Production]:
    """The productions that say everything of `told` and need only symbols of `available`, without open groups."""
    resolved = (Production(weight, _without_groups(text, available)) for weight, text in productions)
    return [one for one in resolved if set(told) <= set(symbols(one.text)) <= set(available)]


def _without_groups(text: str, available: Collection[str]) -> str:
    return _GROUP.sub(lambda found: found[1] if set(symbols(found[1])) <= set(available) else "", text)


def check(grammar: Grammar, start: str) -> None:
    """Raise ValueError unless every derivation from `start` ends, and in words only."""
    _follow(grammar, start, ())


def _follow(grammar: Grammar, symbol: str, above: tuple[str, ...]) -> None:
    if symbol in above:
        raise ValueError(f"grammar: {symbol} contains itself ({' > '.join((*above, symbol))})")
    if not grammar.get(symbol):
        raise ValueError(f"grammar: nothing says what {symbol} is (in {' > '.join(above) or 'the start'})")
    for _, text in grammar[symbol]:
        if _GROUP.search(text):
            raise ValueError(f"grammar: {symbol} has an open group, {text!r}")
        for inner in dict.fromkeys(symbols(text)):
            _follow(grammar, inner, (*above, symbol))


def derive(grammar: Grammar, symbol: str, rng: random.Random) -> str:
    """A text of a symbol: every production with the probability that its weight gives it."""
    choices = grammar[symbol]
    (chosen,) = rng.choices(choices, [one.weight for one in choices])
    return _SYMBOL.sub(lambda found: derive(grammar, found[1], rng), chosen.text)


def realised(text: str) -> str:
    """Sentences as they are written: articles that fit the next word, capitals, a full stop."""
    with_articles = _ARTICLE.sub(lambda found: "an " if found[1].lower() in "aeiou" else "a ", text)
    return _START.sub(lambda found: found[1].upper(), f"{with_articles}.")
