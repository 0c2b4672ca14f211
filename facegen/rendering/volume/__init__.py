"""Volume rendering of radiance fields: rays, samples on them, compositing, and tri-planes to sample from.

World and camera frames are those of `facegen.geometry.cameras`; distances are along rays of unit direction.
"""

from facegen.rendering.volume.marching import composite, march, point_weights, ray_weights
from facegen.rendering.volume.planes import (
    PLANE_AXES,
    TriPlane,
    plane_axes,
    project_onto_planes,
    sample_planes,
    sample_triplane,
)
from facegen.rendering.volume.rays import Rays, box_intersection, camera_rays
from facegen.rendering.volume.renderer import Field, Rendering, VolumeOptions, render
from facegen.rendering.volume.sampling import sample_importance, sample_pdf, sample_stratified, smooth_weights

__all__ = [
    "PLANE_AXES",
    "Field",
    "Rays",
    "Rendering",
    "TriPlane",
    "VolumeOptions",
    "box_intersection",
    "camera_rays",
    "composite",
    "march",
    "plane_axes",
    "point_weights",
    "project_onto_planes",
    "ray_weights",
    "render",
    "sample_importance",
    "sample_pdf",
    "sample_planes",
    "sample_stratified",
    "sample_triplane",
    "smooth_weights",
]
