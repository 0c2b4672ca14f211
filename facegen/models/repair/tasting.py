"""Somebody's taste, learnt from the ratings of a source, as a judge of new pictures."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from facegen.curation.columns import described_folder
from facegen.curation.taste.head import fit
from facegen.curation.taste.ratings import FILE, Ratings, aligned
from facegen.data import table
from facegen.data.sources import list_source
from facegen.models.repair.choice import Pictures, Taste

_COLUMN, _MODEL = "embedding", b"model"


class Learnt(NamedTuple):
    """A judge, a name that changes with every rating, and how many ratings it knows."""

    taste: Taste
    name: str
    rated: int


def learnt_taste(root: str | Path, rater: str | None = None, weights: str | None = None) -> Learnt:
    """The taste of a rater, or of all, in the ratings of a source whose faces have embeddings.

    weights: file or folder of the embedding's model, where it is in no package. Raises ValueError for a source without
    embeddings or without enough ratings.
    """
    from facegen.curation.embedding import embedder

    source = list_source(root).path
    place = table.table_path(source)
    if not table.exists(place) or _COLUMN not in table.schema(place).names:
        raise ValueError(f"taste: {source} has no embeddings; facegen data describe root={root} columns=[embedding]")
    rows = table.read(place, ["id", _COLUMN])
    rows = rows.filter(rows[_COLUMN].is_valid())
    field = rows.schema.field(_COLUMN)
    vectors = rows[_COLUMN].combine_chunks().flatten().to_numpy().reshape(len(rows), -1)
    given = Ratings(described_folder(source) / FILE).current(rater)
    try:
        head = fit(vectors, aligned(rows["id"].to_pylist(), given))
    except ValueError as error:
        raise ValueError(f"{error} (facegen data taste root={root})") from error
    embed = embedder((field.metadata or {})[_MODEL].decode(), weights)

    def taste(pictures: Pictures) -> Float[Tensor, " picture"]:
        shown = list(rearrange(pictures, "n c h w -> n h w c").cpu().numpy())
        return torch.from_numpy(np.asarray(head.predict(embed(shown)).taste, np.float64))

    digest = hashlib.sha256(np.ascontiguousarray(head.weights).tobytes()).hexdigest()[:16]
    return Learnt(taste, f"{field.metadata[_MODEL].decode()} {digest}", head.rated)
