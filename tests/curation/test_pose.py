"""Cameras from landmarks: exact where the head is the person's own, near where it is everybody's."""

from pathlib import Path

import numpy as np
import pytest
import torch

from facegen.curation.frames import face_frames, realign_size
from facegen.curation.head import Head, given_head
from facegen.curation.pose import solve_pose
from facegen.data.poses import random_label
from facegen.geometry.alignment import eg3d_crop, quad_crop
from facegen.geometry.cameras import label, mirror, onto_sphere, pinhole_intrinsics, split_label
from facegen.geometry.projection import project
from facegen.morphable.procedural import ProceduralHead, random_person
from facegen.morphable.procedural.landmarks import landmark_order_when_mirrored

SIZE = 512


def seen(points: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Pixels of a 512 picture at which a camera sees world points."""
    world, labels = torch.from_numpy(points).double(), torch.from_numpy(row[None]).double()
    return project(world, labels)[0].numpy() * SIZE


def angle(first: np.ndarray, second: np.ndarray) -> float:
    """Degrees between the directions of two cameras' positions."""
    a, b = (row[[3, 7, 11]] / np.linalg.norm(row[[3, 7, 11]]) for row in (first, second))
    return float(np.degrees(np.arccos(np.clip(a @ b, -1, 1))))


@pytest.mark.parametrize("poses", ["ffhq", "large"])
def test_own_head_gives_its_own_camera(head: Head, poses: str) -> None:
    for number in range(8):
        truth = random_label(poses, np.random.default_rng(number)).astype(np.float64)
        pose = solve_pose(seen(head.points, truth), head.points)
        np.testing.assert_allclose(pose.label, truth, atol=2e-6)
        assert pose.error < 1e-3 and abs(pose.distance - 2.7) < 1e-5


def test_distance_is_found_before_the_sphere(head: Head) -> None:
    truth = torch.from_numpy(random_label("ffhq", np.random.default_rng(1))[None]).double()
    far = label(onto_sphere(split_label(truth)[0], radius=3.1), pinhole_intrinsics())[0].numpy()
    pose = solve_pose(seen(head.points, far), head.points)
    assert abs(pose.distance - 3.1) < 1e-5
    np.testing.assert_allclose(pose.label, truth[0].numpy(), atol=2e-6)


def test_mirror(head: Head) -> None:
    """The mirrored face has the mirrored camera, as far as the head is symmetric."""
    row = random_label("large", np.random.default_rng(5)).astype(np.float64)
    points = seen(head.points * [1.02, 0.99, 1.03], row)
    mirrored = (points * [-1, 1] + [SIZE, 0])[landmark_order_when_mirrored()]
    found, other = solve_pose(points, head.points), solve_pose(mirrored, head.points)
    expected = mirror(torch.from_numpy(found.label[None]))[0].numpy()
    assert angle(other.label, expected) < 0.5


@pytest.mark.parametrize(("poses", "mean", "most"), [("ffhq", 3.0, 12), ("large", 2.5, 9)])
def test_other_people(procedural: ProceduralHead, head: Head, poses: str, mean: float, most: float) -> None:
    """True landmarks of random people through the crops: degrees that the mean head costs."""
    errors = []
    for number in range(40):
        rng = np.random.default_rng([7, number])
        person, row = random_person(procedural, rng), random_label(poses, rng)
        points = seen(procedural.vertices(person.identity, person.expression)[procedural.landmarks], row) + 200
        frames = face_frames(points, (SIZE + 400, SIZE + 400))
        errors.append(angle(solve_pose(frames.to_eg3d(points), head.points).label, row))
    assert np.mean(errors) < mean and max(errors) < most


def test_nonsense_has_no_camera(head: Head) -> None:
    with pytest.raises(ValueError, match="no camera"):
        solve_pose(np.zeros((68, 2)), head.points)


def test_frames_are_those_of_the_crops(head: Head) -> None:
    """Numbers without pixels agree with the crops that have them."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (500, 640, 3), dtype=np.uint8)
    points = seen(head.points, random_label("ffhq", rng)) * 0.6 + [150, 90]
    frames = face_frames(points, (640, 500))
    side = realign_size(points, (640, 500))
    assert frames.realign.size == side == round(frames.realign.quad_size)
    realigned = quad_crop(image, points, side, 2 * side, "lpff_realign", minimum_side=0)
    crop = eg3d_crop(realigned.image, realigned.landmarks)
    np.testing.assert_allclose(frames.to_eg3d(points), crop.landmarks, atol=1e-9)
    np.testing.assert_allclose(frames.to_photograph(frames.to_eg3d(points)), points, atol=1e-9)
    corners = frames.to_photograph(np.array([[0, 0], [512, 0]]))
    assert abs(np.linalg.norm(corners[1] - corners[0]) - frames.side()) < 1e-9
    assert realign_size(points * 20, (640 * 20, 500 * 20)) == 2400


def test_share_that_is_missing(head: Head) -> None:
    points = seen(head.points, random_label("ffhq", np.random.default_rng(2)))
    frames = face_frames(points + 300, (1112, 1112))
    assert frames.missing(1112, 1112) == 0
    left = frames.to_photograph(np.array([[0.0, 256.0]]))[0, 0]
    right = frames.to_photograph(np.array([[512.0, 256.0]]))[0, 0]
    assert abs(frames.missing(round((left + right) / 2), 1112) - 0.5) < 0.1


def test_given_heads(head: Head, tmp_path: Path) -> None:
    np.save(tmp_path / "head.npy", head.points)
    np.savetxt(tmp_path / "head.txt", head.points, delimiter=", ")
    (tmp_path / "bad.txt").write_text("1 2 3\n")
    (tmp_path / "words.txt").write_text("a head\n")
    for name in ("head.npy", "head.txt"):
        found = given_head(tmp_path / name)
        np.testing.assert_allclose(found.points, head.points)
        assert found.method.startswith(f"landmarks-pnp {name} ")
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "uneven.txt").write_text("1 2 3\n4 5\n")
    (tmp_path / "bad.npy").write_bytes(b"no array")
    for name in ("bad.txt", "words.txt", "empty.txt", "uneven.txt", "bad.npy"):
        with pytest.raises(ValueError, match=r"points: .*68"):
            given_head(tmp_path / name)


def test_the_default_head_is_the_procedural_one(head: Head) -> None:
    assert head.points.shape == (68, 3) and head.method.startswith("landmarks-pnp procedural head v")
    np.testing.assert_allclose(head.points[30], [0, -0.005, 0.3], atol=0.02)
