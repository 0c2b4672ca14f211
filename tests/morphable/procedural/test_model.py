"""The linear model: coefficients, mirroring, storage, and the pictures it gives."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from facegen.geometry.cameras import label, look_at, mirror, pinhole_intrinsics
from facegen.geometry.projection import project
from facegen.morphable import spherical_harmonics
from facegen.morphable.procedural import PARTS, Person, ProceduralHead, random_background, random_light, random_person
from facegen.morphable.procedural.landmarks import landmark_order_when_mirrored
from facegen.morphable.procedural.render import Picture, render_head
from facegen.morphable.procedural.storage import load_head, read_head, save_head


def camera(yaw_degrees: float) -> np.ndarray:
    pose = look_at(math.pi / 2 + math.radians(yaw_degrees), 1.45)
    return label(pose, pinhole_intrinsics())[0].numpy()


def render(
    head: ProceduralHead, person: Person, view: np.ndarray, light: np.ndarray, background: np.ndarray
) -> Picture:
    vertices, colors = head.vertices(person.identity, person.expression), head.colors(person.albedo)
    return render_head(head, vertices, colors, light, view, background)


def mean_person(head: ProceduralHead) -> Person:
    return Person(*(np.zeros(len(modes.names), np.float32) for modes in (head.identity, head.expression, head.albedo)))


def test_modes_are_linear(head: ProceduralHead) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, len(head.identity.names))).astype(np.float32)
    moved = [head.identity.apply(head.mean_shape, c) - head.mean_shape for c in (a, b, a + 2 * b)]
    np.testing.assert_allclose(moved[2], moved[0] + 2 * moved[1], atol=1e-5)
    dense = head.identity.dense(len(head.mean_shape))
    np.testing.assert_allclose(moved[0], np.einsum("kvd,k->vd", dense, a), atol=1e-5)


def test_every_mode_does_something_small(head: ProceduralHead) -> None:
    for modes, most in ((head.identity, 0.06), (head.expression, 0.09)):
        sizes = np.linalg.norm(modes.dense(len(head.mean_shape)), axis=-1).max(1)
        for name, size in zip(modes.names, sizes, strict=True):
            assert 1e-3 < size < (0.6 if name == "hair length" else most), name
    assert np.abs(head.albedo.dense(len(head.mean_albedo))).max(axis=(1, 2)).min() > 5e-3
    assert head.mean_albedo.min() >= 0 and head.mean_albedo.max() <= 1


def test_wrong_number_of_coefficients_is_named(head: ProceduralHead) -> None:
    with pytest.raises(ValueError, match=r"got coefficients of shape \(3,\), expected \(\d+,\)"):
        head.colors(np.zeros(3, np.float32))


def test_stored_head_is_the_same(head: ProceduralHead, tmp_path: Path) -> None:
    save_head(head, tmp_path / "head.npz")
    again = read_head(tmp_path / "head.npz")
    person = random_person(head, np.random.default_rng(1))
    assert again.identity.names == head.identity.names
    assert np.array_equal(again.vertices(person.identity, person.expression), head.vertices(*person[:2]))
    assert np.array_equal(again.colors(person.albedo), head.colors(person.albedo))


def test_cache_is_filled_once(tmp_path: Path) -> None:
    load_head(tmp_path, detail=0.15)
    (path,) = tmp_path.iterdir()
    written = path.stat().st_mtime_ns
    load_head(tmp_path, detail=0.15)
    assert path.stat().st_mtime_ns == written


@pytest.mark.parametrize("yaw", [-55, 0, 20, 80])
def test_landmarks_are_the_projected_vertices(head: ProceduralHead, yaw: float) -> None:
    person = random_person(head, np.random.default_rng(2))
    picture = render(head, person, camera(yaw), np.zeros((9, 3), np.float32), np.zeros((96, 96, 3), np.float32))
    points = torch.from_numpy(head.vertices(person.identity, person.expression)[head.landmarks])
    uv = project(points, torch.from_numpy(camera(yaw)[None]))[0].numpy()
    np.testing.assert_allclose(picture.landmarks, uv * 96, atol=1e-2)


def test_landmarks_fall_on_their_parts(head: ProceduralHead) -> None:
    dark, nothing = np.zeros((9, 3), np.float32), np.zeros((256, 256, 3), np.float32)
    picture = render(head, mean_person(head), camera(0), dark, nothing)
    column, row = np.floor(picture.landmarks).astype(int).T
    for middle_of, part in (((36, 39), "eye"), ((42, 45), "eye"), ((51, 62), "lips"), ((57, 66), "lips")):
        y, x = row[list(middle_of)].mean(), column[list(middle_of)].mean()
        assert PARTS[picture.parts[round(y), round(x)]] == part, middle_of
    assert all(PARTS[picture.parts[row[k], column[k]]] == "skin" for k in range(27, 36))
    assert picture.parts[0, 0] == 0 and set(PARTS) - {"brow", "mouth"} <= {PARTS[k] for k in np.unique(picture.parts)}


@pytest.mark.parametrize("yaw", [0, 35])
def test_mirrored_head_in_the_mirrored_camera_is_the_flipped_picture(head: ProceduralHead, yaw: float) -> None:
    rng = np.random.default_rng(11)
    person, view = random_person(head, rng), camera(yaw)
    light, background = random_light(rng, view), random_background(rng, 96)
    picture = render(head, person, view, light, background)
    signs = (head.identity.mirror_sign, head.expression.mirror_sign, head.albedo.mirror_sign)
    other = Person(*(coefficients * sign for coefficients, sign in zip(person, signs, strict=True)))
    flipped_light = spherical_harmonics.mirror(torch.from_numpy(light)).numpy()
    flipped_view = mirror(torch.from_numpy(view[None]))[0].numpy()
    flipped = render(head, other, flipped_view, flipped_light, background[:, ::-1])
    difference = np.abs(flipped.image[:, ::-1].astype(int) - picture.image)
    assert difference.mean() < 0.5 and (difference > 24).mean() < 0.003
    assert (flipped.parts[:, ::-1] != picture.parts).mean() < 0.004
    landmarks = flipped.landmarks[landmark_order_when_mirrored()]
    np.testing.assert_allclose([96, 0] + landmarks * [-1, 1], picture.landmarks, atol=2e-2)


def test_expressions_move_what_they_name(head: ProceduralHead) -> None:
    rest = head.mean_shape[head.landmarks]

    def moved(name: str) -> np.ndarray:
        coefficients = np.array([float(mode == name) for mode in head.expression.names], np.float32)
        return head.expression.apply(head.mean_shape, coefficients)[head.landmarks] - rest

    assert moved("jaw open")[66, 1] < -0.03 and abs(moved("jaw open")[62, 1]) < 0.01
    assert (moved("smile")[[48, 54], 1] > 0.005).all() and moved("smile")[54, 0] > 0.005 > moved("smile")[48, 0]
    assert (moved("blink")[[37, 38, 43, 44], 1] < -0.008).all() and np.abs(moved("blink")[48:]).max() < 1e-3
    assert moved("wink")[43, 1] < -0.008 < 0.008 < moved("wink")[37, 1]
    assert (moved("inner brows up")[[21, 22], 1] > 0.005).all()


def test_people_differ_and_stay_human(head: ProceduralHead) -> None:
    people = [random_person(head, np.random.default_rng(seed)) for seed in range(40)]
    identity = np.stack([person.identity for person in people])
    hair = np.array([name.startswith("hair ") for name in head.identity.names])
    assert (identity[:, ~hair].std(0) > 0.5).all() and np.abs(identity[:, ~hair]).max() <= 2
    colors = np.stack([head.colors(person.albedo).mean(0) for person in people])
    assert colors.std(0).min() > 0.03
    again = random_person(head, np.random.default_rng(7))
    assert all(np.array_equal(a, b) for a, b in zip(again, people[7], strict=True))
