import pytest
import torch
from torch import Tensor

from facegen.rendering import Rasterization, antialias, edge_neighbors, interpolate, rasterize
from facegen.rendering import silhouette_definitions as definitions
from facegen.rendering.silhouettes import find_silhouettes
from tests.rendering.scenes import ellipsoid, plane, random_scene, seen_from_front

BACKGROUND = torch.tensor([0.1, 0.9, 0.2], dtype=torch.float64)


def scene() -> tuple[Tensor, Tensor]:
    """Two closed surfaces, one partly before the other, and a sheet with a border behind both; in two images."""
    first, faces = ellipsoid(9, 12)
    second, small = ellipsoid(24, 30)
    sheet = torch.tensor([[-1.3, -1.2, -1], [1.1, -1.4, -1], [1.4, 1.0, -1.2], [-1.0, 1.3, -0.9]], dtype=torch.float64)
    points = torch.cat([first, second * 0.5 + torch.tensor([0.5, 0.2, 0.9]), sheet])
    points = points + torch.tensor([0.013, 0.007, 0.009])  # no vertices on the lines between pixel centres
    quads = torch.tensor([[0, 1, 2], [0, 2, 3]]) + len(first) + len(second)
    triangles = torch.cat([faces, small + len(first), quads])
    return torch.stack([seen_from_front(points), seen_from_front(points.flip(-1))]), triangles


def found(clip: Tensor, triangles: Tensor, seen: Rasterization) -> tuple[Tensor, Tensor]:
    """Silhouettes by the kernel and by its definition."""
    across = edge_neighbors(triangles)
    points = definitions.to_pixels(clip.double(), (seen.depth.shape[1], seen.depth.shape[2]))
    expected = definitions.find(points, triangles, across, seen.triangle_id, seen.depth)
    return find_silhouettes(clip, triangles.int(), across, seen.triangle_id, seen.depth), expected


def test_neighbors_lie_across_the_same_edge() -> None:
    _, triangles = scene()
    triangles = torch.cat([triangles, triangles[:1]])  # three triangles meet at each of its edges
    across = edge_neighbors(triangles)
    assert torch.equal(across, definitions.neighbors(triangles))
    inner = (across >= 0).nonzero()
    ends = triangles[:, [[1, 2], [2, 0], [0, 1]]].sort(dim=-1).values.flatten(0, 1)
    other = across[inner[:, 0], inner[:, 1]].long()
    assert torch.equal(ends[other], ends[inner[:, 0] * 3 + inner[:, 1]])
    assert (across < 0).sum() == 4 + 3 * 3  # border of the sheet, edges of three triangles
    assert edge_neighbors(triangles[:0]).shape == (0, 3)


@pytest.mark.parametrize("size", [(17, 17), (40, 33), (150, 150)])
def test_search_equals_its_definition(size: tuple[int, int]) -> None:
    clip, triangles = scene()
    ours, expected = found(clip, triangles, rasterize(clip, triangles, size))
    assert torch.equal(ours, expected) and (ours >= 0).sum() > 6 * size[0]


@pytest.mark.parametrize("seed", range(8))
def test_search_equals_its_definition_on_random_triangles(seed: int) -> None:
    clip, triangles = (torch.from_numpy(x) for x in random_scene(seed))
    ours, expected = found(clip[None], triangles, rasterize(clip[None], triangles, 40))
    assert (ours != expected).float().mean() < 1e-3  # a centre on an edge may fall to either side
    assert (ours >= 0).sum() > 20


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_blending_and_gradients_equal_the_definition(dtype: torch.dtype) -> None:
    clip, triangles = scene()
    clip = clip.to(dtype).requires_grad_()
    seen = rasterize(clip.detach(), triangles, 50)
    torch.manual_seed(0)
    images = torch.randn(2, 50, 50, 4, dtype=dtype, requires_grad=True)
    ours = antialias(images, seen, clip, triangles)
    points = definitions.to_pixels(clip.double(), (50, 50))
    expected = definitions.blend(images.double(), points, triangles, found(clip, triangles, seen)[0])
    upstream = torch.randn_like(ours)
    gradients = torch.autograd.grad(ours, (images, clip), upstream)
    wanted = torch.autograd.grad(expected, (images, clip), upstream.double())
    for a, b in zip((ours, *gradients), (expected, *wanted), strict=True):
        assert (a - b).abs().max() <= (1e-4 if dtype == torch.float32 else 1e-10) * b.abs().max()
    assert (ours != images).any(dim=-1).sum() > 200


@pytest.mark.parametrize("shift", [0.0, 0.2, 0.5, 0.7, 0.999])
def test_pixels_of_a_straight_edge_hold_their_coverage(shift: float) -> None:
    edge = (8.0 + shift) / 8 - 1  # pixel 8 of 16 is covered by `shift`
    clip = torch.tensor([[[-2, -2, 0, 1], [edge, -2, 0, 1], [edge, 2, 0, 1], [-2, 2, 0, 1]]], dtype=torch.float64)
    triangles = torch.tensor([[0, 1, 2], [0, 2, 3]])
    seen = rasterize(clip, triangles, 16)
    image = antialias((seen.triangle_id >= 0).double()[..., None], seen, clip, triangles)
    assert image[0, :, 8, 0].numpy() == pytest.approx(shift)
    assert (image[0, :, :8] == 1).all() and (image[0, :, 9:] == 0).all()


def test_a_surface_has_no_silhouette_inside() -> None:
    clip, triangles = plane()
    seen = rasterize(clip, triangles, 40)
    covered = rasterize(clip, torch.tensor([[0, 5, 35], [0, 35, 30]]), 40).triangle_id >= 0
    pairs = found(clip, triangles, seen)[0][0] >= 0
    assert torch.equal(pairs[0, :, :-1], covered[0, :, :-1] != covered[0, :, 1:])
    assert torch.equal(pairs[1, :-1], covered[0, :-1] != covered[0, 1:])


def test_threads_do_not_change_a_bit() -> None:
    clip, triangles = scene()
    seen, images = rasterize(clip, triangles, 45), torch.rand(2, 45, 45, 3)
    threads, results = torch.get_num_threads(), []
    try:
        for count in (1, 2, 5):
            torch.set_num_threads(count)
            vertices = clip.float().requires_grad_()
            blended = antialias(images, seen, vertices, triangles)
            results.append((blended, torch.autograd.grad(blended.square().sum(), vertices)[0]))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(a, b) for other in results[1:] for a, b in zip(results[0], other, strict=True))


def drawn(points: Tensor, triangles: Tensor, size: int, blended: bool) -> Tensor:
    """A surface of one colour before another one."""
    clip = seen_from_front(points)[None]
    seen = rasterize(clip, triangles, size)
    color = interpolate(torch.tensor([[0.6, 0.3, 0.8]]).double().expand(len(points), 3), seen, triangles)
    image = torch.where((seen.triangle_id >= 0)[..., None], color, BACKGROUND)
    return (antialias(image, seen, clip, triangles) if blended else image)[0]


@pytest.mark.parametrize(("rows", "columns"), [(6, 8), (30, 40), (150, 200)])
def test_gradient_is_that_of_the_supersampled_picture(rows: int, columns: int) -> None:
    """Triangles of about 16, 3 and 0.6 pixels."""
    points, triangles = ellipsoid(rows, columns)
    size, finer, step = 64, 16, 0.01
    torch.manual_seed(1)
    coarse = torch.randn(1, 3, 5, 5, dtype=torch.float64)
    weights = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bicubic")[0].permute(1, 2, 0)
    fine = weights.repeat_interleave(finer, 0).repeat_interleave(finer, 1) / finer**2
    motions = torch.tensor([[1.0, 0, 0], [0, 1, 0], [1, 1, 0], [1, -1, 0]], dtype=torch.float64) * step
    ours, truth = [], []
    for motion in [*motions, points * step, points.flip(-1) * step]:
        amount = torch.zeros((), dtype=torch.float64, requires_grad=True)
        (drawn(points + amount * motion, triangles, size, blended=True) * weights).sum().backward()
        ends = [(drawn(points + sign * motion, triangles, size * finer, False) * fine).sum() for sign in (1, -1)]
        assert amount.grad is not None
        ours.append(amount.grad)
        truth.append((ends[0] - ends[1]) / 2)
    ours, truth = torch.stack(ours), torch.stack(truth)
    assert (ours - truth).norm() < 0.06 * truth.norm()
    assert float(ours @ truth / truth.square().sum()) == pytest.approx(1, abs=0.03)


def test_a_silhouette_through_pixel_centres_is_found() -> None:
    """A symmetric surface with vertices on the middle column of an odd number of pixels."""
    points, triangles = ellipsoid(12, 12)
    clip = seen_from_front(points)[None]
    seen = rasterize(clip, triangles, 33)
    pairs = found(clip, triangles, seen)[0][0] >= 0
    covered = seen.triangle_id[0] >= 0
    assert covered[:, 16].any()
    assert (pairs[1, :-1] & (covered[:-1] != covered[1:]))[:, 16].sum() == 2


def test_mistakes_are_named() -> None:
    clip, triangles = plane()
    seen = rasterize(clip, triangles, 8)
    with pytest.raises(ValueError, match=r"expected \(1, 8, 8, 'C'\); channels are last"):
        antialias(torch.rand(1, 3, 8, 8), seen, clip, triangles)
