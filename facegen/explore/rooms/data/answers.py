"""What a search of the room answers."""

from typing import NamedTuple

import numpy as np

from facegen.curation.searching import Query, Space, search_faces
from facegen.curation.searching.candidates import candidates
from facegen.explore.rooms.data.choice import Rows
from facegen.explore.rooms.data.faces import Faces
from facegen.explore.widgets.axes import Numbers

MOST_ALIKE = 1000  # faces that a text or an example finds
_MOST_TEXT = 60


class Answer(NamedTuple):
    """Rows, best first; the query in words; of all faces what the rows are ranked by, NaN for the others, or None where
    nothing ranks them."""

    rows: Rows
    by: str
    scores: Numbers | None


def answer(faces: Faces, query: Query, space: Space) -> Answer:
    """Search. A condition alone finds all that fulfil it. Raises ValueError for what cannot be asked."""
    if query.where is not None and not query.is_by_likeness:
        query.check()
        found = [part.fulfilling(query.where) for part in candidates(faces.recipe)]
        rows = np.concatenate([part.recipe_rows[part.rows] for part in found])
        return Answer(rows, in_words(query), None)
    likest = search_faces(faces.recipe, query, space)
    scores = np.full(len(faces), np.nan)
    scores[likest.rows] = likest.scores
    return Answer(likest.rows, in_words(query), scores)


def in_words(query: Query) -> str:
    """A query as people read it."""
    parts = [] if query.text is None else [f"“{query.text}”"]
    parts += [] if query.face is None else [f"like {query.face}"]
    parts += [] if query.image is None else ["like the example"]
    parts += [] if query.where is None else [query.where]
    text = ", ".join(parts)
    return text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]}…"
