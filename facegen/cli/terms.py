"""What the authors of a dataset ask for, said once when it is used."""

import sys
from collections.abc import Iterable

from facegen.data.layouts import Terms


def announce(terms: Iterable[Terms | None]) -> None:
    """Write the terms of datasets to the error stream, each once, so that output for other programs stays clean."""
    for each in dict.fromkeys(terms):
        if each is not None:
            print(f"{each.title}: {each.licence}. {each.home}", file=sys.stderr)
