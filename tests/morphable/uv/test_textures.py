"""Properties of the texture functions that hold for every input."""

import numpy as np
import pytest

from facegen.morphable.uv import figures, masks
from facegen.morphable.uv.blending import Valid, blend, fill
from facegen.morphable.uv.colors import luminance, match_color, to_yuv
from facegen.morphable.uv.crops import crop, frame_of, large_crop, to_photograph
from facegen.morphable.uv.light import agreeing, divide_light, hair_over
from facegen.morphable.uv.poisson import laplacian_matrix, poisson_fill
from facegen.morphable.uv.pyramids import collapse, laplacian_pyramid, pyramid_blend
from facegen.morphable.uv.similarity import fit_similarity, transform
from facegen.morphable.uv.views import Lookup, Remapped, View, facing, remap, sample_bilinear
from tests.morphable.uv.golden_unwrap import grid_lookup


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


def texture(random: np.random.Generator, height: int = 40, width: int = 40) -> np.ndarray:
    return random.uniform(50, 200, (height, width, 3)).astype(np.float32)


def test_a_mask_shrinks_to_what_a_whole_window_fits_in_and_grows_to_what_it_touches() -> None:
    mask = np.zeros((9, 9), np.float32)
    mask[2:7, 3:6] = 1
    assert np.argwhere(masks.shrink(mask, 3)).tolist() == [[3, 4], [4, 4], [5, 4]]
    assert masks.grow(mask, 3)[1:8, 2:7].all() and masks.grow(mask, 3).sum() == 35
    assert masks.around(mask, 1.0).sum() == 15 + 16


@pytest.mark.parametrize("size, expected", [(1024, [51, 31, 3]), (512, [25, 15, 1]), (64, [3, 1, 1])])
def test_filters_follow_the_size_of_the_texture_and_stay_odd(size: int, expected: list[int]) -> None:
    assert [masks.odd(kernel, size) for kernel in (51, 31, 3)] == expected


def test_an_unknown_test_of_a_mask_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of"):
        masks.threshold(np.zeros(3), 0.5, "more")  # pyright: ignore[reportArgumentType]


def test_matched_colours_have_the_mean_and_the_softened_deviation_of_the_target(random: np.random.Generator) -> None:
    source, target = texture(random) * 0.5 + 60, texture(random) * 0.3 + 90
    mask = (random.random((40, 40)) > 0.3).astype(np.float32)
    matched = match_color(source, target, mask)
    ours, theirs = (to_yuv(one[mask > 0.5].astype(np.float64)) for one in (matched, target))
    np.testing.assert_allclose(ours.mean(axis=0), theirs.mean(axis=0), atol=1e-2)
    np.testing.assert_allclose(ours.std(axis=0) * 1.5, theirs.std(axis=0), rtol=1e-3)


def test_colours_stay_where_nothing_is_masked_and_flat_ones_are_not_made_noise(random: np.random.Generator) -> None:
    source, nothing = texture(random), np.zeros((40, 40), np.float32)
    np.testing.assert_array_equal(match_color(source, source * 0.5, nothing), source)
    flat = np.full_like(source, 100) + random.normal(0, 1e-3, source.shape).astype(np.float32)
    assert match_color(flat, source, nothing + 1).std(axis=(0, 1)).max() < 0.1


@pytest.mark.parametrize("height, width", [(64, 48), (37, 53), (20, 9)])
def test_a_pyramid_collapses_to_its_image(random: np.random.Generator, height: int, width: int) -> None:
    image = texture(random, height, width)
    np.testing.assert_allclose(collapse(laplacian_pyramid(image)), image, atol=1e-3)


def test_blending_with_an_empty_or_full_mask_gives_one_of_the_textures(random: np.random.Generator) -> None:
    below, above, nothing = texture(random), texture(random), np.zeros((40, 40), np.float32)
    np.testing.assert_allclose(pyramid_blend(below, above, nothing), below, atol=1e-3)
    np.testing.assert_allclose(pyramid_blend(below, above, nothing + 1), above, atol=1e-3)


def test_the_matrix_is_the_laplacian_but_for_one_missing_neighbour(random: np.random.Generator) -> None:
    height, width = 6, 5
    values = random.random((height, width))
    padded = np.pad(values, 1)
    wanted = 4 * values - padded[:-2, 1:-1] - padded[2:, 1:-1] - padded[1:-1, :-2] - padded[1:-1, 2:]
    wanted[1, 0] += values[0, 0]
    np.testing.assert_allclose(laplacian_matrix(height, width) @ values.ravel(), wanted.ravel())


def test_a_hole_takes_the_structure_of_the_source_and_the_level_of_its_border(random: np.random.Generator) -> None:
    source = texture(random, 20, 24)
    mask = np.zeros((20, 24), np.float32)
    mask[5:15, 6:18] = 1
    filled = poisson_fill(source + 30 * (1 - mask[..., None]), source, mask)
    np.testing.assert_allclose(filled, source + 30, atol=1e-3)
    np.testing.assert_array_equal(poisson_fill(source, source * 0, mask * 0), source)


def test_bilinear_samples_are_exact_inside_and_fade_to_black_outside() -> None:
    ramp = np.stack(np.meshgrid(np.arange(7.0), np.arange(5.0)), axis=-1)
    points = np.array([[2.25, 1.5], [0.0, 0.0], [6.0, 4.0], [-0.5, 2.0], [9.0, 1.0]])
    expected = [[2.25, 1.5], [0, 0], [6, 4], [0, 1], [0, 0]]
    np.testing.assert_allclose(sample_bilinear(ramp, points), expected, atol=1e-12)


def test_a_lookup_interpolates_and_extends_to_pixels_without_a_triangle() -> None:
    lookup = grid_lookup(5, 32)
    place = np.stack(np.meshgrid(np.arange(5.0), np.arange(5.0)), axis=-1).reshape(-1, 2)
    at = np.arange(32) / 32 * 4
    np.testing.assert_allclose(lookup(place)[3, :, 0], at, atol=1e-6)
    np.testing.assert_allclose(lookup(place)[:, 3, 1], at, atol=1e-6)
    holes = Lookup(lookup.vertices, lookup.weights.copy())
    holes.weights[:, 20:] = 0
    extended = holes.extended(place)
    np.testing.assert_allclose(extended[:, 20:], np.repeat(extended[:, 19:20], 12, axis=1), atol=1e-6)


def test_only_the_region_and_vertices_that_face_the_camera_are_seen() -> None:
    lookup, count = grid_lookup(5, 32), 25
    points = np.stack(np.meshgrid(np.arange(5.0), np.arange(5.0)), axis=-1).reshape(-1, 2) * 4
    normals = np.tile([0.0, 0.0, 1.0], (count, 1))
    normals[points[:, 0] > 8] = [1.0, 0.0, 0.05]
    region = np.ones((20, 20), np.float32)
    region[:6] = 0
    seen = remap(View(np.full((20, 20, 3), 99.0), region, points, facing(normals)), lookup)
    assert not seen.mask[:8].any() and not seen.mask[:, 22:].any() and seen.mask[14:30, 2:18].all()
    assert (seen.texture[seen.mask > 0] == 99).all() and not seen.texture[seen.mask == 0].any()


def test_filling_keeps_the_view_in_the_middle_and_the_template_outside(random: np.random.Generator) -> None:
    size = 256
    template, view = texture(random, size, size), texture(random, size, size)
    mask = np.zeros((size, size), np.float32)
    mask[60:200, 60:200] = 1
    valid, nothing = Valid(mask, mask), mask * 0
    filled = fill(template, view * mask[..., None], mask, valid, nothing, size)
    np.testing.assert_allclose(filled.texture[110:150, 110:150], view[110:150, 110:150], atol=1e-3)
    np.testing.assert_allclose(filled.texture[:50], match_color(template, view, mask)[:50], atol=1e-3)
    hair = np.zeros_like(mask)
    hair[:30] = 1
    joined = blend(template, filled.texture, mask, valid, hair, size)
    np.testing.assert_allclose(joined[:25], template[:25], atol=1e-3)  # its own colours


def test_dividing_by_the_light_keeps_the_mean_brightness_and_gives_the_albedo(random: np.random.Generator) -> None:
    albedo, mask = texture(random) * 0.4, np.ones((40, 40), np.float32)
    shading = np.repeat(np.linspace(0.6, 1.4, 40, dtype=np.float32)[None, :, None], 40, axis=0).repeat(3, axis=2)
    lit = Remapped(albedo * shading, mask, np.zeros((40, 40, 2), np.float32))
    where = mask.copy()
    where[:, :10] = 0
    unlit = divide_light(lit, shading, where)
    np.testing.assert_allclose(unlit.view.texture / unlit.exposure, albedo, rtol=1e-4)
    means = [luminance(one.texture[where > 0]).mean() for one in (unlit.view, lit)]
    np.testing.assert_allclose(*means, rtol=1e-4)
    assert divide_light(lit, shading, where * 0).exposure == 1


def test_figures_are_zero_for_symmetric_textures_and_see_what_they_should(random: np.random.Generator) -> None:
    half = texture(random, 64, 32)
    even = np.concatenate([half, half[:, ::-1]], axis=1)
    assert figures.brightness_symmetry_error(even) == pytest.approx(0, abs=1e-9)
    assert figures.asymmetry(even) == 0
    lit = even * np.linspace(0.7, 1.3, 64)[None, :, None]
    assert figures.brightness_symmetry_error(lit) > 10 and figures.asymmetry(lit) > 10
    one_side = np.zeros((64, 64))
    one_side[:, :32] = 1
    assert np.isnan(figures.asymmetry(lit, one_side))


def test_crops_fit_their_photograph_and_points_come_back(random: np.random.Generator) -> None:
    image = random.integers(0, 255, (150, 120, 3), dtype=np.uint8)
    frame = frame_of(np.array([120, 150, 1.5, 60.0, 75.0, 64]))
    assert crop(image, frame).shape == (64, 64, 3) and large_crop(image, frame).shape == (150, 120, 3)
    np.testing.assert_allclose(to_photograph(np.array([[32.0, 32.0]]), frame), [[60.0, 74.0]], atol=1e-4)
    assert (to_photograph(np.array([[-900.0, 900.0]]), frame) == [[0, 0]]).all()
    with pytest.raises(ValueError, match="is it the photograph"):
        crop(image[:-1], frame)


def test_a_similarity_is_found_again(random: np.random.Generator) -> None:
    points = random.normal(size=(6, 3))
    rotation = np.linalg.qr(random.normal(size=(3, 3)))[0]
    rotation *= np.sign(np.linalg.det(rotation))
    moved = 1.7 * points @ rotation.T + [1.0, -2.0, 0.5]
    np.testing.assert_allclose(transform(fit_similarity(points, moved), points), moved, atol=1e-9)
    with pytest.raises(ValueError, match="at least 3"):
        fit_similarity(points[:2], moved[:2])
    with pytest.raises(ValueError, match="all points"):
        fit_similarity(points * 0, moved)


def test_a_template_takes_the_colours_around_it_and_far_away_those_of_the_whole_view() -> None:
    size = 256
    template, mask = np.full((size, size, 3), 100, np.float32), np.zeros((size, size), np.float32)
    mask[40:216, 20:120] = 1
    view = np.full_like(template, 60)
    view[:, :70] = 140
    agreed = agreeing(template, Remapped(view * mask[..., None], mask, np.zeros((size, size, 2))), mask)
    assert agreed[128, 40].mean() > 130 and agreed[128, 105].mean() < 70
    assert abs(agreed[128, 250].mean() - 100) < 5
    nothing = Remapped(view * 0, mask * 0, np.zeros((size, size, 2)))
    assert agreeing(template, nothing, mask) is template


def test_hair_is_found_although_a_fitted_albedo_is_negative_somewhere() -> None:
    size = 256
    view, scalp = np.full((size, size, 3), 120, np.float32), np.zeros((size, size), np.float32)
    view[20:80, 100:150], scalp[:24] = 30, 1
    albedo = np.full_like(view, 120)
    albedo[200:] = -20
    everywhere = Remapped(view, scalp * 0 + 1, np.zeros((size, size, 2)))
    hair = hair_over(everywhere, albedo, scalp)
    assert hair[30:75, 105:145].all() and not hair[90:, :].any()
