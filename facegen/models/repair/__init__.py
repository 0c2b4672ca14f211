"""Bad pictures made new by a generator: encoded into W+, pulled toward the mean of good ones, chosen by judges."""

from facegen.models.repair.choice import Judgement, Judges, choose, judge
from facegen.models.repair.kept import Search, inverted
from facegen.models.repair.latents import (
    LAYERS,
    Candidate,
    Encoded,
    candidates,
    encoded_mean,
    mapping_mean,
    pulled,
    remoteness,
)
from facegen.models.repair.repair import Repaired, repair

__all__ = [
    "LAYERS",
    "Candidate",
    "Encoded",
    "Judgement",
    "Judges",
    "Repaired",
    "Search",
    "candidates",
    "choose",
    "encoded_mean",
    "inverted",
    "judge",
    "mapping_mean",
    "pulled",
    "remoteness",
    "repair",
]
