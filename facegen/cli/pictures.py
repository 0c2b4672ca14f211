"""Pictures on disk: PNG files, grids and mp4 films, each written whole or not at all."""

import math
from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from facegen.checkpoint import atomic_write

Picture = UInt8[np.ndarray, "height width 3"]


def to_uint8(images: Float[Tensor, "batch channel height width"]) -> UInt8[np.ndarray, "batch height width 3"]:
    """Images in [-1, 1] as bytes: 127.5 x + 128, cut off and truncated, as the official scripts round."""
    pixels = (images * 127.5 + 128).clamp(0, 255).to(torch.uint8)
    return rearrange(pixels, "n c h w -> n h w c").cpu().numpy()


def grid_size(text: object, count: int) -> tuple[int, int]:
    """Columns and rows from `4x2`, or a nearly square grid that holds `count` pictures where nothing is given."""
    if text in (None, "auto"):
        columns = math.ceil(math.sqrt(count))
        return columns, math.ceil(count / columns)
    columns, _, rows = str(text).lower().partition("x")
    if not (columns.isdecimal() and rows.isdecimal() and int(columns) * int(rows) > 0):
        raise ValueError(f"grid: got {text!r}, expected COLUMNSxROWS such as 4x2, or null")
    return int(columns), int(rows)


def grid(pictures: list[Picture], columns: int, rows: int) -> Picture:
    """One picture of `columns` x `rows` cells, filled row by row; cells left over are black."""
    height, width, _ = pictures[0].shape
    sheet = np.zeros((rows, columns, height, width, 3), np.uint8)
    for index, picture in enumerate(pictures[: rows * columns]):
        sheet[index // columns, index % columns] = picture
    return rearrange(sheet, "r c h w k -> (r h) (c w) k")


def save_png(picture: Picture, path: Path) -> None:
    """Write one PNG."""
    with atomic_write(path) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG")


def save_video(frames: Iterable[Picture], path: Path, fps: int) -> None:
    """Write an H.264 mp4 that browsers and players show (yuv420p: both sides must be even)."""
    with atomic_write(path) as temporary, av.open(str(temporary), "w", format="mp4") as container:
        stream = None
        for picture in frames:
            if stream is None:
                stream = container.add_stream("libx264", rate=fps, options={"crf": "17"})
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        if stream is not None:
            container.mux(stream.encode())
