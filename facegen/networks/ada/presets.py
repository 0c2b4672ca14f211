"""Named sets of transformations, as arguments of `AugmentPipe` (Karras et al. 2020, figure 4).

Letters: b pixel blitting, g geometry, c colour, f filtering, n noise, c cutout. `bgc` is the published default.
"""

from typing import Any

_BLIT = ("xflip", "rotate90", "xint")
_GEOMETRY = ("scale", "rotate", "aniso", "xfrac")
_COLOR = ("brightness", "contrast", "lumaflip", "hue", "saturation")


def _ones(*names: str) -> dict[str, Any]:
    return dict.fromkeys(names, 1.0)


AUGMENT_PRESETS: dict[str, dict[str, Any]] = {
    "blit": _ones(*_BLIT),
    "geom": _ones(*_GEOMETRY),
    "color": _ones(*_COLOR),
    "filter": _ones("imgfilter"),
    "noise": _ones("noise"),
    "cutout": _ones("cutout"),
    "bg": _ones(*_BLIT, *_GEOMETRY),
    "bgc": _ones(*_BLIT, *_GEOMETRY, *_COLOR),
    "bgcf": _ones(*_BLIT, *_GEOMETRY, *_COLOR, "imgfilter"),
    "bgcfn": _ones(*_BLIT, *_GEOMETRY, *_COLOR, "imgfilter", "noise"),
    "bgcfnc": _ones(*_BLIT, *_GEOMETRY, *_COLOR, "imgfilter", "noise", "cutout"),
}
