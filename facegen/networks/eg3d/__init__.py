"""EG3D (Chan et al. 2022) with the parameter and buffer names of the official release, and LPFF's variants of it."""

from facegen.networks.eg3d.decoder import OSGDecoder
from facegen.networks.eg3d.discriminator import (
    DualDiscriminator,
    DummyDualDiscriminator,
    ImagePair,
    SingleDiscriminator,
)
from facegen.networks.eg3d.generator import Output, TriPlaneGenerator, is_3d
from facegen.networks.eg3d.resizing import blur, filtered_resizing
from facegen.networks.eg3d.superresolution import SUPERRESOLUTION, Superresolution

__all__ = [
    "SUPERRESOLUTION",
    "DualDiscriminator",
    "DummyDualDiscriminator",
    "ImagePair",
    "OSGDecoder",
    "Output",
    "SingleDiscriminator",
    "Superresolution",
    "TriPlaneGenerator",
    "blur",
    "filtered_resizing",
    "is_3d",
]
