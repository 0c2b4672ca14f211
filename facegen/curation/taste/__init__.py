"""What one person likes, learnt from ratings: SFHQ's taste approximator."""

from facegen.curation.taste.agreement import Agreement, cross_validate
from facegen.curation.taste.choosing import next_to_rate
from facegen.curation.taste.head import Head, Prediction, fit
from facegen.curation.taste.ratings import Rating, Ratings, aligned

__all__ = [
    "Agreement",
    "Head",
    "Prediction",
    "Rating",
    "Ratings",
    "aligned",
    "cross_validate",
    "fit",
    "next_to_rate",
]
