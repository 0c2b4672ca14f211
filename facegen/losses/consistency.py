"""Whether a morphable model sees in generated pictures what they were made with: a camera, and one person.

The idea of supervising a generator's pose and identity by regressed coefficients is that of DiscoFaceGAN (Deng et al.
2020, imitative learning); the known cameras of a 3D generator take the place of given coefficients here.
"""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from facegen.geometry.cameras import head_rotation, split_label

_OPENCV_AXES = (1.0, -1.0, -1.0)  # of the camera: a morphable model's are x right, y up, z to the viewer


def pose_disagreement(angle: Float[Tensor, "batch 3"], labels: Float[Tensor, "batch 25"]) -> Float[Tensor, " batch"]:
    """1 - cos of the turn between the head's pose in a picture and the camera that it was made from: 0 to 2.

    angle: radians, as a morphable model has them. Smooth everywhere, and without a preferred axis: near 0 it is half
    the squared angle. Positions are not compared: a picture tells them less well.
    """
    seen = head_rotation(angle) * angle.new_tensor(_OPENCV_AXES)
    true = split_label(labels)[0][:, :3, :3].to(seen)
    return (3 - (seen * true).sum(dim=(1, 2))) / 2


def identity_disagreement(
    first: Float[Tensor, "batch identity"], second: Float[Tensor, "batch identity"]
) -> Float[Tensor, " batch"]:
    """1 - cosine of the identity coefficients of two views of a face: 0 to 2.

    A cosine, so that nothing is won by making everybody average.
    """
    return 1 - F.cosine_similarity(first, second, dim=1, eps=1e-6)
