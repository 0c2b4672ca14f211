"""Grids of pictures, and mp4 films."""

import math
from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np
import torch
from einops import rearrange
from jaxtyping import UInt8

from facegen.checkpoint import atomic_write
from facegen.data.pictures import tile

Picture = UInt8[np.ndarray, "height width 3"]
Pictures = UInt8[np.ndarray, "picture height width 3"]


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
    sheet = np.zeros((rows * columns, *pictures[0].shape), np.uint8)
    sheet[: len(pictures)] = pictures[: rows * columns]
    return tile(rearrange(torch.from_numpy(sheet), "n h w k -> n k h w"), columns)


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
