"""Whether generated faces are what their pictures show: a generator's cameras and depths against an estimator's.

Every face is seen from two cameras. EG3D's Pose, Depth and ID (Chan et al. 2022) as published, and beside them figures
in units that people read: degrees, and landmarks' distances. Definitions: docs/in_loop.md. All figures are of the
process that asks, which may be one of several.
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from facegen.data.pictures import to_uint8
from facegen.evaluation.draws import Noise
from facegen.evaluation.estimator import Sight
from facegen.geometry.cameras import split_label
from facegen.metrics.extractors import Extractor
from facegen.metrics.geometry import DepthError, PoseError, rotation_degrees, rotation_offset_degrees
from facegen.metrics.means import SampleMean
from facegen.metrics.reprojection import reproject
from facegen.metrics.views import IdentitySimilarity
from facegen.rendering.volume import camera_rays

VIEWS = 2
_FAILED = 0.5  # of the fitter's probability that a fit failed


class Faces(NamedTuple):
    """N faces of a generator, from two cameras each: rows 0 to N-1 are first views, N to 2N-1 second ones."""

    images: UInt8[Tensor, "views 3 side side"]
    depth: Float[Tensor, "views 1 raw_side raw_side"]  # distance from the camera's plane
    labels: Float[Tensor, "views 25"]


@torch.no_grad()
def generated_faces(
    generator: Any, z: Float[Tensor, "face z_dim"], cameras: Float[Tensor, "views 25"], seed: int, batch_size: int
) -> Faces:
    """Faces of latents, made for the average camera and seen from two; jitter on rays is a function of the seed."""
    told, parts = generator.average_camera().to(cameras), []
    for first in range(0, len(z), batch_size):
        noise = Noise(seed, first, "agreement", z.device)
        rows = z[first : first + batch_size]
        ws = generator.mapping(rows, told.expand(len(rows), -1))
        planes = generator.planes(ws, "const")
        seen = [
            generator.synthesis(ws, c[first : first + batch_size], noise_mode="const", rand=noise.rand, planes=planes)
            for c in cameras.split(len(z))
        ]
        parts.append([(to_uint8(out.image), out.image_depth) for out in seen])
    images, distances = (torch.cat([part[view][kind] for view in range(VIEWS) for part in parts]) for kind in (0, 1))
    return Faces(images, plane_depth(distances, cameras), cameras)


def plane_depth(
    distances: Float[Tensor, "batch 1 side side"], labels: Float[Tensor, "batch 25"]
) -> Float[Tensor, "batch 1 side side"]:
    """Distances along rays (of a volume renderer) as distances from the camera's plane (of a mesh)."""
    pose, intrinsics = split_label(labels)
    rays = camera_rays(pose, intrinsics, distances.shape[-1])
    cosine = (rays.directions * pose[:, None, :3, 2]).sum(dim=-1)
    return distances * cosine.reshape(distances.shape)


def failed(sight: Sight, most_residual: float) -> Tensor:
    """Which fits are none (N,): no face, or the fitter says so, or, without a fitter, a residual above a limit."""
    lost = ~sight.coefficients.isfinite().all(dim=1) | sight.residual.isnan()
    return lost | torch.where(sight.score.isnan(), sight.residual > most_residual, sight.score > _FAILED)


def pose_figures(labels: Float[Tensor, "batch 25"], sight: Sight) -> dict[str, float]:
    """`pose_degrees` (median turn between true and seen cameras), its 90th percentile, the turn that all share, EG3D's
    `pose`."""
    degrees = _finite(rotation_degrees(labels, sight.labels))
    if not len(degrees):
        return {}
    metric = PoseError(sync_on_compute=False)
    metric.update(labels.cpu(), sight.labels.cpu())
    return {
        "pose_degrees": float(degrees.quantile(0.5)),
        "pose_degrees_p90": float(degrees.quantile(0.9)),
        "pose_offset_degrees": rotation_offset_degrees(labels, sight.labels),
        "pose": float(metric.compute().value),
    }


def agreement(faces: Faces, sight: Sight, most_residual: float, extractor: Extractor | None = None) -> dict[str, float]:
    """Figures by name; those that no face allows are left out. See docs/in_loop.md for each.

    most_residual: above which a face counts as not fitted, where the sight has no scores. extractor: of embeddings, for
    the identity of both views; without it, the fitted identity coefficients are compared.
    """
    figures = pose_figures(faces.labels, sight)
    depth = DepthError(sync_on_compute=False)
    resized = F.interpolate(faces.depth, sight.depth.shape[-2:], mode="bilinear")
    depth.update(resized.cpu(), sight.depth.cpu(), sight.mask.cpu())
    figures |= _mean("depth", depth)
    figures |= _reprojection(faces, sight)
    figures |= _embeddings(faces, extractor) if extractor is not None else _coefficients(sight)
    return figures | {"failed": float(failed(sight, most_residual).double().mean())}


def _reprojection(faces: Faces, sight: Sight) -> dict[str, float]:
    (here, there), (_, seen) = (_views(values) for values in (faces.labels, sight.landmarks))
    found = reproject(_views(sight.points)[0], seen, here, there)
    pixels = _finite(found.distance * faces.images.shape[-1])
    shares = _finite(found.distance / found.interocular)
    if not len(pixels):
        return {}
    return {"reprojection_pixels": float(pixels.quantile(0.5)), "reprojection_interocular": float(shares.quantile(0.5))}


def _embeddings(faces: Faces, extractor: Extractor) -> dict[str, float]:
    metric = IdentitySimilarity(sync_on_compute=False)
    metric.update(*(torch.as_tensor(extractor(images)).cpu() for images in _views(faces.images)))
    return _mean(f"identity_{extractor.name}", metric)


def _coefficients(sight: Sight) -> dict[str, float]:
    """Distance of the identity coefficients of both views, and its ratio to that of different faces."""
    first, second = _views(sight.identity)
    same, other = ((first - each).square().mean(dim=1).sqrt() for each in (second, second.roll(1, dims=0)))
    both = same.isfinite() & other.isfinite()
    if not bool(both.any()):
        return {}
    near, far = float(same[both].mean()), float(other[both].mean())
    figures = {"identity_coefficients": near}
    return figures | {"identity_coefficients_ratio": near / far} if far > 0 else figures


def _mean(name: str, metric: SampleMean) -> dict[str, float]:
    return {name: float(metric.compute().value)} if bool(metric.count > 0) else {}


def _views(values: Tensor) -> tuple[Tensor, Tensor]:
    first, second = values.chunk(VIEWS)
    return first, second


def _finite(values: Tensor) -> Tensor:
    return values[values.isfinite()].double()
