"""Where the crops of a face lie in its photograph: numbers only, so that cameras and checks need no pixels."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from facegen.geometry.alignment import QuadFrame, SimilarityFrame, quad_frame, similarity_frame
from facegen.geometry.alignment_similarity import EG3D_CENTRE, EG3D_OUTPUT, EG3D_RESCALE, EG3D_SIZE

REALIGN_SIZE, REALIGN_TRANSFORM = 2400, 4096  # LPFF's
_SMALLEST_REALIGN = 64
_GRID = 32  # samples along a side when an area is measured

Points = Float[np.ndarray, "point 2"]


class Frames(NamedTuple):
    """From the photograph to the realigned picture, and from that to the EG3D crop. Points are pixels, y down."""

    realign: QuadFrame
    similarity: SimilarityFrame

    def to_eg3d(self, points: Points) -> Points:
        """Photograph's pixels to those of the 512 crop."""
        inner = self.similarity.to_crop(self.realign.to_crop(points))
        return (inner - (EG3D_SIZE - EG3D_CENTRE) / 2) * (EG3D_OUTPUT / EG3D_CENTRE)

    def to_deep3d(self, points: Points) -> Points:
        """Photograph's 5 or 68 landmarks to the 224 crop that Deep3DFaceRecon sees of the realigned picture."""
        realigned = self.realign.to_crop(points)
        return similarity_frame(realigned, (self.realign.size, self.realign.size)).to_crop(realigned)

    def to_photograph(self, points: Points) -> Points:
        """Inverse of `to_eg3d`."""
        outer = np.asarray(points, np.float64) * (EG3D_CENTRE / EG3D_OUTPUT) + (EG3D_SIZE - EG3D_CENTRE) / 2
        return self.realign.to_photograph(self.similarity.to_photograph(outer))

    def side(self) -> float:
        """Side of the EG3D crop in pixels of the photograph: how much detail there is for its 512."""
        ends = self.to_photograph(np.array([[0.0, 0.0], [EG3D_OUTPUT, 0.0]]))
        return float(np.linalg.norm(ends[1] - ends[0]))

    def missing(self, width: int, height: int) -> float:
        """Share of the EG3D crop that the photograph does not show and that has to be made up."""
        steps = (np.arange(_GRID) + 0.5) / _GRID * EG3D_OUTPUT
        seen = self.to_photograph(np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2))
        inside = (seen >= 0).all(axis=1) & (seen <= [width - 1, height - 1]).all(axis=1)
        return float(1 - inside.mean())


def realign_size(landmarks: Float[np.ndarray, "68 2"], image_size: tuple[int, int]) -> int:
    """Side of the realigned picture: LPFF's 2400 pixels, or as many as the photograph has where these are fewer.

    Making 2400 pixels out of 600 adds none, costs 16 times the work, and blurs twice.
    """
    side = quad_frame(landmarks, image_size, REALIGN_SIZE, "lpff_realign").quad_size
    return int(np.clip(np.rint(side), _SMALLEST_REALIGN, REALIGN_SIZE))


def face_frames(landmarks: Float[np.ndarray, "68 2"], image_size: tuple[int, int], size: int | None = None) -> Frames:
    """Frames of a face with 68 landmarks in a photograph of `image_size` (width, height); `size`: of the realigned one.

    Raises ValueError for landmarks that no face of the photograph can have.
    """
    size = realign_size(landmarks, image_size) if size is None else size
    realign = quad_frame(landmarks, image_size, size, "lpff_realign")
    realigned = realign.to_crop(landmarks)
    return Frames(realign, similarity_frame(realigned, (size, size), None, EG3D_SIZE, EG3D_RESCALE))
