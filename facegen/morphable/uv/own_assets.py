"""Assets for unwrapping made from a morphable model alone: FFHQ-UV's are drawn by hand, for one mesh."""

import math

import cv2
import numpy as np
import torch
from jaxtyping import Float

from facegen.geometry.cameras import head_rotation
from facegen.morphable.model import MorphableModel
from facegen.morphable.uv.assets import Box, UVAssets, union
from facegen.morphable.uv.blending import Valid
from facegen.morphable.uv.charts import chart_of, landmark_pixels, rasterize_chart
from facegen.morphable.uv.masks import Mask, around, smooth, threshold
from facegen.morphable.uv.views import Lookup

_EYES, _NOSE, _MOUTH = (slice(36, 42), slice(42, 48)), slice(31, 36), slice(48, 60)
_BROWS, _CHIN, _EYE_CORNERS = slice(17, 27), 8, (36, 45)
_VIEWS = {"left": 30.0, "right": -30.0, "front": 0.0}  # degrees; FFHQ-UV's left shows the person's left
_MAJOR, _MINOR = 0.65, 0.35  # least cosine to the camera
# in distances between the outer corners of the eyes
_AROUND_EYES, _AROUND_NOSE, _AROUND_MOUTH, _SMOOTH = 0.10, 0.08, 0.10, 0.2
_FOREHEAD, _BELOW_CHIN = 0.45, 0.05  # height of the forehead and of what the chin hides, in heights from chin to brows
_BOX_MARGIN = 6  # pixels around what is to be solved for


def own_assets(model: MorphableModel, size: int = 1024) -> UVAssets:
    """Assets of any model, on its own chart or on a cylinder around it.

    Eyes, nose and mouth are where the landmarks are, `valid` is where the mean face turns to cameras 30 degrees apart,
    the template is the mean albedo (of a fitted face, its own).
    """
    if size < 64:
        raise ValueError(f"texture size: got {size}, expected at least 64 pixels for masks of eyes and mouth")
    chart = chart_of(model)
    lookup = rasterize_chart(model, chart, size)
    points = landmark_pixels(model, chart, size)
    unit = float(np.linalg.norm(points[_EYE_CORNERS[0]] - points[_EYE_CORNERS[1]]))
    hulls = [_hull(points[part], size, _AROUND_EYES * unit) for part in _EYES]
    hulls += [_hull(points[_NOSE], size, _AROUND_NOSE * unit), _hull(points[_MOUTH], size, _AROUND_MOUTH * unit)]
    valid = _valid(model, lookup, _SMOOTH * unit)
    return UVAssets(
        lookup,
        lookup.extended(model.mean_albedo.cpu().numpy() * 255),
        mouth=_hull(points[_MOUTH], size, 2 * _AROUND_MOUTH * unit),
        hair=_scalp(model, lookup),
        center=np.maximum.reduce(hulls),
        nasal_base=hulls[2],
        nostril=np.zeros((size, size), np.float32),
        valid=valid,
        whole=union(valid),
        boxes=tuple(_box(hull) for hull in hulls),
        softness=None,
    )


def _hull(points: Float[np.ndarray, "point 2"], size: int, pixels: float) -> Mask:
    """1 inside the convex hull of some points, and some pixels about it."""
    mask = np.zeros((size, size), np.float32)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.round(points).astype(np.int32)), 1.0)
    return around(mask, pixels)


def _box(mask: Mask) -> Box:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    edges = (rows[0] - _BOX_MARGIN, rows[-1] + 1 + _BOX_MARGIN, columns[0] - _BOX_MARGIN, columns[-1] + 1 + _BOX_MARGIN)
    first, end, left, right = (int(min(max(edge, 0), len(mask))) for edge in edges)
    return first, end, left, right


def _valid(model: MorphableModel, lookup: Lookup, deviation: float) -> dict[str, Valid]:
    """Skin above the neck that turns to the camera, on average around: nostrils and lips make no holes."""
    normals, height = model.normals_of(model.mean_shape[None]), model.mean_shape[:, 1]
    brows, chin = _brows_and_chin(model)
    face = (height > chin - _BELOW_CHIN * (brows - chin)) & (model.skin > 0.5)
    inside = threshold(lookup(face.float().cpu().numpy()))
    found = {}
    for view, degrees in _VIEWS.items():
        angle = normals.new_tensor([[0.0, math.radians(-degrees), 0.0]])
        cosine = lookup((normals @ head_rotation(angle))[0, :, 2].cpu().numpy())
        cosine = smooth(cosine, deviation)
        found[view] = Valid(inside * threshold(cosine, _MAJOR), inside * threshold(cosine, _MINOR))
    return found


def _brows_and_chin(model: MorphableModel) -> tuple[float, float]:
    """Heights of the upper end of the brows and of the chin."""
    height = model.mean_shape[:, 1]
    return float(height[model.landmarks[_BROWS]].amax()), float(height[model.landmarks[_CHIN]])


def _scalp(model: MorphableModel, lookup: Lookup) -> Mask:
    """What is higher than a forehead, and what is higher than the brows and not skin."""
    height = model.mean_shape[:, 1]
    brows, chin = _brows_and_chin(model)
    above = (height > brows + _FOREHEAD * (brows - chin)) | ((height > brows) & (model.skin < 0.5))
    return threshold(lookup(above.float().cpu().numpy()))


def view_name(angle: Float[torch.Tensor, "3"], least_degrees: float = 15.0) -> str:
    """Which of FFHQ-UV's views a head turned by `angle` is: `front`, or the side of the person that is seen."""
    turned = math.degrees(math.asin(max(-1.0, min(1.0, float(head_rotation(angle[None])[0, 2, 0])))))
    if abs(turned) < least_degrees:
        return "front"
    return "left" if turned < 0 else "right"
