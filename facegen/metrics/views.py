"""Whether two views of one generated face show one person: EG3D's ID (Chan et al. 2022)."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from facegen.metrics.means import SampleMean


class IdentitySimilarity(SampleMean):
    """Mean cosine of the embeddings of two views of the same face, with its standard error over faces.

    EG3D: 1024 faces, each seen from two cameras drawn from the dataset, ArcFace embeddings. Figures of different
    embedding networks do not compare; dlib's lie close together, so that its cosines are all near 1.
    """

    def update(self, first: Float[Tensor, "batch feature"], second: Float[Tensor, "batch feature"]) -> None:
        """Add faces: embeddings of one view and of the other, row by row."""
        if first.shape != second.shape or first.ndim != 2:
            raise ValueError(
                f"IdentitySimilarity: got shapes {tuple(first.shape)} and {tuple(second.shape)}, expected two (N, F)"
            )
        self.add(F.cosine_similarity(first.double(), second.double(), dim=1))
