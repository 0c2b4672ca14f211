"""Feature extractors by name. Nothing is downloaded unless asked; `docs/extractors.md` says where weights come from."""

from importlib import import_module
from pathlib import Path

from facegen.metrics.extractors.extractor import Extractor

__all__ = ["NAMES", "Extractor", "load_extractor"]

# name -> (module, takes a variant, takes a trusted sha256). timm, dlib and networks are imported when they are needed.
NAMES = {
    "efficientnet_lite0": ("efficientnet", True, False),
    "inception": ("inception", False, True),
    "inception_clean": ("inception", False, True),
    "dinov2": ("vit", True, False),
    "clip": ("vit", True, True),
    "arcface": ("identity", True, False),
    "dlib": ("identity", True, False),
}


def load_extractor(
    name: str, weights: Path | None = None, download: bool = False, trust: str | None = None
) -> Extractor:
    """The extractor `name`, on the CPU; `name@variant` for `efficientnet_lite0@128`, `clip@vitl14`, `arcface@ffhq`.

    weights: a local file instead of the known ones. download: get the known file where it is nowhere.
    trust: sha256 of a TorchScript file that may be run though it is not a published one.
    Raises ValueError for an unknown name, and where weights are missing, damaged or of another network.
    """
    base, _, variant = name.partition("@")
    if base not in NAMES:
        raise ValueError(f"extractor: got {name!r}, expected one of {', '.join(NAMES)}")
    module, has_variants, takes_trust = NAMES[base]
    if variant and not has_variants:
        raise ValueError(f"extractor: got {name!r}, but {base} has no variants")
    options = ({"variant": variant} if has_variants else {}) | ({"trust": trust} if takes_trust else {})
    define = getattr(import_module(f"{__name__}.{module}"), base)
    return define(weights=None if weights is None else Path(weights), download=download, **options)
