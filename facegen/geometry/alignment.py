"""From landmarks to the crops that face datasets consist of: FFHQ's, EG3D's, LPFF's and Deep3DFaceRecon's, exactly.

Images are uint8 RGB (height, width, 3). Landmarks are pixels of the image they come with, x to the right, y down, 68 in
the usual order (iBUG 300-W) or the five of `five_points`. "Left" is left in the picture. Deep3DFaceRecon's files hold
landmarks with y up: `flip_rows` changes between both.

This module is the door: what is written here holds for the modules behind it, and their names are used from here.
"""

from facegen.geometry.alignment_augment import (
    AugmentedCrop,
    CropAugmentation,
    augment_crop,
    augmentation_affine,
    random_augmentation,
)
from facegen.geometry.alignment_box import BoxRegression, face_box
from facegen.geometry.alignment_identity import ARCFACE_TEMPLATE, identity_crop, identity_transforms
from facegen.geometry.alignment_points import (
    FIVE_POINTS_3D,
    five_points,
    five_points_integer,
    flip_rows,
    pos_scale_translation,
)
from facegen.geometry.alignment_quad import FaceTooSmall, QuadCrop, QuadFrame, QuadVariant, quad_crop, quad_frame
from facegen.geometry.alignment_similarity import (
    EG3DCrop,
    SimilarityCrop,
    SimilarityFrame,
    eg3d_crop,
    similarity_crop,
    similarity_frame,
)
from facegen.geometry.alignment_skin import ColorMixture, rgb_to_ycbcr, skin_mask

__all__ = [
    "ARCFACE_TEMPLATE",
    "FIVE_POINTS_3D",
    "AugmentedCrop",
    "BoxRegression",
    "ColorMixture",
    "CropAugmentation",
    "EG3DCrop",
    "FaceTooSmall",
    "QuadCrop",
    "QuadFrame",
    "QuadVariant",
    "SimilarityCrop",
    "SimilarityFrame",
    "augment_crop",
    "augmentation_affine",
    "eg3d_crop",
    "face_box",
    "five_points",
    "five_points_integer",
    "flip_rows",
    "identity_crop",
    "identity_transforms",
    "pos_scale_translation",
    "quad_crop",
    "quad_frame",
    "random_augmentation",
    "rgb_to_ycbcr",
    "similarity_crop",
    "similarity_frame",
    "skin_mask",
]
