"""What unwrapping needs to know of a mesh: where its triangles lie in the texture, a template, and masks."""

from collections.abc import Mapping
from typing import NamedTuple, Self

import cv2
import numpy as np

from facegen.morphable.uv.blending import Valid
from facegen.morphable.uv.colors import SOFTNESS
from facegen.morphable.uv.masks import FULL_SIZE, Mask, Texture
from facegen.morphable.uv.views import Lookup

VIEWS = ("left", "right", "front")  # in the order in which they are laid over each other

Box = tuple[int, int, int, int]  # first row, end of rows, first column, end of columns


class UVAssets(NamedTuple):
    """Assets for textures of one size; masks are 0 or 1.

    `mouth`: around the lips, where masks are eroded less. `hair`: the scalp. `center`: eyes, nose and mouth, which are
    completed where no view shows them. `nasal_base`, `nostril`: where dark pixels, and where all, are replaced.
    `valid`: by view, what it shows. `whole`: the same of all views together. `boxes`: rows and columns in which
    completion solves for pixels. `softness`: by which the contrast of the template is divided when it takes
    the colours of a view. None: each fitted face's own albedo takes the place of the template.
    """

    lookup: Lookup
    template: Texture
    mouth: Mask
    hair: Mask
    center: Mask
    nasal_base: Mask
    nostril: Mask
    valid: Mapping[str, Valid]
    whole: Valid
    boxes: tuple[Box, ...]
    softness: float | None = SOFTNESS

    @property
    def size(self) -> int:
        """Side of the textures."""
        return len(self.template)

    def at(self, size: int) -> Self:
        """Assets for textures of another side: the nearest pixels of lookup and masks, the template averaged."""
        if size < 16:
            raise ValueError(f"texture size: got {size}, expected at least 16 pixels")
        if size == self.size:
            return self
        rows = (np.arange(size) + 0.5) * self.size // size
        pick = np.ix_(rows.astype(np.intp), rows.astype(np.intp))
        area = cv2.INTER_AREA if size < self.size else cv2.INTER_LINEAR
        return self._replace(
            lookup=Lookup(*(array[pick] for array in self.lookup)),
            template=cv2.resize(self.template, (size, size), interpolation=area),
            valid={view: Valid(*(mask[pick] for mask in valid)) for view, valid in self.valid.items()},
            whole=Valid(*(mask[pick] for mask in self.whole)),
            boxes=tuple(scaled(box, size, self.size) for box in self.boxes),
            **{name: getattr(self, name)[pick] for name in _MASKS},
        )


_MASKS = ("mouth", "hair", "center", "nasal_base", "nostril")


def scaled(box: Box, size: int, of: int = FULL_SIZE) -> Box:
    """A box of a texture of `of` pixels in one of `size`."""
    first_row, last_row, first_column, last_column = (round(edge * size / of) for edge in box)
    return first_row, last_row, first_column, last_column


def union(valid: Mapping[str, Valid]) -> Valid:
    """What all views together show."""
    major, minor = (np.maximum.reduce(masks) for masks in zip(*valid.values(), strict=True))
    return Valid(major, minor)
