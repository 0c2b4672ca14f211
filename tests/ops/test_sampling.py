import pytest
import torch
import torch.nn.functional as F

from facegen.ops.sampling import grid_sample


@pytest.fixture
def image_and_grid():
    torch.manual_seed(0)
    image = torch.randn(2, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    return image, torch.rand(2, 3, 4, 2, dtype=torch.float64) * 3 - 1.5  # partly outside


def test_values_and_gradient_are_those_of_torch(image_and_grid):
    image, grid = image_and_grid
    ours, theirs = grid_sample(image, grid), F.grid_sample(image, grid, align_corners=False)
    assert torch.equal(ours, theirs)
    upstream = torch.randn_like(ours)
    (a,), (b,) = (torch.autograd.grad(y, image, upstream) for y in (ours, theirs))
    assert torch.allclose(a, b)


def test_second_derivative(image_and_grid):
    image, grid = image_and_grid
    assert torch.autograd.gradcheck(lambda x: grid_sample(x, grid).pow(3), image)
    assert torch.autograd.gradgradcheck(lambda x: grid_sample(x, grid).pow(3), image)


def test_a_grid_that_wants_a_gradient_is_refused(image_and_grid):
    image, grid = image_and_grid
    with pytest.raises(ValueError, match="detached"):
        grid_sample(image, grid.requires_grad_())
