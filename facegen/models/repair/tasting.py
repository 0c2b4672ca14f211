"""Somebody's taste, learnt from the ratings of a source, as a judge of new pictures."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from facegen.curation.embedding import COLUMN, MODEL, embedder
from facegen.curation.taste.head import fit
from facegen.curation.taste.source import read_rated
from facegen.data import table
from facegen.models.repair.choice import Pictures, Taste


class Learnt(NamedTuple):
    """A judge, a name that changes with every rating, and how many ratings it knows."""

    taste: Taste
    name: str
    rated: int


def learnt_taste(
    root: str | Path, rater: str | None = None, weights: str | Path | None = None, device: str = "cpu"
) -> Learnt:
    """The taste of a rater, or of all, in the ratings of a source whose faces have embeddings.

    weights: of the embedding's model, where they are in no package. Raises ValueError for a source without embeddings,
    or without liked and disliked faces, and for another model.
    """
    rated = read_rated(root, rater)
    model = (table.schema(rated.table).field(COLUMN).metadata or {}).get(MODEL)
    if model is None:
        raise ValueError(f"taste: nothing says which model made the embeddings of {root}; describe it anew")
    try:
        head = fit(rated.embeddings, rated.ratings)
    except ValueError as error:
        raise ValueError(f"{error} (facegen data taste root={root})") from error
    embed = embedder(model.decode(), weights, device)

    def taste(pictures: Pictures) -> Float[Tensor, " picture"]:
        shown = list(rearrange(pictures, "n c h w -> n h w c").cpu().numpy())
        return torch.from_numpy(np.asarray(head.predict(embed(shown)).taste, np.float64))

    digest = hashlib.sha256(np.ascontiguousarray(head.weights).tobytes()).hexdigest()[:16]
    return Learnt(taste, f"{model.decode()} {digest}", head.rated)
