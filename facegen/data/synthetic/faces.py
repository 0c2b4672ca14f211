"""Synthetic faces by number: what a process that renders a block of them does."""

import io
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facegen.checkpoint import atomic_write
from facegen.data.poses import random_label
from facegen.morphable.procedural import (
    Person,
    ProceduralHead,
    random_background,
    random_light,
    random_person,
    read_head,
)
from facegen.morphable.procedural.render import Picture, render_head

BLOCK = 32  # faces between two steps of the progress bar
RESOLUTIONS = (64, 512)  # least and most


class Settings(NamedTuple):
    """Everything that the pixels of face number n depend on."""

    seed: int
    resolution: int
    poses: str
    detail: float = 1.0  # of the mesh; tests use less


class Face(NamedTuple):
    """One synthetic face with the truth about it."""

    picture: Picture
    person: Person
    light: NDArray[np.float32]  # (9, 3)
    label: NDArray[np.float32]  # (25,)


def face_name(number: int) -> str:
    """Path of a face below its folder, without suffix."""
    return f"{number // 1000:05d}/{number:08d}"


def make_face(head: ProceduralHead, settings: Settings, number: int) -> Face:
    """Draw and render face `number`: a function of the settings and the number only."""
    rng = np.random.default_rng([settings.seed, number])
    person = random_person(head, rng)
    label = random_label(settings.poses, rng)
    light = random_light(rng, label)
    background = random_background(rng, settings.resolution)
    vertices, colors = head.vertices(person.identity, person.expression), head.colors(person.albedo)
    return Face(render_head(head, vertices, colors, light, label, background), person, light, label)


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Encode quickly: level 1 is four times faster than the default and 10 % larger."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def part_path(root: Path, block: int) -> Path:
    """Where the numbers of a finished block lie until all blocks are done."""
    return root / ".parts" / f"{block:06d}.npz"


def make_block(root: Path, settings: Settings, block: int, stop: int) -> int:
    """Write the images and masks of one block, then its numbers, which mark it as done. Returns how many faces."""
    head = _head(root / "head.npz")
    numbers = range(block * BLOCK, min((block + 1) * BLOCK, stop))
    faces = []
    for number in numbers:
        face = make_face(head, settings, number)
        for folder, pixels in (("images", face.picture.image), (".masks", face.picture.parts)):
            path = root / folder / f"{face_name(number)}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png(pixels))
        faces.append(face)
    with atomic_write(part_path(root, block)) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **_numbers(faces))
    return len(numbers)


def _numbers(faces: list[Face]) -> dict[str, NDArray[np.float32]]:
    return {
        "camera": np.stack([face.label for face in faces]),
        "landmarks": np.stack([face.picture.landmarks.ravel() for face in faces]),
        "identity": np.stack([face.person.identity for face in faces]),
        "expression": np.stack([face.person.expression for face in faces]),
        "albedo": np.stack([face.person.albedo for face in faces]),
        "light": np.stack([face.light.ravel() for face in faces]),
    }


@lru_cache(maxsize=1)
def _head(path: Path) -> ProceduralHead:
    """A process renders many blocks with one head; reading it takes longer than rendering a block."""
    return read_head(path)
