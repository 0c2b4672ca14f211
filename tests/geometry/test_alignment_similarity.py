"""Crops by scale and shift: what must hold for every face, and what is refused."""

import numpy as np
import pytest
from PIL import Image

from facegen.geometry import alignment
from facegen.geometry.alignment_resize import resized_window
from tests.geometry.faces import face_landmarks, photograph

WIDTH, HEIGHT = 320, 280


def scale_two() -> float:
    """`rescale` that enlarges the test's face by 2, so that a pixel's shift is a whole number of the crop's."""
    points = alignment.flip_rows(alignment.five_points(face_landmarks()), HEIGHT)
    return 2 * alignment.pos_scale_translation(points)[0] * (1 + 1e-12)


def test_a_shifted_face_has_the_same_crop() -> None:
    image, shift = photograph(WIDTH, HEIGHT, detail=2), np.array([17, -9])
    moved = np.roll(image, shift[::-1], axis=(0, 1))
    first = alignment.similarity_crop(image, face_landmarks(), size=100, rescale=scale_two())
    second = alignment.similarity_crop(moved, face_landmarks() + shift, size=100, rescale=scale_two())
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_allclose(first.landmarks, second.landmarks, atol=1e-6)


def test_landmarks_are_where_the_crop_shows_them() -> None:
    points = np.round(face_landmarks())
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    x, y = points[30].astype(int)
    image[y, x] = 255
    found = alignment.similarity_crop(image, points)
    row, column = np.unravel_index(found.image[:, :, 0].argmax(), found.image.shape[:2])
    assert np.abs(found.landmarks[30] - (column, row)).max() < 2.0  # the published map drops up to a pixel and a half


@pytest.mark.parametrize("roll_degrees", [-40.0, 0.0, 25.0])
def test_mapping_and_its_inverse_cancel(roll_degrees: float) -> None:
    points = face_landmarks(eye_distance=33.0, roll_degrees=roll_degrees)
    frame = alignment.similarity_frame(points, (WIDTH, HEIGHT))
    np.testing.assert_allclose(frame.to_photograph(frame.to_crop(points)), points, atol=1e-9)
    crop = alignment.eg3d_crop(photograph(WIDTH, HEIGHT), points)
    np.testing.assert_allclose(crop.to_photograph(crop.landmarks), points, atol=1e-9)


def test_eg3d_crop_is_the_middle_of_the_1024_crop() -> None:
    image, points = photograph(WIDTH, HEIGHT), face_landmarks()
    whole = alignment.similarity_crop(image, points, size=1024, rescale=300.0)
    middle = Image.fromarray(whole.image[162:862, 162:862]).resize((512, 512), Image.Resampling.LANCZOS)
    crop = alignment.eg3d_crop(image, points)
    np.testing.assert_array_equal(crop.image, np.asarray(middle))
    np.testing.assert_allclose(crop.landmarks, (whole.landmarks - 162) * 512 / 700)


def test_five_points_of_68_give_the_same_crop() -> None:
    image, points = photograph(WIDTH, HEIGHT), face_landmarks()
    five = alignment.five_points(points)
    np.testing.assert_array_equal(
        alignment.similarity_crop(image, points).image, alignment.similarity_crop(image, five).image
    )
    assert (alignment.five_points_integer(points) == np.trunc(five)).all()


def test_mask_goes_with_the_image() -> None:
    image = photograph(WIDTH, HEIGHT)
    crop = alignment.similarity_crop(image, face_landmarks(), mask=np.ascontiguousarray(image[:, :, 1]))
    assert crop.mask is not None
    np.testing.assert_array_equal(crop.mask, crop.image[:, :, 1])


@pytest.mark.parametrize("seed", range(12))
def test_window_is_that_of_pillows_whole_resized_image(seed: int) -> None:
    generator = np.random.default_rng(seed)
    width, height = generator.integers(20, 150, 2).tolist()
    image = generator.integers(0, 256, (height, width, 3), np.uint8)
    size = (int(width * generator.uniform(0.2, 6)) + 1, int(height * generator.uniform(0.2, 6)) + 1)
    left, upper = (int(generator.integers(-60, side + 10)) for side in size)
    box = (left, upper, left + int(generator.integers(1, 160)), upper + int(generator.integers(1, 160)))
    wide = Image.fromarray(image).resize((size[0], height), Image.Resampling.BICUBIC)  # width first, in every Pillow
    whole = wide.resize(size, Image.Resampling.BICUBIC).crop(box)
    np.testing.assert_array_equal(resized_window(image, size, box), np.asarray(whole))


def test_a_tiny_face_of_a_large_photograph_takes_little_memory() -> None:
    image = np.zeros((3000, 4000, 3), np.uint8)  # whole at EG3D's scale: 70,000 x 52,000 pixels
    crop = alignment.eg3d_crop(image, face_landmarks(eye_distance=10.0, at=(2000, 1500)))
    assert crop.image.shape == (512, 512, 3)


def changed(place: int, x: float, y: float) -> np.ndarray:
    points = face_landmarks()
    points[place] = x, y
    return points


def eyes_in_one_place() -> np.ndarray:
    points = face_landmarks()
    points[42:48] = points[36:42]
    return points


BAD_LANDMARKS = {
    "fewer": (face_landmarks()[:67], r"got shape \(67, 2\), expected .*\(68, 2\)"),
    "three numbers": (np.ones((68, 3)), r"got shape \(68, 3\), expected .*\(68, 2\)"),
    "nan": (changed(7, np.nan, 3.0), "point 7 is not finite"),
    "infinite": (changed(8, 3.0, np.inf), "point 8 is not finite"),
    "far": (changed(30, 5000.0, 100.0), r"point 30 at \(5000, 100\) lies far outside the 320 x 280 image"),
    "beside": (face_landmarks(at=(-100.0, 140.0)), "the face lies outside the 320 x 280 image"),
    "eyes": (eyes_in_one_place(), "both eyes at"),
    "one point": (np.full((68, 2), 100.0), "both eyes at"),
}
CROPS = {
    "similarity": alignment.similarity_crop,
    "eg3d": alignment.eg3d_crop,
    "quad": lambda image, points: alignment.quad_crop(image, points, 64, 256),
}


@pytest.mark.parametrize("crop", CROPS)
@pytest.mark.parametrize("case", BAD_LANDMARKS)
def test_landmarks_that_no_face_has_are_refused_in_one_line(crop: str, case: str) -> None:
    points, message = BAD_LANDMARKS[case]
    with pytest.raises(ValueError, match=message) as caught:
        CROPS[crop](photograph(WIDTH, HEIGHT), points)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("crop", CROPS)
@pytest.mark.parametrize(
    "image", [np.zeros((HEIGHT, WIDTH), np.uint8), np.zeros((HEIGHT, WIDTH, 3)), np.zeros((0, 5, 3), np.uint8)]
)
def test_other_images_are_refused(crop: str, image: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"image: got .* expected uint8 RGB \(height, width, 3\)"):
        CROPS[crop](image, face_landmarks())


def test_other_mistakes_are_named() -> None:
    image = photograph(WIDTH, HEIGHT)
    with pytest.raises(ValueError, match=r"mask: got shape \(5, 5\), expected that of the image, \(280, 320\)"):
        alignment.similarity_crop(image, face_landmarks(), mask=np.zeros((5, 5), np.uint8))
    with pytest.raises(ValueError, match=r"template: got shape \(68, 3\)"):
        alignment.similarity_crop(image, face_landmarks(), template=np.zeros((68, 3)))
    with pytest.raises(ValueError, match="too small to be enlarged to 1024"):
        alignment.eg3d_crop(image, face_landmarks(eye_distance=0.1))
    with pytest.raises(ValueError, match="got 6 points, expected 68"):
        alignment.five_points(np.zeros((6, 2)))
