"""The 112-pixel crop that face recognition networks take, differentiable: for identity losses and metrics."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import grid_sample

from facegen.geometry.alignment_points import LEFT_EYE, MOUTH_LEFT, MOUTH_RIGHT, NOSE_TIP, RIGHT_EYE

IDENTITY_SIZE = 112
# ArcFace's places (Deng et al. 2019) of `five_points` in the crop, in pixels, y down
ARCFACE_TEMPLATE = (
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)


def identity_transforms(
    landmarks: Float[Tensor, "batch point 2"], template: Float[Tensor, "5 2"] | None = None
) -> Float[Tensor, "batch 2 3"]:
    """Matrices that take pixels of an image to those of the crop: [x' y'] = M [x y 1] (Deep3D's `estimate_norm`).

    The similarity that fits the five points of each face to `template` (default: ArcFace's) by least squares: what
    Umeyama (1991) finds, here in closed form, for turning and scaling the plane is one complex factor. `landmarks` are
    68 or 5 in pixels, y down; Deep3DFaceRecon's predictions have y up: row = 223 - y.
    Raises ValueError for other shapes and where the points of a face coincide or are not finite (waits for the device).
    """
    points = _five_points(landmarks)
    target = points.new_tensor(ARCFACE_TEMPLATE) if template is None else template.to(points)
    middle, target_middle = points.mean(dim=1, keepdim=True), target.mean(dim=0)
    source, goal = torch.view_as_complex(points - middle), torch.view_as_complex((target - target_middle).contiguous())
    extent = source.abs().square().sum(dim=1)
    if not bool((extent > 0).all() & extent.isfinite().all()):
        raise ValueError("landmarks: those of a face coincide or are not finite; detect the face again")
    factor = (source.conj() * goal).sum(dim=1) / extent
    turn = torch.stack([factor.real, -factor.imag, factor.imag, factor.real], dim=-1).unflatten(-1, (2, 2))
    return torch.cat([turn, target_middle[:, None] - turn @ middle.mT], dim=-1)


def _five_points(landmarks: Float[Tensor, "batch point 2"]) -> Float[Tensor, "batch 5 2"]:
    if landmarks.ndim != 3 or landmarks.shape[1] not in (5, 68) or landmarks.shape[2] != 2:
        raise ValueError(f"landmarks: got shape {tuple(landmarks.shape)}, expected (N, 68, 2) or (N, 5, 2)")
    if landmarks.shape[1] == 5:
        return landmarks
    eyes = [landmarks[:, [eye.start, eye.start + 3]].mean(dim=1) for eye in (RIGHT_EYE, LEFT_EYE)]
    return torch.stack([*eyes, *landmarks[:, [NOSE_TIP, MOUTH_LEFT, MOUTH_RIGHT]].unbind(dim=1)], dim=1)


def identity_crop(
    images: Float[Tensor, "batch channel height width"],
    transforms: Float[Tensor, "batch 2 3"],
    size: int = IDENTITY_SIZE,
) -> Float[Tensor, "batch channel size size"]:
    """`images`, any range, sampled bilinearly at the crop's pixels, 0 outside; differentiable in both arguments.

    Networks as Deep3DFaceRecon trains with take it in [-1, 1].
    """
    if transforms.shape != (len(images), 2, 3):
        raise ValueError(f"transforms: got shape {tuple(transforms.shape)}, expected ({len(images)}, 2, 3)")
    transforms = transforms.to(images)
    pixels = torch.arange(size, dtype=images.dtype, device=images.device)
    crop = torch.stack(torch.meshgrid(pixels, pixels, indexing="xy"), dim=-1).flatten(0, 1)
    back = torch.linalg.inv(transforms[:, :, :2])
    places = (crop - transforms[:, None, :, 2]) @ back.mT
    scale = 2 / (places.new_tensor([images.shape[3], images.shape[2]]) - 1)
    grid = (places * scale - 1).unflatten(1, (size, size))
    return grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=True)
