"""The file of a person's ratings: one JSON object in a line, only ever appended to, by any number of processes."""

import fcntl
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

FILE = "ratings.jsonl"  # in the folder of a source's columns, `facegen.curation.columns.described_folder`
WORDS = {"like": 1.0, "dislike": 0.0}
STARS = 5
_MOST_LETTERS = 1024  # of an id or a name


class Rating(NamedTuple):
    """One line: which face, 0 (disliked) to 1 (liked) or None (taken back), by whom, when (UTC, ISO 8601)."""

    id: str
    rating: float | None
    rater: str = ""
    time: str = ""


class Ratings:
    """Ratings of one source. What was said last by a person about a face counts; nothing is ever overwritten.

    Lines that are no ratings, as a machine that lost its power leaves them, are skipped; `broken` numbers them.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def add(self, id: str, rating: float | str | None, rater: str = "") -> Rating:
        """Append one rating: 0 to 1, `like`, `dislike`, stars as `4/5`, or None to take back. It is on disk after."""
        return self.extend([Rating(id, as_rating(rating), rater)])[0]

    def extend(self, ratings: Iterable[Rating]) -> list[Rating]:
        """Append several in one piece; those without a time get the present one. Raises ValueError for a wrong one."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        whole = [_checked(rating._replace(time=rating.time or now)) for rating in ratings]
        lines = "".join(json.dumps(rating._asdict()) + "\n" for rating in whole)
        if lines:
            _append(self.path, lines.encode())
        return whole

    def all(self) -> list[Rating]:
        """Every rating in the order in which they were made, also those that later ones replace."""
        return [rating for _, rating in self._lines() if rating is not None]

    def broken(self) -> list[int]:
        """Numbers, from 1, of the lines that are no ratings."""
        return [number for number, rating in self._lines() if rating is None]

    def current(self, rater: str | None = None) -> dict[str, float]:
        """The rating that counts for each rated face: the last of a rater; the mean over raters where None is asked."""
        last = {(each.id, each.rater): each.rating for each in self.all() if rater in (None, each.rater)}
        by_face: dict[str, list[float]] = {}
        for (face, _), value in last.items():
            if value is not None:
                by_face.setdefault(face, []).append(value)
        return {face: sum(values) / len(values) for face, values in by_face.items()}

    def _lines(self) -> Iterator[tuple[int, Rating | None]]:
        for number, line in enumerate(_content(self.path).split(b"\n"), start=1):
            if line.strip():
                yield number, _parsed(line)


def as_rating(value: float | str | None) -> float | None:
    """A rating in [0, 1] of a number in it, `like` or `dislike`, or stars: `1/5` is 0 and `5/5` is 1.

    Raises ValueError for anything else.
    """
    text = str(value).strip().lower()
    if value is None or text in WORDS:
        return WORDS.get(text)
    stars, slash, most = text.partition("/")
    try:
        number = (int(stars) - 1) / (int(most) - 1) if slash and most.strip() == str(STARS) else float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1:
        raise ValueError(f"rating: got {value!r}, expected 0 to 1, like, dislike, or stars such as 4/{STARS}")
    return number


def aligned(ids: Sequence[str], current: Mapping[str, float]) -> Float[np.ndarray, " face"]:
    """The rating of each of some faces, NaN where a face was not rated."""
    return np.array([current.get(face, math.nan) for face in ids])


def _checked(rating: Rating) -> Rating:
    for name, value in (("id", rating.id), ("rater", rating.rater)):
        if not isinstance(value, str) or len(value) > _MOST_LETTERS or (name == "id" and not value):
            raise ValueError(
                f"{name} of a rating: got {str(value)[:60]!r}, expected text of 1 to {_MOST_LETTERS} letters"
            )
    return rating._replace(rating=as_rating(rating.rating))


def _parsed(line: bytes) -> Rating | None:
    try:
        found = json.loads(line)
        return _checked(Rating(found["id"], found["rating"], found.get("rater", ""), str(found.get("time", ""))))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _content(path: Path) -> bytes:
    """All lines, none of them half written by a process that is at it."""
    if not path.exists():
        return b""
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        return file.read()


def _append(path: Path, lines: bytes) -> None:
    """Add whole lines to a file under a lock; one that somebody else left unfinished is ended first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        size = os.fstat(file).st_size
        if size and os.pread(file, 1, size - 1) != b"\n":
            lines = b"\n" + lines
        while lines:
            lines = lines[os.write(file, lines) :]
        os.fsync(file)
    finally:
        os.close(file)
