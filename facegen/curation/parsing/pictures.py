"""Masks of pictures of any size and shape: a look at the whole, and a second one at the face where that is small."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn

from facegen.curation.parsing.orders import LOWER, UPPER, centre, to_celebamask, where
from facegen.data.masks import Mask

_LARGEST = 1024  # pixels: finer than this nothing is seen, and larger masks repeat pixels
_TOGETHER = 4  # pictures in one go
_SMALL = 0.75  # of the picture's longer side: windows from here on are not worth a second look
# FFHQ's crop, on which parsers are trained, by the way from the eyes to the mouth: its side, and its middle's place
_SIDE, _MIDDLE = 3.6, 0.1
_FACE = ("skin", "nose", *UPPER, *LOWER)

Pixels = UInt8[np.ndarray, "height width 3"]
Window = tuple[slice, slice]


@torch.inference_mode()
def parse_pictures(network: nn.Module, pictures: Sequence[Pixels], device: str = "cpu") -> list[Mask]:
    """CelebAMask-HQ's ids for each pixel of RGB pictures of any size and shape.

    `network`: with `parts` and `size` as ParsingNetwork has them. Of several faces the largest gets the second look.
    """
    masks = _looked_at(network, pictures, device)
    small = {number: window for number, mask in enumerate(masks) if (window := face_window(mask)) is not None}
    closer = _looked_at(network, [pictures[number][window] for number, window in small.items()], device)
    for (number, window), mask in zip(small.items(), closer, strict=True):
        masks[number][window] = mask
    return masks


def face_window(mask: Mask) -> Window | None:
    """Rows and columns that FFHQ's crop of the largest face would show, as far as the picture reaches.

    None where that is most of the picture, or no face with eyes and mouth is seen.
    """
    face = _largest(where(mask, _FACE))
    upper, lower = where(mask, UPPER) & face, where(mask, LOWER) & face
    if not (upper.any() and lower.any()):
        return None
    eyes, mouth = centre(upper), centre(lower)
    side = _SIDE * float(np.linalg.norm(mouth - eyes))
    if side >= _SMALL * max(mask.shape):
        return None
    x, y = eyes + _MIDDLE * (mouth - eyes) - side / 2
    rows, columns = (slice(max(int(start), 0), int(np.ceil(start + side))) for start in (y, x))
    return rows, columns


def _largest(area: Bool[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    """The largest connected piece."""
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(area.astype(np.uint8), connectivity=8)
    sizes = np.asarray(statistics)[1:, cv2.CC_STAT_AREA]
    return np.asarray(labels) == 1 + int(sizes.argmax()) if sizes.size else area


def _looked_at(network: nn.Module, pictures: Sequence[Pixels], device: str) -> list[Mask]:
    size, masks = int(network.size), []  # type: ignore[arg-type]
    for start in range(0, len(pictures), _TOGETHER):
        some = pictures[start : start + _TOGETHER]
        logits = network(torch.stack([_square(picture, size) for picture in some]).to(device))
        masks += [_mask(one, picture.shape[:2], size) for one, picture in zip(logits, some, strict=True)]
    return [to_celebamask(mask, network.parts) for mask in masks]  # type: ignore[arg-type]


def _square(picture: Pixels, size: int) -> Float[Tensor, "3 size size"]:
    """A picture in [-1, 1] whose longer side is `size`, its last pixels repeated below or to the right."""
    tensor = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 127.5 - 1
    height, width = _fitted(picture.shape[:2], size)
    tensor = F.interpolate(tensor, (height, width), mode="bilinear", antialias=True)
    return F.pad(tensor, (0, size - width, 0, size - height), mode="replicate")[0]


def _mask(logits: Float[Tensor, "part size size"], shape: tuple[int, int], size: int) -> Mask:
    """The likeliest part of each pixel of a picture of this height and width."""
    height, width = _fitted(shape, size)
    fine = shape if max(shape) <= _LARGEST else _fitted(shape, _LARGEST)
    scores = F.interpolate(logits[None, :, :height, :width], fine, mode="bilinear", antialias=True)
    found = scores.argmax(dim=1)[0].byte().cpu().numpy()
    if fine == shape:
        return found
    return np.asarray(cv2.resize(found, shape[::-1], interpolation=cv2.INTER_NEAREST), dtype=np.uint8)


def _fitted(shape: tuple[int, int], size: int) -> tuple[int, int]:
    scale = size / max(shape)
    return max(round(shape[0] * scale), 1), max(round(shape[1] * scale), 1)
