"""Tri-planes: which coordinates a plane sees, and where it ends."""

import pytest
import torch

from facegen.rendering.volume import (
    PLANE_AXES,
    TriPlane,
    plane_axes,
    project_onto_planes,
    sample_planes,
    sample_triplane,
)

LETTERS = "xyz"


@pytest.mark.parametrize("name", PLANE_AXES)
def test_names_are_the_projections(name):
    points = torch.randn(2, 7, 3)
    projected = project_onto_planes(plane_axes(name), points)
    for plane, letters in enumerate(name.split("_")):
        expected = points[..., [LETTERS.index(letter) for letter in letters]]
        torch.testing.assert_close(projected[:, plane], expected)


def test_an_unknown_name():
    with pytest.raises(ValueError, match=r"got 'xy_yz_zx', expected xy_xz_zx .* or xy_xz_zy"):
        plane_axes("xy_yz_zx")


@pytest.mark.parametrize("name", PLANE_AXES)
@pytest.mark.parametrize("box_warp", [1.0, 1.6])
def test_the_first_coordinate_runs_along_the_width(name, box_warp):
    """Planes that hold their own pixels' places give back where a point falls."""
    columns, rows = (torch.arange(size) + 0.5 for size in (8, 16))
    u, v = torch.meshgrid(columns / 4 - 1, rows / 8 - 1, indexing="xy")
    planes = torch.stack([u, v]).expand(1, 3, 2, 16, 8)
    points = (torch.rand(1, 50, 3) - 0.5) * (0.8 * box_warp)  # bilinear samples are exact away from the border
    found = sample_planes(planes, points, plane_axes(name), box_warp)
    torch.testing.assert_close(found, project_onto_planes(plane_axes(name), points) * (2 / box_warp), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", PLANE_AXES)
def test_nothing_outside_the_box(name):
    planes = torch.ones(1, 3, 4, 16, 16)
    inside = torch.tensor([[[0.0, 0.0, 0.0], [0.4, -0.4, 0.4]]])
    axes = plane_axes(name)
    torch.testing.assert_close(sample_triplane(planes, inside, axes, 1.0), torch.ones(1, 2, 4))
    outside = torch.tensor([[[0.6, 0.6, 0.6], [-0.6, 0.6, 0.6], [3.0, 3.0, 3.0]]])
    assert not sample_triplane(planes, outside, axes, 1.0).any()
    torch.testing.assert_close(sample_triplane(planes, outside[:, :2], axes, 1.6), torch.ones(1, 2, 4))


def test_only_the_corrected_axes_tell_y_and_z_apart():
    """The released weights' third plane is the second one transposed: no plane has both y and z."""
    planes = torch.randn(1, 3, 4, 8, 8)
    points = torch.rand(1, 20, 3) - 0.5
    released, corrected = (sample_planes(planes, points, plane_axes(name), 1.0) for name in ("xy_xz_zx", "xy_xz_zy"))
    torch.testing.assert_close(released[:, :2], corrected[:, :2])
    twin = torch.stack([planes[:, 1], planes[:, 1].mT], dim=1)
    both = sample_planes(twin, points, plane_axes("xy_xz_zx")[1:], 1.0)
    torch.testing.assert_close(both[:, 0], both[:, 1])
    moved = points + torch.tensor([0.0, 0.1, 0.0])
    again = [sample_planes(planes, moved, plane_axes(name), 1.0)[:, 2] for name in ("xy_xz_zx", "xy_xz_zy")]
    torch.testing.assert_close(again[0], released[:, 2])
    assert (again[1] - corrected[:, 2]).abs().max() > 0.01


def test_gradients_against_finite_differences():
    generator = torch.Generator().manual_seed(1)
    planes = torch.randn(2, 3, 3, 6, 5, generator=generator).requires_grad_()
    points = ((torch.rand(2, 9, 3, generator=generator) - 0.5) * 1.2).requires_grad_()
    upstream = torch.randn(2, 9, 3, generator=generator)

    def scalar(planes: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        return (sample_triplane(planes, points, plane_axes("xy_xz_zy"), 1.0) * upstream).sum().double()

    grads = torch.autograd.grad(scalar(planes, points), [planes, points])
    for index, (value, grad) in enumerate(zip((planes, points), grads, strict=True)):
        direction = torch.randn(value.shape, generator=generator)
        moved = [[planes.detach(), points.detach()] for _ in range(2)]
        for sign, arguments in zip((1, -1), moved, strict=True):
            arguments[index] = arguments[index] + sign * 1e-3 * direction
        difference = (scalar(*moved[0]) - scalar(*moved[1])) / 2e-3
        torch.testing.assert_close((grad * direction).sum().item(), difference.item(), rtol=2e-2, atol=2e-3)


class TestCompiledLoops:
    """`sample_triplane` on a CPU, against the mean of `sample_planes`, which is its definition."""

    @pytest.mark.parametrize("name", PLANE_AXES)
    @pytest.mark.parametrize(("shape", "box_warp"), [((2, 5, 7, 12), 1.0), ((1, 32, 16, 16), 1.6), ((3, 1, 1, 2), 0.7)])
    @pytest.mark.parametrize("innermost", [False, True])
    def test_values_and_gradients(self, name, shape, box_warp, innermost):
        batch, channels, height, width = shape
        planes = torch.randn(batch, 3, channels, height, width)
        if innermost:
            planes = planes.permute(0, 3, 4, 1, 2).contiguous().permute(0, 3, 4, 1, 2)
        points, upstream = torch.randn(batch, 200, 3) * 0.5, torch.randn(batch, 200, channels)
        found = []
        for coordinates in (points, points.clone().requires_grad_()):  # the definition is used for the second
            leaf = planes.clone().requires_grad_()
            features = sample_triplane(leaf, coordinates, plane_axes(name), box_warp)
            (features * upstream).sum().backward()
            found.append((features.detach(), leaf.grad))
        torch.testing.assert_close(found[0], found[1], atol=1e-5, rtol=1e-5)

    def test_the_number_of_threads_changes_nothing(self):
        planes, points = torch.randn(2, 3, 8, 16, 16), torch.rand(2, 333, 3) - 0.5
        threads, found = torch.get_num_threads(), []
        try:
            for count in (1, 3):
                torch.set_num_threads(count)
                leaf = planes.clone().requires_grad_()
                features = sample_triplane(leaf, points, plane_axes("xy_xz_zy"), 1.0)
                features.square().sum().backward()
                found.append((features, leaf.grad))
        finally:
            torch.set_num_threads(threads)
        assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))

    def test_coordinates_that_are_nowhere(self):
        points = torch.tensor([[[torch.nan] * 3, [torch.inf] * 3, [-torch.inf] * 3, [1e30, -1e30, 1e30]]])
        planes = torch.ones(1, 3, 4, 8, 8).requires_grad_()
        features = sample_triplane(planes, points, plane_axes("xy_xz_zx"), 1.0)
        assert not features.any()
        features.sum().backward()
        assert planes.grad is not None and not planes.grad.any()

    def test_no_points(self):
        assert sample_triplane(torch.ones(2, 3, 4, 8, 8), torch.rand(2, 0, 3), plane_axes("xy_xz_zx"), 1.0).numel() == 0

    def test_double_precision_takes_the_definition(self):
        planes, points = torch.randn(1, 3, 4, 8, 8).double(), (torch.rand(1, 20, 3) - 0.5).double()
        features = sample_triplane(planes, points, plane_axes("xy_xz_zx"), 1.0)
        assert features.dtype == torch.float64
        expected = sample_triplane(planes.float(), points.float(), plane_axes("xy_xz_zx"), 1.0)
        torch.testing.assert_close(features.float(), expected, atol=1e-5, rtol=0)

    def test_second_derivatives_are_refused_and_not_wrong(self):
        planes = torch.randn(1, 3, 4, 8, 8).requires_grad_()
        features = sample_triplane(planes, torch.rand(1, 20, 3) - 0.5, plane_axes("xy_xz_zx"), 1.0)
        with pytest.raises(RuntimeError, match="differentiable once"):
            torch.autograd.grad(features.pow(3).sum(), planes, create_graph=True)

    def test_samplings_of_one_object_share_their_gradient(self):
        planes, points = torch.randn(2, 3, 4, 8, 8).requires_grad_(), torch.rand(2, 40, 3) - 0.5
        axes = plane_axes("xy_xz_zy")
        whole = torch.autograd.grad(sample_triplane(planes, points, axes, 1.0).pow(3).sum(), planes)[0]
        sampler = TriPlane(planes, axes, 1.0)
        parts = [sampler(part) for part in points.split(15, dim=1)]
        shared = torch.autograd.grad(torch.cat(parts, dim=1).pow(3).sum(), planes, retain_graph=True)[0]
        torch.testing.assert_close(shared, whole)
        again = torch.autograd.grad(parts[0].pow(3).sum(), planes, retain_graph=True)[0]
        rest = torch.autograd.grad(torch.cat(parts[1:], dim=1).pow(3).sum(), planes)[0]
        torch.testing.assert_close(again + rest, whole)

    def test_other_batches_are_refused(self):
        with pytest.raises(ValueError, match="2 sets of planes"):
            sample_triplane(torch.ones(2, 3, 4, 8, 8), torch.rand(3, 5, 3), plane_axes("xy_xz_zx"), 1.0)
        with pytest.raises(ValueError, match=r"\(N, 3, C, H, W\)"):
            sample_triplane(torch.ones(2, 2, 4, 8, 8), torch.rand(2, 5, 3), plane_axes("xy_xz_zx"), 1.0)
