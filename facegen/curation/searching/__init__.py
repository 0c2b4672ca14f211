"""Finding faces: by a text, by an example, by any column of their tables."""

from facegen.curation.searching.query import Found, Query, Space
from facegen.curation.searching.search import search_faces

__all__ = ["Found", "Query", "Space", "search_faces"]
