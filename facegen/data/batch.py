"""The unit that travels from the loader to a training step."""

from typing import Any, NamedTuple

from torch import Tensor


class FaceBatch(NamedTuple):
    """N faces: uint8 images from the loader, float32 in [-1, 1] once a model has moved them to its device.

    `cameras` holds the labels: 25-number cameras (see `facegen.geometry.cameras`), one-hot classes where the
    source has class labels, or zero columns for an unlabelled recipe. `conditions` maps the name of a column to N rows:
    a tensor, or a list of texts for each face (see `facegen.data.conditions`).
    """

    images: Tensor  # (N, 3, H, W)
    cameras: Tensor  # (N, 25) or (N, 0), float32
    conditions: dict[str, Any]
    ids: list[str]
