"""The image tower of a CLIP in a folder as transformers writes it, as an extractor."""

import json
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from facegen.metrics.extractors.extractor import Extractor
from facegen.metrics.extractors.resize import Images, Resized, pillow_bicubic, standardised
from facegen.metrics.extractors.weights import identify

Triple = tuple[float, float, float]
_WEIGHTS, _PICTURES = "model.safetensors", "preprocessor_config.json"
_INSTALL = "clip: a folder of transformers needs that package; install it with pip install 'facegen[text]'"


class _Embedded(nn.Module):
    """The projected embedding alone."""

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, pictures: Tensor) -> Tensor:
        return self.tower(pixel_values=pictures).image_embeds


def clip_folder(folder: Path, name: str, usual: tuple[Triple, Triple]) -> Extractor:
    """Projected image embedding, not normalised, of the CLIP in a folder: config.json, model.safetensors.

    usual: mean and deviation of pixels where preprocessor_config.json does not say others. Pictures are square, and
    brought to the network's size. No code of the folder is run. Raises ValueError where it holds no CLIP.
    """
    try:
        import transformers
    except ImportError as error:
        raise ValueError(_INSTALL) from error
    kept = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()  # the tower of texts is left aside, which it would warn of
    found = identify(folder / _WEIGHTS, [], name)
    try:
        tower: Any = transformers.CLIPVisionModelWithProjection.from_pretrained(
            folder, local_files_only=True, use_safetensors=True
        )
        statistics = _statistics(folder / _PICTURES, usual)
    except (OSError, RuntimeError, ImportError, KeyError, TypeError, ValueError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{name}: {folder} cannot be read as a CLIP: {reason:.200}") from error
    finally:
        transformers.logging.set_verbosity(kept)
    size, features = int(tower.config.image_size), int(tower.config.projection_dim)
    protocol = {
        "definition": "CLIP, projected image embedding, by transformers",
        "input_size": size,
        "resize": "Pillow bicubic, antialiased, rounded to 8 bits",
        "normalisation": f"mean and deviation {statistics} of x / 255",
        **found.protocol,
    }
    return Extractor(name, features, partial(_prepare, size=size, statistics=statistics), _Embedded(tower), protocol)


def _prepare(images: Images, size: int, statistics: tuple[Triple, Triple]) -> Resized:
    if images.shape[2] != images.shape[3]:
        raise ValueError(f"got pictures of {images.shape[3]}x{images.shape[2]}, expected square ones")
    return standardised(pillow_bicubic(images, size), *statistics)


def _statistics(path: Path, usual: tuple[Triple, Triple]) -> tuple[Triple, Triple]:
    """Mean and deviation that a folder says."""
    if not path.is_file():
        return usual
    content = json.loads(path.read_text(encoding="utf-8"))
    mean, deviation = (
        tuple(map(float, content.get(key, value)))
        for key, value in zip(("image_mean", "image_std"), usual, strict=True)
    )
    if len(mean) != 3 or len(deviation) != 3 or min(deviation) <= 0:
        raise ValueError(f"{path} has image_mean {mean} and image_std {deviation}; expected three numbers each")
    return mean, deviation
