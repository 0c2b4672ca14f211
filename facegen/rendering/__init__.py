"""Pictures of geometry: the mesh rasteriser."""

from facegen.rendering.rasterizer import Rasterization, interpolate, rasterize

__all__ = ["Rasterization", "interpolate", "rasterize"]
