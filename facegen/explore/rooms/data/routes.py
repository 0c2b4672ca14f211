"""Addresses of pictures: faces by the number of their dataset and row, never by path."""

from collections.abc import Callable

from fastapi import FastAPI, HTTPException, Response
from PIL import Image

from facegen.explore.opened import Opened
from facegen.explore.rooms.data.faces import Faces, faces_of
from facegen.explore.rooms.data.overlays import LAYERS, overlaid
from facegen.explore.rooms.data.pictures import jpeg, thumbnail

_KEPT = {"cache-control": "private, max-age=3600"}  # the addresses change with the program that serves them


def routes(app: FastAPI, opened: Opened) -> None:
    """Register them. Handlers are plain functions, so they run in threads beside the page."""
    recipes = list(opened.recipes.values())

    def face(number: int, row: int) -> Faces:
        if not (0 <= number < len(recipes) and 0 <= row < recipes[number].num_faces):
            raise HTTPException(404, "there is no such face")
        return faces_of(recipes[number])

    @app.get("/faces/{number}/{row}/small")
    def small(number: int, row: int) -> Response:
        return _answer(lambda faces: thumbnail(faces, row), face(number, row))

    @app.get("/faces/{number}/{row}/large")
    def large(number: int, row: int, layers: str = "") -> Response:
        wanted = [layer for layer in layers.split(",") if layer]
        if not set(wanted) <= set(LAYERS):
            raise HTTPException(404, f"there is no such layer; expected some of: {', '.join(LAYERS)}")
        return _answer(lambda faces: overlaid(faces, row, wanted), face(number, row))


def small_url(number: int, row: int, faces: Faces) -> str:
    """The address of a small picture."""
    return f"/faces/{number}/{row}/small?v={faces.stamp}"


def large_url(number: int, row: int, faces: Faces, layers: str) -> str:
    """The address of a large picture with layers, their names joined by commas."""
    return f"/faces/{number}/{row}/large?layers={layers}&v={faces.stamp}"


def _answer(draw: Callable[[Faces], Image.Image], faces: Faces) -> Response:
    return Response(jpeg(draw(faces)), media_type="image/jpeg", headers=_KEPT)
