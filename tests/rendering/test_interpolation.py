import pytest
import torch

from facegen.rendering import definitions, interpolate, interpolate_derivatives, rasterize
from tests.rendering.scenes import ellipsoid, plane, seen_from_front


def scene(dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    points, triangles = ellipsoid(8, 11)
    return torch.stack([seen_from_front(points), seen_from_front(points * 1.3)]).to(dtype), triangles


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shared", [False, True])
def test_values_and_gradients_equal_the_definition(shared: bool, dtype: torch.dtype) -> None:
    clip, triangles = scene(dtype)
    seen = rasterize(clip, triangles, (31, 40))
    torch.manual_seed(0)
    shape = (clip.shape[1], 5) if shared else (*clip.shape[:2], 5)
    attributes = torch.randn(shape, dtype=dtype, requires_grad=True)
    weights = seen.barycentric.requires_grad_()
    ours = interpolate(attributes, seen._replace(barycentric=weights), triangles)
    expected = definitions.interpolate(attributes, weights, triangles, seen.triangle_id)
    upstream = torch.randn_like(ours)
    for a, b in zip(
        (ours, *torch.autograd.grad(ours, (attributes, weights), upstream)),
        (expected, *torch.autograd.grad(expected, (attributes, weights), upstream)),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-5 if dtype == torch.float32 else 1e-12, atol=2e-6)
    assert (ours[seen.triangle_id < 0] == 0).all() and ours.dtype == dtype


def test_gradient_reaches_one_of_the_two_inputs() -> None:
    clip, triangles = scene(torch.float32)
    seen = rasterize(clip, triangles, 24)
    colors = torch.rand(2, clip.shape[1], 3, requires_grad=True)
    interpolate(colors, seen, triangles).sum().backward()
    assert colors.grad is not None
    torch.testing.assert_close(colors.grad.sum(), (seen.triangle_id >= 0).sum() * 3.0)
    moving = clip.clone().requires_grad_()
    interpolate(colors.detach(), rasterize(moving, triangles, 24), triangles).sum().backward()
    assert moving.grad is not None and moving.grad.abs().max() > 0


def test_other_rows_for_texture_coordinates() -> None:
    clip, triangles = plane()
    seen = rasterize(clip, triangles, 20)
    chart = torch.rand(len(triangles) * 3, 2)
    own = torch.arange(len(triangles) * 3).reshape(-1, 3)
    expected = (seen.barycentric[..., None] * chart[own][seen.triangle_id.clamp(min=0).long()]).sum(dim=-2)
    expected[seen.triangle_id < 0] = 0
    torch.testing.assert_close(interpolate(chart, seen, own), expected)


def test_derivatives_equal_differences_between_finer_pixels() -> None:
    clip, _ = plane(2)
    triangles = torch.tensor([[0, 1, 3]])
    attributes = torch.rand(4, 2, dtype=torch.float64)
    height, width, fine = 20, 30, 101  # an odd number of finer pixels puts one of them on each centre
    seen = rasterize(clip.double(), triangles, (height, width))
    change = interpolate_derivatives(attributes, seen, clip.double(), triangles)
    close = interpolate(attributes, rasterize(clip.double(), triangles, (height * fine, width * fine)), triangles)[0]
    here = (torch.arange(height) * fine + fine // 2)[:, None], (torch.arange(width) * fine + fine // 2)[None]
    for axis, (down, right) in enumerate(((0, 1), (1, 0))):
        difference = (close[here[0] + down, here[1] + right] - close[here[0] - down, here[1] - right]) * fine / 2
        interior = torch.nn.functional.max_pool2d((seen.triangle_id < 0).double(), 3, 1, 1)[0] == 0
        assert interior.sum() > 50
        torch.testing.assert_close(change[0, ..., axis][interior], difference[interior], rtol=1e-3, atol=1e-6)
    assert (change[seen.triangle_id < 0] == 0).all()


def test_mistakes_are_named() -> None:
    clip, triangles = plane()
    seen = rasterize(clip, triangles, 8)
    with pytest.raises(ValueError, match=r"got attributes of shape \(3, 36, 2\) for 1 images"):
        interpolate(torch.rand(3, 36, 2), seen, triangles)
