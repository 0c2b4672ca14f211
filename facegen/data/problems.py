"""What can be wrong with one image or one label, and how it is said to a person."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple


class Problem(NamedTuple):
    """One finding: `kind` groups it in tables, `id` is the face or file, `detail` says what was found."""

    kind: str
    id: str
    detail: str


def summarise(problems: Sequence[Problem], shown: int = 3) -> str:
    """One line: how many problems of which kind, and the first few by name."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(problem.kind for problem in problems).most_common())
    first = "; ".join(f"{problem.id}: {problem.detail}" for problem in problems[:shown])
    return f"{len(problems)} problem{'s' * (len(problems) != 1)} ({kinds}). First: {first}"
