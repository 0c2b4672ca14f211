from pathlib import Path

import pytest
import torch

from facegen.morphable.spherical_harmonics import ambient, basis, directional, mirror, shade, slopes, turned
from tests.golden import assert_close_golden, golden_root, load_npz


def unit_vectors(count: int, seed: int = 0) -> torch.Tensor:
    vectors = torch.randn(count, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(vectors, dim=-1)


@pytest.mark.parity
@pytest.mark.skipif(not (golden_root().parent / "golden3d").exists(), reason="no golden3d beside the reference numbers")
def test_shading_matches_reference(golden: Path) -> None:
    arrays = load_npz(golden.parent / "golden3d/02_bfm_forward.npz")
    light = arrays["coeffs"][:, 227:254].reshape(-1, 3, 9).mT.clone()
    light[:, 0] += 0.8  # the initial light that these coefficients are added to
    assert_close_golden(shade(arrays["normal_rotated"], light), arrays["shading"], 0, 3e-4, "shading")


def test_ambient_light_is_the_same_on_every_side() -> None:
    color = torch.tensor([0.2, 0.5, 0.9], dtype=torch.float64)
    shading = basis(unit_vectors(50)) @ ambient(color)
    torch.testing.assert_close(shading, color.expand(50, 3))


def test_directional_light_is_the_best_second_order_fit_of_a_lamp() -> None:
    normals, direction = unit_vectors(20_000), unit_vectors(1, seed=1)[0]
    shading = (basis(normals) @ directional(direction, torch.ones(1, dtype=torch.float64)))[:, 0]
    lamp = (normals @ direction).clamp(min=0)
    fitted = basis(normals) @ torch.linalg.lstsq(basis(normals), lamp[:, None]).solution
    assert (shading - lamp).square().mean().sqrt() < 0.04
    torch.testing.assert_close(shading, fitted[:, 0], atol=0.02, rtol=0)


def test_directional_light_turns_with_the_lamp() -> None:
    normals = unit_vectors(200)
    rotation, _ = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(4), dtype=torch.float64))
    direction, color = unit_vectors(1, seed=2)[0], torch.ones(3, dtype=torch.float64)
    before = basis(normals) @ directional(direction, color)
    after = basis(normals @ rotation.T) @ directional(rotation @ direction, color)
    torch.testing.assert_close(after, before)


def test_mirrored_light_shines_on_mirrored_normals() -> None:
    normals, light = unit_vectors(50), torch.randn(9, 3, generator=torch.Generator().manual_seed(3)).double()
    flipped = normals * torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64)
    torch.testing.assert_close(basis(flipped) @ mirror(light), basis(normals) @ light)


def test_turned_light_shines_on_turned_normals() -> None:
    normals, light = unit_vectors(50), torch.randn(2, 9, 3, generator=torch.Generator().manual_seed(5)).double()
    rotation, _ = torch.linalg.qr(torch.randn(2, 3, 3, generator=torch.Generator().manual_seed(6)).double())
    after = shade(normals @ rotation, turned(light, rotation))
    torch.testing.assert_close(after, shade(normals.expand(2, 50, 3), light))


def test_slopes_are_derivatives_of_shading() -> None:
    normals, light = unit_vectors(20)[None], torch.randn(1, 9, 3, generator=torch.Generator().manual_seed(7)).double()
    found = torch.autograd.functional.jacobian(lambda n: shade(n, light).sum(dim=(0, 1)), normals)
    torch.testing.assert_close(slopes(normals, light), found.permute(1, 2, 0, 3))
