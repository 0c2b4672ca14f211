"""Images of a recipe as PNG files: copied where nothing would change, encoded where something does."""

import copy
import io
import time
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facegen.data.dataset import FaceDataset
from facegen.data.headers import ImageError, read_header, unusual
from facegen.data.inspection import png_damage
from facegen.data.packing.plan import Plan
from facegen.data.processes import spawn_pool

WORTH_SECONDS = 30  # of work that is left; for less, starting processes (they import torch) takes as long as it saves
STRETCH_BYTES, STRETCH_IMAGES = 32 << 20, 64  # what a process hands over at a time, and what a kill can cost


class Encoded(NamedTuple):
    """A PNG file, and whether it is the bytes of the source."""

    data: bytes
    copied: bool


class Stretch(NamedTuple):
    """Some images of a plan, small enough to be sent to another process; `rows` count from the dataset's first."""

    dataset: FaceDataset
    rows: NDArray[np.int64]
    flips: NDArray[np.bool_]
    compression: int
    reencode: bool


def encode(stretch: Stretch) -> list[Encoded]:
    """The images of a stretch, in order. Raises ImageError that names the file."""
    found, decoded = [], (-1, np.empty(0))
    for row, flip in zip(stretch.rows.tolist(), stretch.flips.tolist(), strict=True):
        data = None if flip or stretch.reencode else _as_it_is(stretch.dataset, row)
        if data is not None:
            found.append(Encoded(data, True))
            continue
        if decoded[0] != row:
            decoded = row, stretch.dataset.pixels(row).transpose(1, 2, 0)
        pixels = decoded[1][:, ::-1] if flip else decoded[1]
        found.append(Encoded(_png(pixels, stretch.compression), False))
    return found


def encode_from(plan: Plan, first: int, workers: int, worth_seconds: float = WORTH_SECONDS) -> Generator[list[Encoded]]:
    """Stretches of a plan from an image on, in order.

    `workers` processes take over, ahead of their use, once the rest would keep this one busy for `worth_seconds`; with
    0 they never do.
    """
    stretches = _stretches(plan, first)
    left, spent = len(plan) - first, 0.0
    while left and not (workers and spent * left > worth_seconds * (len(plan) - first - left)):
        started = time.perf_counter()
        done = encode(next(stretches))
        spent += time.perf_counter() - started
        left -= len(done)
        yield done
    if left:
        yield from _in_processes(stretches, workers)


def _in_processes(stretches: Iterator[Stretch], workers: int) -> Generator[list[Encoded]]:
    ahead: deque[Future[list[Encoded]]] = deque()
    try:
        with spawn_pool(workers) as pool:
            try:
                ahead.extend(pool.submit(encode, stretch) for stretch in islice(stretches, 2 * workers))
                while ahead:
                    yield ahead.popleft().result()
                    ahead.extend(pool.submit(encode, stretch) for stretch in islice(stretches, 1))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    except BrokenProcessPool as error:
        raise OSError("a process that wrote images was killed (memory?); run the same command to go on") from error


def _stretches(plan: Plan, first: int) -> Iterator[Stretch]:
    dataset = FaceDataset(plan.recipe, cache=False)
    count = max(1, min(STRETCH_IMAGES, STRETCH_BYTES // (3 * plan.recipe.resolution**2)))
    for start in range(first, len(plan), count):
        rows, flips = plan.rows[start : start + count], plan.flips[start : start + count]
        part = copy.copy(dataset)
        part.reader = dataset.reader.part(rows[0], rows[-1] + 1)
        part.items = part.labels = part.mirrored_labels = np.empty(0)  # pixels do not need them
        yield Stretch(part, rows - rows[0], flips, plan.settings.compression, plan.settings.reencode)


def _as_it_is(dataset: FaceDataset, row: int) -> bytes | None:
    """Bytes of an image that is a sound RGB PNG file of the wanted size already; None for any other."""
    data = dataset.reader.read(row)
    try:
        header = read_header(data)
    except ImageError:  # decoding will say the same, and name the file
        return None
    if header.codec != "png" or unusual(header) or (header.width, header.height) != 2 * (dataset.resolution,):
        return None
    if reason := png_damage(data):
        raise ImageError(f"{dataset.reader.where(row)}: {reason}")
    return data


def _png(pixels: np.ndarray, compression: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, format="PNG", compress_level=compression)
    return buffer.getvalue()
