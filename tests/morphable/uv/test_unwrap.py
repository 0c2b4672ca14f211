"""Unwrapping photographs whose texture and light are known."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from facegen.morphable.uv.figures import brightness_symmetry_error
from facegen.morphable.uv.own_assets import own_assets, view_name
from facegen.morphable.uv.textured import lay_on, seen_surface
from facegen.morphable.uv.unwrap import UVResult, unwrap
from tests.morphable.uv.small import CAMERA, charted_model, coefficients

SIDE, SIZE = 192, 128


def symmetric_texture(seed: int = 0) -> Tensor:
    """Coloured blobs, the same left and right, (1, 3, SIZE, SIZE) in [0.3, 0.7]."""
    noise = torch.rand(1, 3, 9, 9, generator=torch.Generator().manual_seed(seed))
    smooth = F.interpolate((noise + noise.flip(3)) / 2, (SIZE, SIZE), mode="bicubic", align_corners=False)
    return smooth.clamp(0, 1) * 0.4 + 0.3


class Scene:
    """A face with a known texture in uneven light, photographed from two sides."""

    def __init__(self) -> None:
        self.model = charted_model().with_perspective(CAMERA.at(SIDE))
        self.texture = symmetric_texture()
        self.assets = own_assets(self.model, SIZE)
        self.yaws = (0.0, 0.5, -0.5)
        self.coefficients = torch.cat([coefficients(self.model, yaw) for yaw in self.yaws])
        self.images = torch.cat([self.photograph(one[None]) for one in self.coefficients])

    def photograph(self, given: Tensor, texture: Tensor | None = None) -> Tensor:
        chart = self.model.uv
        assert chart is not None
        surface = seen_surface(self.model, chart, self.model(given), SIDE)
        return lay_on(surface, self.texture if texture is None else texture).clamp(0, 1) * 2 - 1

    def unwrap(self, faces: slice = slice(0, 1), **options: object) -> UVResult:
        given = {"size": SIZE, "assets": self.assets} | options
        return unwrap(self.model, self.coefficients[faces], self.images[faces], **given)  # pyright: ignore[reportArgumentType]


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene()


def inside(mask: Tensor, pixels: int = 9) -> Tensor:
    """The mask without its border, where the template begins."""
    return -F.max_pool2d(-mask, pixels, stride=1, padding=pixels // 2) > 0.5


def test_the_light_is_divided_out_and_the_texture_found(scene: Scene) -> None:
    found = scene.unwrap()
    kept = inside(found.mask) & inside(torch.from_numpy(scene.assets.valid["front"].major)[None, None])
    assert kept.float().mean() > 0.08
    wanted = scene.texture * found.exposure[:, None, None, None]
    difference = ((found.texture + 1) / 2 - wanted).abs().mean(dim=1, keepdim=True)[kept]
    assert difference.mean() < 0.02
    lit = ((found.photographed + 1) / 2 - wanted).abs().mean(dim=1, keepdim=True)[kept]
    assert lit.mean() > 2 * difference.mean()


def test_dividing_the_light_makes_an_even_texture(scene: Scene) -> None:
    found = scene.unwrap()
    assert found.evenness < 0.6 * found.evenness_photographed
    texture = ((found.texture[0] + 1) * 127.5).permute(1, 2, 0).numpy()
    assert float(found.evenness[0]) == pytest.approx(brightness_symmetry_error(texture), rel=1e-3)


def test_turned_heads_are_named_after_the_side_that_is_seen(scene: Scene) -> None:
    angles = scene.model.split(scene.coefficients).angle
    assert [view_name(angle) for angle in angles] == ["front", "right", "left"]
    right, left = scene.unwrap(slice(1, 2)), scene.unwrap(slice(2, 3))
    columns = torch.arange(SIZE)
    centres = [float((one.mask.sum(dim=(0, 1, 2)) * columns).sum() / one.mask.sum()) for one in (right, left)]
    assert centres[0] < SIZE / 2 - 5 < SIZE / 2 + 5 < centres[1]  # the person's left is at the right of the texture


def test_views_of_one_person_show_more_than_each_of_them(scene: Scene) -> None:
    joined, single = scene.unwrap(slice(0, 3), together=True), scene.unwrap(slice(0, 3))
    assert joined.texture.shape == (1, 3, SIZE, SIZE) and single.texture.shape == (3, 3, SIZE, SIZE)
    assert joined.mask.mean() > 1.1 * single.mask.mean(dim=(1, 2, 3)).max()


def test_a_face_without_a_fit_leaves_the_others_as_they_are(scene: Scene) -> None:
    given = scene.coefficients[:2].clone()
    given[1] = torch.nan
    found = unwrap(scene.model, given, scene.images[:2], size=SIZE, assets=scene.assets)
    torch.testing.assert_close(found.texture[:1], scene.unwrap().texture)
    assert found.evenness[1].isnan() and found.exposure[1].isnan() and found.mask[1].sum() == 0
    assert bool((found.texture[1] == -1).all())


def test_bytes_and_floats_give_the_same(scene: Scene) -> None:
    image = ((scene.images[:1] + 1) * 127.5).round().byte()
    as_bytes = unwrap(scene.model, scene.coefficients[:1], image, size=SIZE, assets=scene.assets)
    assert (as_bytes.texture - scene.unwrap().texture).abs().max() < 0.05


def test_what_masks_leave_out_is_completed(scene: Scene) -> None:
    masks = torch.ones(1, 1, SIDE, SIDE)
    masks[..., : SIDE // 2] = 0
    found, whole = scene.unwrap(masks=masks), scene.unwrap()
    assert found.mask[..., : SIZE // 2 - 4].sum() == 0
    assert found.mask[..., SIZE // 2 + 8 :].sum() > 0.9 * whole.mask[..., SIZE // 2 + 8 :].sum()
    assert float(found.texture.min()) > -0.9  # no black where nothing was seen


def test_dark_hair_that_hangs_from_the_scalp_is_left_out_and_a_dark_chin_is_not(scene: Scene) -> None:
    rooted, chin = scene.texture.clone(), scene.texture.clone()
    rooted[:, :, : int(0.42 * SIZE), SIZE // 2 - 12 : SIZE // 2 + 12] *= 0.2
    chin[:, :, int(0.84 * SIZE) : int(0.88 * SIZE), SIZE // 2 - 8 : SIZE // 2 + 8] *= 0.2
    found = []
    for texture in (scene.texture, rooted, chin):
        image = scene.photograph(scene.coefficients[:1], texture)
        found.append(unwrap(scene.model, scene.coefficients[:1], image, size=SIZE, assets=scene.assets).mask.sum())
    assert found[1] < 0.99 * found[0]
    assert found[2] > 0.99 * found[0]


def test_assets_are_made_where_none_are_given(scene: Scene) -> None:
    torch.testing.assert_close(scene.unwrap(assets=None).texture, scene.unwrap().texture)


def test_what_does_not_belong_together_is_named(scene: Scene) -> None:
    with pytest.raises(ValueError, match="one square picture for each face"):
        unwrap(scene.model, scene.coefficients[:2], scene.images[:1], size=SIZE)
    with pytest.raises(ValueError, match="masks of shape"):
        scene.unwrap(masks=torch.ones(1, 1, 3, 3))
    with pytest.raises(ValueError, match="at least 64"):
        unwrap(scene.model, scene.coefficients[:1], scene.images[:1], size=32)
    with pytest.raises(ValueError, match="no faces"):
        unwrap(scene.model, scene.coefficients[:0], scene.images[:0], size=SIZE)
