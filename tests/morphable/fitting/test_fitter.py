"""The fitter on faces whose coefficients are known."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from facegen.geometry.angles import view_angles
from facegen.geometry.cameras import from_coefficients
from facegen.geometry.perspective import DEEP3D
from facegen.morphable import Fit, Fitter, MorphableModel
from facegen.morphable.coefficients import Coefficients
from facegen.morphable.fitting import EXACT, PUBLISHED
from facegen.morphable.procedural_model import ProceduralFaces
from facegen.morphable.render import render

SIDE = 112


class Known(NamedTuple):
    model: MorphableModel
    coefficients: Tensor
    images: Tensor  # [-1, 1]
    landmarks: Tensor


@pytest.fixture(scope="module")
def known(faces: ProceduralFaces) -> Known:
    """Renders of the model itself on grey: yaw to 60 degrees."""
    model, generator = faces.model.with_perspective(DEEP3D.at(SIDE)), torch.Generator().manual_seed(3)

    def normal(count: int, scale: float) -> Tensor:
        return scale * torch.randn(4, count, generator=generator)

    layout, yaw = model.layout, torch.tensor([0.0, 0.4, -0.7, 1.05])
    angle = torch.stack([0.1 * torch.ones(4), yaw, torch.zeros(4)], dim=1)
    parts = (normal(layout.identity, 1), normal(layout.expression, 0.7), normal(layout.albedo, 0.7))
    coefficients = layout.join(Coefficients(*parts, angle, normal(27, 0.03), normal(3, 0.1)))
    drawn = render(model, model(coefficients), background=0.0)
    points = model.perspective.image_points(model(coefficients).camera[:, model.landmarks])
    return Known(model, coefficients, drawn.images.clamp(-1, 1), points)


def degrees_off(known: Known, fit: Fit) -> Tensor:
    parts = known.model.split(known.coefficients)
    true = view_angles(from_coefficients(parts.angle, parts.translation)).rad2deg()
    return (fit.pose_degrees - true).abs().amax(dim=1)


def test_exact_landmarks_give_the_pose(known: Known) -> None:
    fit = Fitter(known.model, noise=0.3, landmark_weights=EXACT, photometric=False).fit(None, known.landmarks)
    assert degrees_off(known, fit).max() < 2
    assert (fit.landmarks - known.landmarks).norm(dim=-1).mean() < 0.3
    assert fit.converged.all()


def test_pictures_make_fits_truer(known: Known) -> None:
    noisy = known.landmarks + torch.randn(known.landmarks.shape, generator=torch.Generator().manual_seed(1))
    fits = [
        Fitter(known.model, noise=2.0, landmark_weights=EXACT, photometric=on).fit(known.images, noisy)
        for on in (False, True)
    ]
    errors = [(fit.landmarks - known.landmarks).norm(dim=-1).mean() for fit in fits]
    assert errors[1] < 0.8 * errors[0]
    colors = [(fit.renders - known.images).abs()[fit.masks.expand_as(fit.renders)].mean() for fit in fits]
    assert colors[1] < 0.4 * colors[0]


def test_a_face_fits_alike_alone_and_in_a_batch(known: Known) -> None:
    fitter = Fitter(known.model, iterations=2)
    together, alone = fitter.fit(known.images, known.landmarks), fitter.fit(known.images[1:2], known.landmarks[1:2])
    torch.testing.assert_close(together.coefficients[1:2], alone.coefficients, atol=5e-3, rtol=0)


def test_one_bad_face_does_not_hurt_the_others(known: Known) -> None:
    landmarks = known.landmarks.clone()
    landmarks[1, 5] = torch.nan
    landmarks[2] += 10 * SIDE  # outside of the picture
    fitter = Fitter(known.model, iterations=2)
    fit, whole = fitter.fit(known.images, landmarks), fitter.fit(known.images, known.landmarks)
    lost = torch.tensor([False, True, True, False])
    assert fit.coefficients[lost].isnan().all() and fit.cameras[lost].isnan().all()
    assert (fit.score[lost] == 1).all() and not fit.masks[lost].any() and not fit.converged[lost].any()
    torch.testing.assert_close(fit.coefficients[~lost], whole.coefficients[~lost], atol=5e-3, rtol=0)


def test_a_warm_start_needs_no_landmarks(known: Known) -> None:
    start = known.coefficients.clone()
    angle = slice(known.model.layout.total - 33, known.model.layout.total - 30)
    start[:, angle] += 0.05
    fit = Fitter(known.model).fit(known.images, start=start)
    assert degrees_off(known, fit).median() < 0.5 * torch.tensor(0.05).rad2deg()
    assert fit.interval_degrees.isnan().all()


def test_a_warm_start_saves_iterations(known: Known) -> None:
    fitter = Fitter(known.model, noise=0.3, landmark_weights=EXACT, photometric=False)
    cold = fitter.fit(None, known.landmarks)
    warm = fitter.fit(None, known.landmarks, start=cold.coefficients)
    assert (warm.iterations <= 2).all() and (cold.iterations > 2).all()


def test_bytes_and_floats_are_the_same_picture(known: Known) -> None:
    fitter = Fitter(known.model, iterations=1)
    pixels = ((known.images + 1) * 127.5).round()
    as_floats = fitter.fit(pixels / 127.5 - 1, known.landmarks)
    as_bytes = fitter.fit(pixels.to(torch.uint8), known.landmarks)
    torch.testing.assert_close(as_bytes.coefficients, as_floats.coefficients, atol=1e-3, rtol=0)


def test_masks_hide_what_is_not_skin(known: Known) -> None:
    images, masks = known.images.clone(), torch.ones_like(known.images[:, :1])
    images[:, :, 55:75, 30:80] = 1.0  # a white bar over nose and cheeks
    masks[:, :, 55:75, 30:80] = 0
    fitter = Fitter(known.model, noise=1.0)
    blind, masked = fitter.fit(images, known.landmarks), fitter.fit(images, known.landmarks, masks=masks)
    truth = known.model.albedo_of(known.model.split(known.coefficients).albedo)

    def off(fit: Fit) -> Tensor:
        return (known.model.albedo_of(known.model.split(fit.coefficients).albedo) - truth).abs().mean()

    assert off(masked) < off(blind)


def test_adam_lowers_the_published_loss_and_follows_a_face_network(known: Known) -> None:
    weights = torch.randn(3 * 16, 8, generator=torch.Generator().manual_seed(2))

    def embed(images: Tensor) -> Tensor:
        small = torch.nn.functional.adaptive_avg_pool2d(images, 4).flatten(1)
        return torch.nn.functional.normalize(small @ weights, dim=1)

    losses = [
        Fitter(known.model, photometric=False, embed=embed, adam_steps=steps)
        .fit(known.images[:2], known.landmarks[:2])
        .loss
        for steps in (1, 25)
    ]
    assert (losses[1] < 0.8 * losses[0]).all()


def test_published_weights_are_deep3dfacerecons() -> None:
    assert PUBLISHED.color == 1.92 and PUBLISHED.landmark == 1.6e-3 and PUBLISHED.reflectance == 5.0
    assert PUBLISHED.albedo == pytest.approx(3e-4 * 1.7e-2)


def test_fits_of_batches_join(known: Known) -> None:
    fitter = Fitter(known.model, photometric=False)
    parts = [fitter.fit(None, known.landmarks[some]) for some in (slice(0, 3), slice(3, 4))]
    joined, whole = Fit.joined(parts), fitter.fit(None, known.landmarks)
    torch.testing.assert_close(joined.coefficients, whole.coefficients, atol=1e-4, rtol=0)
    assert joined.evidence.shape.shape == (4,)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "neither landmarks nor a start"),
        ({"landmarks": torch.zeros(2, 5, 2)}, r"landmarks of shape \(2, 5, 2\), expected \(N, 68, 2\)"),
        ({"landmarks": torch.zeros(2, 68, 2), "images": torch.zeros(2, 3, 8, 9)}, r"expected \(N, 3, S, S\)"),
        ({"landmarks": torch.zeros(2, 68, 2), "images": torch.zeros(3, 3, 32, 32)}, "the same number of each"),
        ({"landmarks": torch.zeros(2, 68, 2), "start": torch.zeros(2, 257)}, "use the model that they were fitted"),
        ({"landmarks": torch.zeros(2, 68, 2), "masks": torch.zeros(2, 1, 8, 8)}, "got masks"),
    ],
)
def test_wrong_shapes_are_named(known: Known, arguments: dict[str, Tensor], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Fitter(known.model).fit(**arguments)


def test_settings_are_checked(known: Known) -> None:
    with pytest.raises(ValueError, match="noise=0"):
        Fitter(known.model, noise=0)
    with pytest.raises(ValueError, match="landmark weights"):
        Fitter(known.model, landmark_weights=torch.ones(5, 2))


def test_nothing_is_drawn_where_nothing_is_asked_for(known: Known) -> None:
    fitter = Fitter(known.model, photometric=False, draw=False)
    fit, drawn = fitter.fit(None, known.landmarks), Fitter(known.model, photometric=False).fit(None, known.landmarks)
    assert fit.renders.shape == (4, 3, 0, 0) and fit.masks.shape == fit.depth.shape == (4, 1, 0, 0)
    assert drawn.masks.any() and torch.equal(fit.coefficients, drawn.coefficients)
