"""Quad crops: what must hold for every face and variant, the padding's blur, and what is refused."""

from typing import get_args

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from facegen.geometry import alignment
from facegen.geometry.alignment_padding import BlurredPadding, gaussian_blur, pad_picture
from tests.geometry.faces import face_landmarks, photograph

VARIANTS: tuple[alignment.QuadVariant, ...] = get_args(alignment.QuadVariant)
WIDTH, HEIGHT = 460, 440
INSIDE = face_landmarks(at=(230.0, 190.0))
AT_THE_BORDER = face_landmarks(at=(40.0, 60.0), roll_degrees=-20.0)


def crop(points: np.ndarray, variant: alignment.QuadVariant, image: np.ndarray | None = None) -> alignment.QuadCrop:
    image = photograph(WIDTH, HEIGHT, detail=3) if image is None else image
    return alignment.quad_crop(image, points, 64, 256, variant, minimum_side=0)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_shifted_face_has_the_same_crop(variant: alignment.QuadVariant) -> None:
    """On a larger canvas, so that nothing is padded there and here."""
    image = photograph(900, 800, detail=3)
    first = crop(INSIDE + 170, variant, image)
    second = crop(INSIDE + np.array([200, 146]), variant, np.roll(image, (-24, 30), axis=(0, 1)))
    assert first.crop_box is not None
    assert second.source_size == first.source_size
    assert np.abs(first.image.astype(int) - second.image).max() <= 1
    np.testing.assert_allclose(first.landmarks, second.landmarks, atol=1e-9)


@pytest.mark.parametrize("points", [INSIDE, AT_THE_BORDER])
@pytest.mark.parametrize("variant", VARIANTS)
def test_mapping_and_its_inverse_cancel(variant: alignment.QuadVariant, points: np.ndarray) -> None:
    found = crop(points, variant)
    np.testing.assert_allclose(found.frame.to_photograph(found.landmarks), points, atol=1e-9)
    corners = found.frame.to_crop(found.frame.quad + 0.5 * found.frame.shrink)
    np.testing.assert_allclose(corners, [[0, 0], [0, 64], [64, 64], [64, 0]], atol=1e-9)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_turned_face_comes_out_upright(variant: alignment.QuadVariant) -> None:
    """But for the half pixel of the photograph by which all is shifted, in a direction that turns with the face."""
    straight, turned = (crop(face_landmarks(at=(230, 190), roll_degrees=r), variant).landmarks[36:48] for r in (0, 30))
    np.testing.assert_allclose(turned, straight, atol=0.3)
    assert np.ptp(alignment.five_points(crop(INSIDE, variant).landmarks)[:2, 1]) < 1e-9


@pytest.mark.parametrize("variant", VARIANTS)
def test_landmarks_are_where_the_crop_shows_them(variant: alignment.QuadVariant) -> None:
    points = np.round(AT_THE_BORDER)
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    x, y = points[30].astype(int)
    image[y - 1 : y + 2, x - 1 : x + 2] = 255
    found = crop(points, variant, image)
    row, column = np.unravel_index(found.image[:, :, 0].argmax(), found.image.shape[:2])
    assert np.abs(found.landmarks[30] - (column, row)).max() < 1.0


@pytest.mark.parametrize("coarse", [False, True])
def test_padding_ends_in_one_color_and_keeps_the_middle(coarse: bool) -> None:
    image, quad = photograph(200, 180, detail=3), np.array([[2.0, 2], [2, 102], [102, 102], [102, 2]])
    padded, moved = pad_picture(Image.fromarray(image), quad, BlurredPadding(100.0, 25, coarse))
    pixels, (left, upper) = np.asarray(padded).astype(int), (moved - quad)[0].astype(int)
    assert (left, upper) == (30, 30)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    assert np.ptp(edge, axis=0).max() <= 1
    middle = slice(10, -10)  # the blur begins a third of the padding inside the photograph
    kept = pixels[upper : upper + 180, left : left + 200]
    np.testing.assert_array_equal(kept[middle, middle], image[middle, middle])
    assert kept[5].std() < image[5].std()


def test_nothing_is_padded_where_the_border_is_there() -> None:
    image, quad = Image.fromarray(photograph(200, 180)), np.array([[40.0, 40], [40, 120], [120, 120], [120, 40]])
    padded, moved = pad_picture(image, quad, BlurredPadding(80.0, 25, coarse=False))
    assert padded is image and moved is quad


@pytest.mark.parametrize(("size", "sigma"), [((57, 83), 4.3), ((40, 31), 25.0), ((12, 9), 0.4)])
def test_blur_is_scipys(size: tuple[int, int], sigma: float) -> None:
    image = np.random.default_rng(0).uniform(0, 255, size).astype(np.float32)
    np.testing.assert_allclose(gaussian_blur(image, sigma), gaussian_filter(image, sigma), atol=2e-5)


def test_variants_differ_as_published() -> None:
    frames = {variant: alignment.quad_frame(INSIDE, (WIDTH, HEIGHT), 64, variant) for variant in VARIANTS}
    assert frames["eg3d_realign"].quad_size == pytest.approx(1.8 * frames["ffhq"].quad_size)
    np.testing.assert_array_equal(frames["lpff_stylegan"].quad, frames["ffhq"].quad)
    widths = [crop(INSIDE, variant).source_size[0] for variant in ("ffhq", "lpff_stylegan")]
    assert widths[1] > widths[0] + 100


def test_lpff_leaves_small_faces_out_and_says_how_small() -> None:
    image = photograph(WIDTH, HEIGHT)
    with pytest.raises(alignment.FaceTooSmall, match=r"have \d+ x \d+ pixels, lpff_realign needs 512 in one direction"):
        alignment.quad_crop(image, INSIDE, 64, 256, "lpff_realign")
    assert alignment.quad_crop(image, INSIDE, 64, 256, "eg3d_realign").image.shape == (64, 64, 3)


def test_absurd_padding_is_refused_before_it_is_made() -> None:
    wide = face_landmarks(eye_distance=350.0, at=(200.0, 200.0), roll_degrees=0.0)
    with pytest.raises(ValueError, match=r"the face would need \d+ x \d+ pixels of a \d+ x \d+ picture"):
        quad = np.array([[-9e3, -9e3], [-9e3, 9e3], [9e3, 9e3], [9e3, -9e3]])
        pad_picture(Image.new("RGB", (400, 400)), quad, BlurredPadding(18e3, 1800, coarse=False))
    assert alignment.quad_crop(photograph(400, 400), wide, 64, 64, "eg3d_realign").frame.shrink > 1


def test_other_mistakes_are_named() -> None:
    image = photograph(WIDTH, HEIGHT)
    with pytest.raises(ValueError, match=r"got 'celeba', expected one of: ffhq, lpff_stylegan, eg3d_realign"):
        alignment.quad_crop(image, INSIDE, 64, 256, "celeba")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"a face of 2 pixels is too small"):
        alignment.quad_crop(image, face_landmarks(eye_distance=0.5), 64, 256)
    with pytest.raises(ValueError, match=r"output_size: got 512, expected 1 to 256"):
        alignment.quad_crop(image, INSIDE, 512, 256)
    with pytest.raises(ValueError, match=r"got shape \(5, 2\), expected \(68, 2\)"):
        alignment.quad_crop(image, alignment.five_points(INSIDE), 64, 256)
