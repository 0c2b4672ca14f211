"""Crops for recognition networks, augmentation, skin and boxes: what must hold, and what is refused."""

import random

import numpy as np
import pytest
import torch

from facegen.geometry import alignment
from facegen.geometry.alignment_augment import MIRRORED_68
from tests.geometry.faces import face_landmarks, photograph


def landmarks(count: int = 3) -> torch.Tensor:
    faces = [face_landmarks(30.0 + 10 * k, (110.0, 90.0 + k), 15.0 * k) for k in range(count)]
    return torch.from_numpy(np.stack(faces))


def apply(transforms: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    return points @ transforms[:, :, :2].mT + transforms[:, None, :, 2]


def test_transform_is_the_least_squares_similarity() -> None:
    """Against a linear system in (a, b, x, y): u = a x - b y + s, v = b x + a y + t."""
    points = landmarks()
    found = alignment.identity_transforms(points)
    template = np.array(alignment.ARCFACE_TEMPLATE)
    for transform, face in zip(found.numpy(), points.numpy(), strict=True):
        x, y = alignment.five_points(face).T
        one, zero = np.ones(5), np.zeros(5)
        design = np.concatenate([np.stack([x, -y, one, zero], 1), np.stack([y, x, zero, one], 1)])
        a, b, s, t = np.linalg.lstsq(design, template.T.flatten(), rcond=None)[0]
        np.testing.assert_allclose(transform, [[a, -b, s], [b, a, t]], atol=1e-9)


def test_transform_of_the_template_is_the_identity_and_follows_other_templates() -> None:
    template = torch.tensor(alignment.ARCFACE_TEMPLATE, dtype=torch.float64)
    torch.testing.assert_close(alignment.identity_transforms(template[None])[0, :, :2], torch.eye(2).double())
    doubled = alignment.identity_transforms(landmarks(), template * 2)
    torch.testing.assert_close(doubled, alignment.identity_transforms(landmarks()) * 2)


def test_crop_shows_what_the_transform_says() -> None:
    """An image whose colours are its coordinates."""
    rows, columns = torch.meshgrid(torch.arange(180.0), torch.arange(220.0), indexing="ij")
    images = torch.stack([columns, rows]).expand(3, 2, 180, 220).double()
    transforms = alignment.identity_transforms(landmarks())
    crops = alignment.identity_crop(images, transforms)
    for x, y in ((56, 60), (40, 50), (70, 80)):
        back = apply(transforms, crops[:, :, y, x][:, None])[:, 0]
        torch.testing.assert_close(back, torch.tensor([[x, y]]).double().expand(3, 2), atol=1e-9, rtol=0)
    assert crops.shape == (3, 2, 112, 112)
    assert (alignment.identity_crop(images + 1, transforms + torch.tensor([0, 0, 500.0])) == 0).all()


def test_crop_has_gradients() -> None:
    images = torch.rand(1, 1, 12, 14, generator=torch.Generator().manual_seed(0)).double().requires_grad_()
    transforms = torch.tensor([[[0.613, -0.107, 0.337], [0.107, 0.613, 0.771]]], dtype=torch.float64)
    transforms.requires_grad_()  # no sample falls on a pixel: there bilinear sampling has a kink
    assert torch.autograd.gradcheck(lambda x, m: alignment.identity_crop(x, m, size=6), (images, transforms))
    points = landmarks(2).requires_grad_()
    assert torch.autograd.gradcheck(alignment.identity_transforms, (points,))


def test_mirrored_roles_are_an_involution_that_mirrors_a_symmetric_face() -> None:
    roles = list(MIRRORED_68)
    assert [roles[role] for role in roles] == list(range(68))
    face = face_landmarks(roll_degrees=0.0, at=(0.0, 0.0))[:27]  # outline and brows
    np.testing.assert_allclose((face * (-1, 1))[roles[:27]], face, atol=1e-9)


def test_augmentation_moves_pixels_and_landmarks_alike() -> None:
    size, place = (224, 224), np.array([150, 90])
    image = np.zeros((224, 224, 3), np.uint8)
    image[place[1] - 1 : place[1] + 2, place[0] - 1 : place[0] + 2] = 255
    points = np.tile(place, (68, 1)).astype(np.float64)
    for flip in (False, True):
        augmentation = alignment.CropAugmentation(6, -4, 1.05, 8.0, flip)
        found = alignment.augment_crop(image, points, augmentation, mask=np.ascontiguousarray(image[:, :, 0]))
        row, column = np.unravel_index(found.image[:, :, 0].argmax(), size)
        assert np.abs(found.landmarks[0] - (column, row)).max() < 2
        assert found.mask is not None
        np.testing.assert_array_equal(found.mask, found.image[:, :, 0])


def test_no_augmentation_changes_nothing_and_mirroring_twice_neither() -> None:
    image, points = photograph(224, 224), face_landmarks(at=(110.0, 90.0))
    still = alignment.augment_crop(image, points, alignment.CropAugmentation(0, 0, 1.0, 0.0, flip=False))
    np.testing.assert_array_equal(still.image, image)
    np.testing.assert_allclose(still.landmarks, points, atol=1e-9)
    mirror = alignment.CropAugmentation(0, 0, 1.0, 0.0, flip=True)
    once = alignment.augment_crop(image, points, mirror)
    np.testing.assert_array_equal(once.image, image[:, ::-1])
    twice = alignment.augment_crop(once.image, once.landmarks, mirror)
    np.testing.assert_allclose(twice.landmarks, points, atol=1e-9)


def test_random_augmentations_stay_within_their_ranges_and_repeat() -> None:
    draws = np.array([[float(v) for v in alignment.random_augmentation(random.Random(seed))] for seed in range(300)])
    limits = np.array([10, 10, 0.1, 10.0, 0.5])
    spread = np.abs(draws - (0, 0, 1, 0, 0.5)).max(axis=0)
    assert (spread <= limits).all() and (spread > 0.9 * limits).all()
    assert alignment.random_augmentation(random.Random(5)) == alignment.random_augmentation(random.Random(5))


def colour_mixture(y: float, cb: float, cr: float) -> alignment.ColorMixture:
    return alignment.ColorMixture(np.ones(1), np.array([[y, cb, cr]]), np.eye(3)[None] / 100, np.array([1e6]))


def test_skin_is_what_is_nearer_to_skins_colours() -> None:
    image = np.array([[[220, 170, 150], [20, 90, 200], [0, 0, 0]]], np.uint8)
    skin, sky = (colour_mixture(*alignment.rgb_to_ycbcr(image)[0, place]) for place in (0, 1))
    found = alignment.skin_mask(image, skin, sky)
    assert found.tolist()[0][:2] == [255, 0]
    assert alignment.skin_mask(image, skin, skin).tolist()[0][0] == round(0.8 * 255)
    far = colour_mixture(1e6, 0, 0)
    assert alignment.skin_mask(image, far, far).max() == 0  # both densities vanish


def test_box_scales_and_moves_with_the_points() -> None:
    generator = np.random.default_rng(0)
    first, bias, second = (generator.normal(size=shape) for shape in ((20, 10), (20, 1), (3, 20)))
    regression = alignment.BoxRegression(first, bias, second, np.array([[0.0], [0.0], [30.0]]))
    points = alignment.five_points(face_landmarks())
    left, upper, width, height = alignment.face_box(points, regression)
    assert width == height
    np.testing.assert_allclose(
        alignment.face_box(points * 3 + (5, 7), regression), [left * 3 + 5, upper * 3 + 7, width * 3, width * 3]
    )


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match=r"got shape \(68, 2\), expected \(N, 68, 2\) or \(N, 5, 2\)"):
        alignment.identity_transforms(landmarks()[0])
    for value in (3.0, float("nan")):
        with pytest.raises(ValueError, match="coincide or are not finite"):
            alignment.identity_transforms(torch.full((1, 5, 2), value))
        with pytest.raises(ValueError, match="coincide or are not finite"):
            alignment.face_box(np.full((5, 2), value), alignment.BoxRegression(*np.zeros((4, 1, 1))))
    with pytest.raises(ValueError, match=r"transforms: got shape \(3, 2, 3\), expected \(2, 2, 3\)"):
        alignment.identity_crop(torch.zeros(2, 3, 8, 8), alignment.identity_transforms(landmarks()))
    image, still = photograph(64, 64), alignment.CropAugmentation(0, 0, 1.0, 0.0, flip=False)
    with pytest.raises(ValueError, match=r"landmarks: got shape \(5, 2\), expected \(68, 2\)"):
        alignment.augment_crop(image, np.zeros((5, 2)), still)
    with pytest.raises(ValueError, match="expected finite numbers and a scale above 0"):
        alignment.augment_crop(image, face_landmarks(), still._replace(scale=0.0))
    with pytest.raises(ValueError, match=r"image: got shape \(64, 64\), expected RGB"):
        alignment.skin_mask(image[:, :, 0], colour_mixture(0, 0, 0), colour_mixture(0, 0, 0))
    with pytest.raises(ValueError, match=r"points: got shape \(68, 2\), expected \(5, 2\)"):
        alignment.face_box(face_landmarks(), alignment.BoxRegression(*np.zeros((4, 1, 1))))
