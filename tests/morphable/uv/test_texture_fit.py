"""Fitting a texture decoder: the loss falls, the same seed gives the same numbers, faces do not disturb each other."""

import pytest
import torch
from torch import Tensor

from facegen.losses import perceptual_distance
from facegen.morphable.uv.decoder import LatentSpace, decode, latent_space
from facegen.morphable.uv.texture_fit import TextureFit, fit_texture
from facegen.morphable.uv.textured import lay_on, seen_surface
from tests.morphable.uv.small import PICTURE, charted_model, coefficients, tiny_decoder


class Case:
    """A photograph of the small model with a texture that the decoder can draw."""

    def __init__(self) -> None:
        self.model, self.decoder = charted_model(), tiny_decoder()
        self.space = latent_space(self.decoder, samples=500)
        self.truth = coefficients(self.model, yaw=0.2)
        chart, face = self.model.uv, self.model(self.truth)
        assert chart is not None
        z = torch.randn(1, self.decoder.num_ws, 16, generator=torch.Generator().manual_seed(5))
        with torch.no_grad():
            surface = seen_surface(self.model, chart, face, PICTURE)
            drawn = lay_on(surface, decode(self.decoder, self.space.to_w(z)))
        self.image = drawn * 2 - 1
        self.landmarks = self.model.perspective.image_points(face.camera[:, self.model.landmarks])
        parts = self.model.split(self.truth)
        self.start = self.model.layout.join(parts._replace(identity=torch.zeros_like(parts.identity)))

    def fit(self, images: Tensor | None = None, count: int = 1, **options: object) -> TextureFit:
        images = self.image if images is None else images
        given = {"start": self.start.repeat(count, 1), "space": self.space, "steps": (12, 12)} | options
        return fit_texture(self.model, self.decoder, images, self.landmarks.repeat(count, 1, 1), **given)  # pyright: ignore[reportArgumentType]


@pytest.fixture(scope="module")
def case() -> Case:
    return Case()


def test_the_loss_falls_in_both_stages_and_the_render_nears_the_photograph(case: Case) -> None:
    begun, done = case.fit(steps=(0, 0)), case.fit(steps=(25, 25))
    assert done.search_losses[0, -1] < 0.8 * done.search_losses[0, 0]
    assert done.joint_losses[0, -1] < done.joint_losses[0, 0]
    errors = [(fit.renders - case.image).abs().mean() for fit in (begun, done)]
    assert errors[1] < 0.8 * errors[0]
    assert done.textures.shape == (1, 3, 32, 32) and done.renders.shape == case.image.shape
    assert not torch.equal(done.coefficients, case.start)


def test_the_same_seed_gives_the_same_numbers_and_another_one_others(case: Case) -> None:
    first, again, other = case.fit(), case.fit(), case.fit(seed=7)
    torch.testing.assert_close(first.latents, again.latents, rtol=0, atol=0)
    assert not torch.allclose(first.latents, other.latents)


def test_a_face_is_fitted_alike_alone_and_beside_another(case: Case) -> None:
    pair = case.fit(torch.cat([case.image, -case.image]), count=2)
    torch.testing.assert_close(pair.coefficients[:1], case.fit().coefficients)


def test_the_decoder_is_left_as_it_was_with_its_gradients_on(case: Case) -> None:
    before = [parameter.clone() for parameter in case.decoder.parameters()]
    case.fit()
    for parameter, old in zip(case.decoder.parameters(), before, strict=True):
        assert parameter.requires_grad and torch.equal(parameter, old) and parameter.grad is None


def test_latents_of_the_search_keep_their_lengths(case: Case) -> None:
    plain = LatentSpace(torch.zeros(1, 1, 16), torch.ones(1, 1, 16))
    lengths = [case.fit(space=plain, steps=(steps, 0)).latents.norm(dim=-1) for steps in (0, 5)]
    torch.testing.assert_close(*lengths)


def test_networks_take_part_where_they_are_given(case: Case) -> None:
    def identity(crops: Tensor) -> Tensor:
        return torch.nn.functional.adaptive_avg_pool2d(crops, 4).flatten(1)

    plain = case.fit(steps=(1, 1))
    seen = case.fit(steps=(1, 1), identity=identity, perceptual=perceptual_distance("pyramid", quiet=True))
    assert seen.search_losses[0, 0] > plain.search_losses[0, 0]
    assert seen.joint_losses[0, 0] != plain.joint_losses[0, 0]


def test_without_a_start_the_fitter_makes_one(case: Case) -> None:
    assert case.fit(start=None, steps=(1, 1)).coefficients.isfinite().all()


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"masks": torch.ones(1, 1, 8, 8)}, "masks of shape"),
        ({"steps": (1, -1)}, "steps"),
        ({"start": torch.full((1, 43), torch.nan)}, "no coefficients to start with"),
    ],
)
def test_wrong_arguments_are_named(case: Case, wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        case.fit(case.image, 1, **wrong)


def test_images_of_another_kind_are_refused(case: Case) -> None:
    with pytest.raises(ValueError, match="expected floats"):
        case.fit(torch.zeros(1, 3, PICTURE, PICTURE, dtype=torch.uint8))
