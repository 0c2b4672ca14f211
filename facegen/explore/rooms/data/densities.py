"""Plots of any number of faces: counted by the server, all of them grey and the chosen ones blue."""

import base64
import io

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from PIL import Image

from facegen.explore.widgets.axes import Axis, Frame, Numbers

_CELL = 3  # pixels along a cell of a density
_GREYS = np.array([[226, 230, 235], [150, 158, 168]])  # of one face, and of the fullest cell
_BLUES = np.array([[166, 199, 232], [18, 62, 115]])
Counts = Int[np.ndarray, "row column"]


def counts_of(values: Numbers, axis: Axis, bins: int) -> Float[np.ndarray, " bin"]:
    """How many values lie in each part of an axis; those beyond its ends in the first and the last."""
    values = values[np.isfinite(values)]
    places = np.minimum((axis.shares(values) * bins).astype(np.int64), bins - 1)
    return np.bincount(places, minlength=bins).astype(np.float64)


def density_picture(
    frame: Frame, x: Axis, y: Axis, xs: Numbers, ys: Numbers, chosen: Bool[np.ndarray, " row"]
) -> UInt8[np.ndarray, "height width 3"]:
    """How many faces lie where: grey, blue where chosen ones are; the darker, the more (logarithmically)."""
    width, height = frame.inner
    size = max(height // _CELL, 1), max(width // _CELL, 1)
    known = np.isfinite(xs) & np.isfinite(ys)
    columns = np.minimum((x.shares(xs[known]) * size[1]).astype(np.int64), size[1] - 1)
    lines = np.minimum(((1 - y.shares(ys[known])) * size[0]).astype(np.int64), size[0] - 1)
    places = lines * size[1] + columns
    every = np.bincount(places, minlength=size[0] * size[1]).reshape(size)
    some = np.bincount(places[chosen[known]], minlength=size[0] * size[1]).reshape(size)
    cells = np.full((*size, 3), 255.0)
    for counts, colors in ((every, _GREYS), (some, _BLUES)):
        shade = _shades(counts)[..., None]
        cells = np.where(counts[..., None] > 0, colors[0] + shade * (colors[1] - colors[0]), cells)
    inner = Image.fromarray(cells.astype(np.uint8)).resize((width, height), Image.Resampling.NEAREST)
    picture = np.full((frame.height, frame.width, 3), 255, dtype=np.uint8)
    picture[frame.top : frame.top + height, frame.left : frame.left + width] = np.asarray(inner)
    return picture


def address_of(picture: UInt8[np.ndarray, "height width 3"]) -> str:
    """A picture as an address that holds it."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG", compress_level=3)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _shades(counts: Counts) -> Float[np.ndarray, "row column"]:
    """From 0 for one face to 1 for the fullest cell."""
    most = max(int(counts.max()), 2)
    return np.log(np.maximum(counts, 1)) / np.log(most)
