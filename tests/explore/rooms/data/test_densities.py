"""Counts and pictures of many faces."""

import base64
import io

import numpy as np
from PIL import Image

from facegen.explore.rooms.data.densities import address_of, counts_of, density_picture
from facegen.explore.widgets.axes import Axis, Frame

FRAME = Frame(90, 60, 15, 0, 15, 0)  # 60 x 60 pixels inside
AXIS = Axis("a", 0.0, 1.0)


def test_every_known_value_is_counted_once() -> None:
    values = np.array([0.0, 0.1, 0.1, 0.999, 1.0, 7.0, -3.0, np.nan])
    assert counts_of(values, AXIS, 4).tolist() == [4, 0, 0, 3]


def test_chosen_faces_are_blue_others_grey_and_empty_places_white() -> None:
    xs, ys = np.array([0.12, 0.92, np.nan]), np.array([0.88, 0.08, 0.5])
    picture = density_picture(FRAME, AXIS, AXIS, xs, ys, np.array([True, False, True]))
    assert picture.shape == (60, 90, 3)
    upper_left, lower_right = picture[7, 15 + 7].astype(int), picture[55, 15 + 55].astype(int)
    assert upper_left[2] > upper_left[0] + 40
    assert 0 < lower_right.max() - lower_right.min() < 20 and lower_right.max() < 240
    assert (picture == 255).all(-1).sum() == 60 * 90 - 2 * 9


def test_more_faces_are_darker() -> None:
    xs = np.repeat([0.1, 0.5, 0.9], [1, 10, 100])
    picture = density_picture(FRAME, AXIS, AXIS, xs, np.full(111, 0.5), np.ones(111, dtype=bool))
    row = picture[(picture != 255).any((1, 2))][0].astype(int).sum(-1)
    assert row[15 + 6] > row[15 + 30] > row[15 + 54]


def test_an_address_holds_the_picture() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    kind, _, data = address_of(picture).partition(",")
    assert kind == "data:image/png;base64"
    assert (np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))) == picture).all()
