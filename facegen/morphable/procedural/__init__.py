"""A morphable head made of formulas: shape, expression, colours and hair, without data from any real person."""

from facegen.morphable.procedural.mesh import PARTS
from facegen.morphable.procedural.model import ProceduralHead, build_head
from facegen.morphable.procedural.people import Person, random_person
from facegen.morphable.procedural.render import Picture, render_head
from facegen.morphable.procedural.scene import random_background, random_light
from facegen.morphable.procedural.storage import load_head, read_head, save_head, source_fingerprint

__all__ = [
    "PARTS",
    "Person",
    "Picture",
    "ProceduralHead",
    "build_head",
    "load_head",
    "random_background",
    "random_light",
    "random_person",
    "read_head",
    "render_head",
    "save_head",
    "source_fingerprint",
]
