"""Pictures of geometry: the mesh rasteriser, and gradients of what it draws."""

from facegen.rendering.interpolation import interpolate, interpolate_derivatives
from facegen.rendering.rasterization import Rasterization
from facegen.rendering.rasterizer import rasterize
from facegen.rendering.silhouettes import antialias, edge_neighbors

__all__ = ["Rasterization", "antialias", "edge_neighbors", "interpolate", "interpolate_derivatives", "rasterize"]
