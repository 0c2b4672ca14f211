"""Half a million feature vectors of a table: the nearest to a query, and all pairs that are nearly the same."""

from facegen.data.search import NEAR_DUPLICATE_COSINE, Matches, Pairs
from facegen.data.vectors.columns import Vectors, read_vectors
from facegen.data.vectors.index import Index
from facegen.data.vectors.saved import open_index

__all__ = ["NEAR_DUPLICATE_COSINE", "Index", "Matches", "Pairs", "Vectors", "open_index", "read_vectors"]
