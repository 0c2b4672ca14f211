"""Caption files as words and numbers, as the loader of TediGAN makes them (https://github.com/IIGROUP/TediGAN)."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from facegen.data.captions import CAPTIONS_PER_IMAGE

NUM_WORDS = 20
END = "<end>"
_WORD = re.compile(r"\w+")


class Tokens(NamedTuple):
    """Numbers of words, padded with 0 (the end), and how many of them are words."""

    numbers: Int[np.ndarray, " word"]
    length: int


def split_words(caption: str) -> list[str]:
    """The words of a caption: runs of letters, digits and _ in lower case, without their characters beyond ASCII."""
    words = _WORD.findall(caption.replace("\ufffd\ufffd", " ").lower())
    return [word for word in (word.encode("ascii", "ignore").decode() for word in words) if word]


def caption_words(text: str) -> list[list[str]]:
    """Words of the first ten captions of a file with one in a line.

    Lines without a word do not count; one whose words all vanish, because they are not ASCII, does.
    """
    captions = [line for line in text.split("\n") if _WORD.search(line.replace("\ufffd\ufffd", " "))]
    return [split_words(line) for line in captions[:CAPTIONS_PER_IMAGE]]


def vocabulary(captions: Iterable[Sequence[str]]) -> dict[str, int]:
    """Number of each word in the order of first appearance, from 1; 0 is the end. Give training captions first."""
    numbers = {END: 0}
    for caption in captions:
        for word in caption:
            numbers.setdefault(word, len(numbers))
    return numbers


def encode(caption: Sequence[str], numbers: dict[str, int]) -> list[int]:
    """Numbers of the words that the vocabulary knows."""
    return [numbers[word] for word in caption if word in numbers]


def pad(numbers: Sequence[int], rng: np.random.RandomState, length: int = NUM_WORDS) -> Tokens:
    """Numbers of `length` words: padded with the end, or a random part of a longer caption in its order.

    The published loader draws from numpy's old generator; a `RandomState` of its seed gives the same words.
    """
    if len(numbers) <= length:
        padded = np.zeros(length, dtype=np.int64)
        padded[: len(numbers)] = numbers
        return Tokens(padded, len(numbers))
    places = list(range(len(numbers)))
    rng.shuffle(places)
    return Tokens(np.array(numbers, dtype=np.int64)[np.sort(places[:length])], length)
