"""Losses of the texture fitting: properties, and the `l_*` arrays of golden3d 14."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from facegen.losses import reconstruction, uv_fitting
from tests.geometry.reference import Arrays, array_names, compute, numeric, reference_file
from tests.golden import assert_close_golden, gradients

FILE = "golden3d/14_ffhquv_fitting.npz"
RELATIVE, ABSOLUTE = 1e-5, 1e-6  # as golden3d 10 has it for losses


def _photo(loss: Callable[..., Tensor]) -> Callable[[Arrays], Tensor]:
    return lambda g: loss(g["l_imgA"], g["l_imgB"], g["l_mask"])


def _photo_gradient(loss: Callable[..., Tensor]) -> Callable[[Arrays], Tensor]:
    def gradient(golden: Arrays) -> Tensor:
        image = golden["l_imgA"].requires_grad_()
        return gradients(loss(image, golden["l_imgB"], golden["l_mask"]), [image])[0]

    return gradient


def _landmarks(golden: Arrays, count: str) -> Tensor:
    points, targets = golden[f"l_lm{count}_pred"], golden[f"l_lm{count}_gt"]
    weights = reconstruction.landmark_weights(points.double()) if count == "68" else torch.ones(int(count)).double()
    return reconstruction.landmark_loss(points, targets, weights)


def _geodesic_gradient(golden: Arrays) -> Tensor:
    latents = golden["l_geo_w"].requires_grad_()
    return gradients(uv_fitting.geodesic_cross_loss(latents), [latents])[0]


def _regularisers(golden: Arrays) -> Tensor:
    kinds = [golden[f"l_reg_in_{kind}"] for kind in ("id", "exp", "tex")]
    each = [reconstruction.coefficient_loss(*kinds, weights=torch.eye(3)[k].tolist()) for k in range(3)]
    return torch.stack([*each, uv_fitting.white_light_loss(golden["l_reg_in_gamma"])])


RULES = {
    r"l_photo_(?:l1|default)": _photo(uv_fitting.masked_absolute_loss),
    "l_photo_l1_grad": _photo_gradient(uv_fitting.masked_absolute_loss),
    "l_photo_l2": _photo(reconstruction.photometric_loss),
    "l_photo_l2_grad": _photo_gradient(reconstruction.photometric_loss),
    r"l_lm(68|86)": _landmarks,
    "l_geo": lambda g: uv_fitting.geodesic_cross_loss(g["l_geo_w"]),
    "l_geo_grad": _geodesic_gradient,
    "l_geo_single": lambda g: uv_fitting.geodesic_cross_loss(g["l_mean_w"]),
    "l_mean_reg": lambda g: uv_fitting.latent_deviation_loss(g["l_geo_w"], g["l_mean_w"]),
    "l_sym_as_written": lambda g: uv_fitting.mirror_loss(g["l_sym_uv"], g["l_sym_mask"], dim=1),
    "l_reg_id_exp_tex_gamma": _regularisers,
    "l_reg_gamma_9": lambda g: uv_fitting.white_light_loss(g["l_reg_in_gamma"][:, :9]),
    r"l_(?:img[AB]|mask|lm\d+_(?:pred|gt)|geo_w|mean_w|sym_uv|sym_mask|reg_in_.*)": None,
    r"(?!l_).*": None,  # morphable model, meshes and the rest: tested where that is
}


@pytest.mark.parity
@pytest.mark.parametrize("name", array_names(FILE, RULES))
def test_reference(name: str) -> None:
    golden = numeric(reference_file(FILE))
    assert_close_golden(compute(name, RULES, golden), golden[name], RELATIVE, ABSOLUTE, name)


def test_equal_vectors_are_no_distance_apart_and_opposite_ones_the_farthest() -> None:
    generator = torch.Generator().manual_seed(0)
    vector = torch.randn(1, 1, 512, generator=generator)
    same = uv_fitting.geodesic_cross_loss(vector.repeat(1, 18, 1))
    opposite = uv_fitting.geodesic_cross_loss(torch.cat([vector, -vector], dim=1))
    assert same < 1e-6
    torch.testing.assert_close(opposite, torch.tensor(torch.pi**2 / 2 * 64), rtol=1e-4, atol=0)


def test_mirror_loss_is_zero_for_a_mirrored_texture_and_sees_only_what_both_masks_hold() -> None:
    generator = torch.Generator().manual_seed(0)
    half = torch.rand(1, 3, 4, 4, generator=generator)
    texture = torch.cat([half, half.flip(3)], dim=3)
    mask = torch.ones_like(texture)
    assert uv_fitting.mirror_loss(texture, mask) == 0
    texture[..., 0] += 1
    assert uv_fitting.mirror_loss(texture, mask) > 0
    mask[..., 7] = 0
    assert uv_fitting.mirror_loss(texture, mask) == 0


def test_an_empty_mask_costs_nothing() -> None:
    image = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    assert uv_fitting.masked_absolute_loss(image, 1 - image, torch.zeros(1, 1, 4, 4)) == 0
