import numpy as np

from facegen.data.tokens import caption_words, encode, pad, split_words, vocabulary


def test_words_are_lower_case_and_ascii() -> None:
    assert split_words("She's 20, a café-goer_x;  \ufffd\ufffdÉ ok") == ["she", "s", "20", "a", "caf", "goer_x", "ok"]


def test_ten_captions_of_a_file_and_empty_lines_do_not_count() -> None:
    text = "\n".join(["one", "", "  ...", *[f"line {number}" for number in range(12)]])
    words = caption_words(text)
    assert len(words) == 10 and words[0] == ["one"] and words[-1] == ["line", "8"]


def test_vocabulary_counts_from_one_by_first_appearance() -> None:
    numbers = vocabulary([["b", "a", "b"], ["c", "a"]])
    assert numbers == {"<end>": 0, "b": 1, "a": 2, "c": 3}
    assert encode(["c", "new", "b"], numbers) == [3, 1]


def test_padding_and_shortening_keep_the_order() -> None:
    assert pad([5, 4], np.random.RandomState(0), 4).numbers.tolist() == [5, 4, 0, 0]
    long = list(range(1, 31))
    found = pad(long, np.random.RandomState(0), 8)
    assert found.length == 8 and sorted(set(found.numbers)) == found.numbers.tolist()
    assert pad(long, np.random.RandomState(1), 8).numbers.tolist() != found.numbers.tolist()
    assert pad(long, np.random.RandomState(1), 30).numbers.tolist() == long
